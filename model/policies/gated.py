"""`mpc` that imagines only where the predictions without imagination do not decide."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avw.model.memory.free_space import ReachablePoses
from avw.model.planning.outlook import Outlook, outlook
from avw.model.policies.mpc import MpcConfig, MpcPolicy
from avw.model.world_model import WorldModel
from avw.sim_bridge.randomness import keyed_rng


@dataclass(frozen=True, kw_only=True, slots=True)
class GateConfig:
    """close: standard deviations between the best candidate and its best rival, below which the choice is uncertain
    apart: metres from the best candidate, beyond which another one is a rival
    most: candidates that are imagined in an uncertain decision
    """

    close: float = 0.3
    apart: float = 1.0
    most: int = 16


class GatedPolicy(MpcPolicy):
    """The ranking of `reward-only`, and imagined futures for the candidates that may be the best."""

    def __init__(
        self, model: Path | str | WorldModel, config: MpcConfig | None = None, device: str = "cpu",
        gate: GateConfig | None = None,
    ) -> None:  # fmt: skip
        self.gate = gate or GateConfig()
        super().__init__(model, config, device)
        self.name = "gated"

    def reset(self, seed: int) -> None:
        super().reset(seed)
        self.imagined = 0  # decisions in which something was imagined

    def predict(self, poses: ReachablePoses) -> Outlook:
        context = self.observer.context()
        history = self.model.encode([context])
        quick = outlook(self.model, context, poses.motion_K3, poses.steps_K, denoising_steps=0, seed=0, history=history)
        chosen = uncertain(quick, poses.motion_K3[:, :2], self.gate)
        if not len(chosen):
            return quick
        self.imagined += 1
        seed = int(keyed_rng(self.seed, self.name, self.decisions).integers(2**31))
        full = outlook(
            self.model, context, poses.motion_K3[chosen], poses.steps_K[chosen],
            denoising_steps=self.config.denoising_steps, seed=seed, history=history,
        )  # fmt: skip
        replaced = {}
        for name in ("distance_K", "variance_K", "success_K"):
            values_K = getattr(quick, name).copy()
            values_K[chosen] = getattr(full, name)[:-1]
            replaced[name] = values_K
        return dataclasses.replace(quick, **replaced)


def uncertain(quick: Outlook, place_K2: np.ndarray, gate: GateConfig) -> np.ndarray:
    """Indices of the candidates that may be the best; none if the best one is clear.

    quick: predictions for the candidates, and for the current pose as the last entry
    """
    distance_K, variance_K = quick.distance_K[:-1], quick.variance_K[:-1]
    if len(distance_K) < 2:
        return np.zeros(0, np.int64)
    best = int(distance_K.argmin())
    gap_K = (distance_K - distance_K[best]) / np.sqrt(np.maximum(variance_K + variance_K[best], 1e-9))
    rival_K = np.linalg.norm(place_K2 - place_K2[best], axis=1) > gate.apart
    if not (gap_K[rival_K] < gate.close).any():
        return np.zeros(0, np.int64)
    order_K = np.argsort(gap_K, kind="stable")
    return order_K[gap_K[order_K] < gate.close][: gate.most]
