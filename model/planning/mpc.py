"""Model-predictive control in imagination: see where every manoeuvre would lead, begin the best, look again."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from avw.model.planning.sight import blocked_ahead
from avw.model.world_model import WorldModel
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import FORWARD_METRES, TURN_RADIANS, Action, Observation, Pose, relative_motion

HALF_TURN = 18  # turns of 10° to look back


@dataclass(frozen=True, kw_only=True, slots=True)
class MpcConfig:
    """forwards: steps ahead after the turn, one candidate each · execute: steps of them done before looking again
    denoising_steps: network passes an imagination; 0 imagines nothing and reads the reward from the context alone, the
        control `reward-only` · success_weight: worth of P(success) at a candidate's end, metres
    step_cost: metres a step, as the task's reward has it
    revisit_cost, revisit_metres: what it costs to go to where it has been, metres times log(1 + steps spent there):
        imagination reaches two metres, and in a house the nearest way is often round a corner
    """

    forwards: tuple[int, ...] = (4, 8, 14)
    execute: int = 5
    denoising_steps: int = 1
    success_weight: float = 1.0
    step_cost: float = 0.01
    revisit_cost: float = 0.1
    revisit_metres: float = 0.6


@dataclass(frozen=True, slots=True)
class Candidates:
    """Action sequences "turn, then go straight": turns_K (left positive) · forwards_K · motion_K3 · offset_K."""

    turns_K: np.ndarray
    forwards_K: np.ndarray

    @property
    def offset_K(self) -> np.ndarray:
        return np.abs(self.turns_K) + self.forwards_K

    @property
    def motion_K3(self) -> np.ndarray:
        angle = self.turns_K * TURN_RADIANS
        length = self.forwards_K * FORWARD_METRES
        yaw = (angle + math.pi) % (2 * math.pi) - math.pi
        return np.stack([length * np.cos(angle), length * np.sin(angle), yaw], -1).astype(np.float32)


def candidates(config: MpcConfig) -> Candidates:
    """Every heading in steps of 10° times every distance, and last the two turns on the spot that stand for "here"."""
    headings = np.arange(-HALF_TURN + 1, HALF_TURN + 1)
    turns, forwards = np.meshgrid(headings, config.forwards, indexing="ij")
    return Candidates(
        np.concatenate([turns.ravel(), [1, -1]]), np.concatenate([forwards.ravel(), [0, 0]]).astype(np.int64)
    )


class MpcPolicy:
    """Where to go is AV-CDiT's word alone, from past RGB, sound and own actions: see `plan`. The depth camera only
    keeps it from walking into what stands right in front of it."""

    def __init__(self, model_dir: Path | WorldModel, config: MpcConfig | None = None, device: str = "cpu") -> None:
        self.model = model_dir if isinstance(model_dir, WorldModel) else WorldModel.load(Path(model_dir), device)
        self.config = config or MpcConfig()
        self.name = "mpc" if self.config.denoising_steps else "reward-only"
        self.candidates = candidates(self.config)
        self.reset(0)

    def reset(self, seed: int) -> None:
        self.seed, self.decisions = seed, 0
        self.seen: deque[tuple[Observation, Pose]] = deque(maxlen=max(self.model.ages) + 1)
        self.pose = Pose(0.0, 0.0, 0.0, 0.0)  # where the actions so far should have led: not where it is
        self.todo: deque[Action] = deque()
        self.last: Action | None = None
        self.here = np.zeros(2)  # where it believes to be: as the pose, but a step that changed nothing did not move it
        self.trail: list[np.ndarray] = []
        self.blocked: set[int] = set()  # headings, in turns from here, that turned out to be blocked

    def act(self, observation: Observation) -> Action:
        if self.last == Action.FORWARD:
            if np.array_equal(self.seen[-1][0].rgb_HWC, observation.rgb_HWC):
                self._give_up_heading()  # the very same picture after a step forward: it ran into something
            else:
                self.blocked.clear()
                self.here = self.here + FORWARD_METRES * _heading(self.pose.yaw)
        self.trail.append(self.here)
        self.seen.append((observation, self.pose))
        if self.todo and self.todo[0] == Action.FORWARD and self._faces_obstacle(observation):
            self._give_up_heading()
        if not self.todo:
            self.todo.extend(self.plan())
        if self.todo[0] == Action.FORWARD and self._faces_obstacle(observation):
            self._give_up_heading()
            self.todo.extend(self.plan())
        self.last = self.todo.popleft()
        self.pose = self.pose.after(self.last)
        if self.last in (Action.TURN_LEFT, Action.TURN_RIGHT):
            shift = -1 if self.last == Action.TURN_LEFT else 1
            self.blocked = {_wrap(turn + shift) for turn in self.blocked}
        return self.last

    def _faces_obstacle(self, observation: Observation) -> bool:
        """Reflex, not imagination: the depth camera shows something within the next step."""
        return blocked_ahead(observation.depth_HW, reach=FORWARD_METRES + 0.03, hfov=self.model.hfov)

    def _give_up_heading(self) -> None:
        self.todo.clear()
        self.blocked |= {-1, 0, 1}

    def plan(self) -> list[Action]:
        """Imagine all candidates in one batch, score them by the reward that the model predicts, begin the best one."""
        config, options = self.config, self.candidates
        context = [self.seen[max(0, len(self.seen) - 1 - age)] for age in self.model.ages]  # the first frame repeats
        rgb = torch.from_numpy(np.stack([seen.rgb_HWC for seen, _ in context]))[None]
        audio = torch.from_numpy(np.stack([seen.audio_ES for seen, _ in context]))[None]
        past = np.stack([relative_motion(self.pose, pose) for _, pose in context]).astype(np.float32)
        history = self.model.encode(rgb, audio, torch.from_numpy(past)[None])
        self.decisions += 1
        motion, offset = torch.from_numpy(options.motion_K3)[None], torch.from_numpy(options.offset_K)[None]
        if config.denoising_steps:
            seed = int(keyed_rng(self.seed, "mpc", self.decisions).integers(2**31))
            prediction = self.model.predict(history, motion, offset, steps=config.denoising_steps, seed=seed)
        else:
            prediction = self.model.predict_reward(history, motion, offset)
        success_K = prediction.success_BK[0].cpu().numpy()
        if success_K[-2:].mean() > self.model.calibration.stop_threshold:  # turning on the spot would be within reach
            return [Action.STOP]
        progress_K = prediction.reward.progress_BK[0].float().cpu().numpy()
        score_K = progress_K - config.step_cost * options.offset_K + config.success_weight * success_K
        score_K = score_K - config.revisit_cost * np.log1p(self._times_there())
        score_K[-2:] = -np.inf
        if self.blocked:
            score_K[np.isin(options.turns_K, list(self.blocked))] = -np.inf
        best = int(score_K.argmax())
        turns, forwards = int(options.turns_K[best]), int(options.forwards_K[best])
        turn = Action.TURN_LEFT if turns > 0 else Action.TURN_RIGHT
        return [turn] * abs(turns) + [Action.FORWARD] * min(forwards, config.execute)

    def _times_there(self) -> np.ndarray:
        """int (K,): steps spent so far within `revisit_metres` of where the executed part of each candidate ends."""
        angle_K = self.pose.yaw + self.candidates.turns_K * TURN_RADIANS
        reach_K = FORWARD_METRES * np.minimum(self.candidates.forwards_K, self.config.execute)
        end_K2 = self.here + reach_K[:, None] * np.stack([-np.sin(angle_K), -np.cos(angle_K)], -1)
        apart = np.linalg.norm(end_K2[:, None] - np.stack(self.trail)[None], axis=-1)
        return (apart < self.config.revisit_metres).sum(1)


def _heading(yaw: float) -> np.ndarray:
    """(2,): the x and z of a step of one metre."""
    return np.array([-math.sin(yaw), -math.cos(yaw)])


def _wrap(turns: int) -> int:
    return (turns + HALF_TURN - 1) % (2 * HALF_TURN) - HALF_TURN + 1
