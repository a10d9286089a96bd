"""An agent in a room of exact geometry, and a world model that knows where the source is: for the tests of planners."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from avw.model.context import Context, ContextNeeds
from avw.model.prediction import Calibration
from avw.model.reward import DISTANCE_EDGES, RewardPrediction, bin_centres
from avw.model.source_belief import SourceBelief
from avw.sim_bridge.types import (
    AGENT_RADIUS,
    FORWARD_METRES,
    STEP_SAMPLES,
    TURN_RADIANS,
    Action,
    Observation,
    wrap_angle,
)
from tests.model.memory.rooms import CEILING, closed_room, depth_in_room

SIZE = 32
ROOM = closed_room(ahead=3.0, behind=3.0, left=3.0, right=3.0)
DIVIDED = [*ROOM, (0.8, 0.9, -3.0, 1.6, CEILING)]
"""A wall ahead leaves a way past its left end."""


class RoomWalk:
    """Places are (forward, left) metres from the start, as in a `SpatialMemory`.

    source: makes noise, equal at both ears, with an RMS of 0.1 at 1 m; without one it is silent
    """

    def __init__(self, walls: list[tuple[float, ...]] = ROOM, source: tuple[float, float] | None = None) -> None:
        self.walls, self.source = walls, source
        self.pose_4 = np.zeros(4)
        self.collisions = 0
        self.taken: list[Action] = []

    def observation(self) -> Observation:
        depth_HW = depth_in_room(self.walls, self.pose_4, SIZE).astype(np.float32) / 1000
        return Observation(
            rgb_HWC=np.full((SIZE, SIZE, 3), 128, np.uint8),
            depth_HW=depth_HW,
            audio_ES=np.tile(self._noise(), (2, 1)),
        )

    def _noise(self) -> np.ndarray:
        if self.source is None:
            return np.zeros(STEP_SAMPLES, np.float32)
        metres = float(np.linalg.norm(self.pose_4[:2] - np.array(self.source)))
        noise = np.random.default_rng(len(self.taken)).standard_normal(STEP_SAMPLES)
        return (0.1 * noise / max(metres, 0.1)).astype(np.float32)

    def act(self, action: Action) -> None:
        if action == Action.TURN_LEFT:
            self.pose_4[3] = wrap_angle(self.pose_4[3] + TURN_RADIANS)
        elif action == Action.TURN_RIGHT:
            self.pose_4[3] = wrap_angle(self.pose_4[3] - TURN_RADIANS)
        elif action == Action.FORWARD:
            heading = self.pose_4[3]
            ahead_2 = self.pose_4[:2] + FORWARD_METRES * np.array([math.cos(heading), math.sin(heading)])
            if any(
                f0 - AGENT_RADIUS < ahead_2[0] < f1 + AGENT_RADIUS
                and l0 - AGENT_RADIUS < ahead_2[1] < l1 + AGENT_RADIUS
                for f0, f1, l0, l1, _ in self.walls
            ):
                self.collisions += 1
            else:
                self.pose_4[:2] = ahead_2

    def run(self, policy: Any, most: int) -> list[Action]:
        """The actions of a policy until STOP, at most `most`."""
        actions: list[Action] = []
        while len(actions) < most:
            actions.append(policy.act(self.observation()))
            if actions[-1] == Action.STOP:
                break
            self.taken.append(actions[-1])
            self.act(actions[-1])
        return actions


@dataclass
class Call:
    """One use of the model."""

    kind: str
    motion_K3: np.ndarray
    steps_K: np.ndarray
    seed: int = 0


class KnowingModel:
    """The methods of `WorldModel` that planners use. distance(place_2) is what it predicts for a place, in metres from
    the start; it is read from the pose in the context and the motion, so wrong ones give wrong predictions."""

    hfov = 90.0
    needs = ContextNeeds(ages=(1, 0), sound_memory=0, memory=True, hfov=hfov, size=SIZE)
    calibration = Calibration()
    hears = sees = True
    predicts_depth = False
    max_offset = 64
    audio = SimpleNamespace(levels=lambda latent_NAD: latent_NAD[..., 0], config=SimpleNamespace(full_scale=1.0))

    def __init__(self, distance: Callable[[np.ndarray], float], sharpness: float = 50.0) -> None:
        self.distance, self.sharpness = distance, sharpness
        self.calls: list[Call] = []

    def encode(self, contexts: list[Context]) -> np.ndarray:
        (context,) = contexts
        assert context.memory is not None
        return context.memory.pose_4.copy()

    def predict(self, history, motion, offset, *, steps=1, seed=0, pixels=True, only_reward=False):
        return self._predict("predict", history, motion, offset, seed)

    def predict_reward(self, history, motion, offset):
        return self._predict("predict_reward", history, motion, offset, 0)

    def _predict(self, kind, pose_4, motion, offset, seed):
        self.calls.append(Call(kind, motion[0].numpy(), offset[0].numpy(), seed))
        c, s = math.cos(pose_4[3]), math.sin(pose_4[3])
        places = [pose_4[:2] + np.array([c * f - s * left, s * f + c * left]) for f, left, _ in motion[0].tolist()]
        distance_1K1 = torch.tensor([[[max(0.13, self.distance(place))] for place in places]])
        logits = -self.sharpness * (torch.tensor(bin_centres(DISTANCE_EDGES)) - distance_1K1).abs()
        reward = RewardPrediction(None, logits.float(), DISTANCE_EDGES)
        level_P = -20.0 * torch.log10(distance_1K1.flatten().float()) - 20.0  # the direct sound of a clip
        return Predicted(reward, reward.success_BK(), {"audio": level_P[:, None, None].expand(-1, 5, 48)})


@dataclass
class Predicted:
    reward: RewardPrediction
    success_BK: torch.Tensor
    latents: dict[str, torch.Tensor]
    source: SourceBelief | None = None
