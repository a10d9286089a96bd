"""The cross-entropy method over motions, as Navigation World Models plans (arXiv 2412.03572), on AVW's walker.

It samples motions around the best ones of the last iteration, without a map. The map is used only to walk there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avw.model.memory.free_space import reachable_poses
from avw.model.memory.poses import compose, walking_steps
from avw.model.planning.outlook import outlook
from avw.model.policies.mpc import MpcConfig, MpcPolicy
from avw.model.world_model import WorldModel
from avw.sim_bridge.randomness import keyed_rng


@dataclass(frozen=True, kw_only=True, slots=True)
class CemConfig:
    """iterations · samples: motions per iteration · elites: share of them that the next iteration is drawn around
    spread: standard deviation of the first iteration: forward, left (metres) and turn (radians)
    """

    iterations: int = 4
    samples: int = 16
    elites: float = 0.25
    spread: tuple[float, float, float] = (3.0, 3.0, 1.5)


class CemPolicy(MpcPolicy):
    """Walks to the motion with the lowest expected distance to the source; STOP is that of `mpc`."""

    def __init__(
        self, model: Path | str | WorldModel, config: MpcConfig | None = None, device: str = "cpu",
        search: CemConfig | None = None,
    ) -> None:  # fmt: skip
        self.search = search or CemConfig()
        super().__init__(model, config, device)
        self.name = "cem"

    def plan(self) -> bool:
        """Choose the next goal, or return True to stop here."""
        c, s = self.config, self.search
        self.decisions += 1
        self._left = 0
        context, rng = self.observer.context(), keyed_rng(self.seed, self.name, self.decisions)
        history = self.model.encode([context])
        noise_seed = int(rng.integers(2**31))
        mean_3, spread_3 = np.zeros(3), np.array(s.spread)
        for iteration in range(s.iterations):
            motion_K3 = (mean_3 + spread_3 * rng.standard_normal((s.samples, 3))).astype(np.float32)
            steps_K = walking_steps(motion_K3).clip(1, self.model.max_offset).round().astype(np.int64)
            predicted = outlook(
                self.model, context, motion_K3, steps_K, denoising_steps=c.denoising_steps, seed=noise_seed,
                history=history,
            )  # fmt: skip
            if iteration == 0 and self.arrived(predicted):
                return True
            best_E3 = motion_K3[
                np.argsort(predicted.distance_K[:-1], kind="stable")[: max(1, round(s.elites * s.samples))]
            ]
            mean_3, spread_3 = best_E3.mean(0), best_E3.std(0) + 1e-3
        self._left = int(np.clip(round(predicted.distance_K[-1]), *c.execute))
        self._walk_to(mean_3)
        return False

    def _walk_to(self, motion_3: np.ndarray) -> None:
        """Follow the path to the reachable pose that is nearest to where a motion leads."""
        space, cost_HW = self.map()
        poses = reachable_poses(space, nearest=self.config.nearest, farthest=self.config.farthest, cost_HW=cost_HW)
        if not len(poses):
            self.turn_around(space, cost_HW)
            return
        nearest = int(np.linalg.norm(poses.motion_K3[:, :2] - motion_3[:2], axis=1).argmin())
        self.goal_2 = compose(self.memory.pose_4, poses.motion_K3)[nearest, :2]
        self.walker.follow(space, cost_HW, poses.paths[nearest])
