"""Model-predictive control with the world model: predict the outcome of every candidate, execute the start of the best
one, then plan again."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from avw.model.context import Observer
from avw.model.planning.sight import blocked_ahead
from avw.model.world_model import WorldModel
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import FORWARD_METRES, TURN_RADIANS, Action, Observation, Pose

HALF_TURN = 18  # turns of 10° in half a revolution
REFLEX_MARGIN = 0.03  # metres beyond one step in which an obstacle counts as blocking the step


@dataclass(frozen=True, kw_only=True, slots=True)
class MpcConfig:
    """forwards: numbers of forward steps after the turn; each number is one candidate per heading
    execute: forward steps that are executed before the next plan
    denoising_steps: network passes per prediction; None: as many as the model was trained for; 0 predicts the reward
        from the context alone, without predicting images or sound (the control policy `reward-only`)
    success_weight: value of P(success) at the end of a candidate, in metres
    step_cost: metres per step, as in the reward of the task
    revisit_cost, revisit_metres: penalty for returning to a place: metres times log(1 + number of steps spent within
        `revisit_metres` of it). Predictions reach about two metres, and in a house the shortest path to the source
        often leads away from it first
    """

    forwards: tuple[int, ...] = (4, 8, 14)
    execute: int = 5
    denoising_steps: int | None = None
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
    """Every heading in steps of 10° with every number of forward steps.

    The last two candidates are one turn to the left and one to the right without a forward step: they stand for
    staying at the current position.
    """
    headings = np.arange(-HALF_TURN + 1, HALF_TURN + 1)
    turns, forwards = np.meshgrid(headings, config.forwards, indexing="ij")
    return Candidates(
        np.concatenate([turns.ravel(), [1, -1]]), np.concatenate([forwards.ravel(), [0, 0]]).astype(np.int64)
    )


class MpcPolicy:
    """Chooses where to go from the predictions of AV-CDiT only, given past RGB, sound and its own actions (see `plan`).

    The depth image is used for one thing: a forward step into an obstacle directly ahead is not taken.
    """

    def __init__(self, model: Path | str | WorldModel, config: MpcConfig | None = None, device: str = "cpu") -> None:
        """model: a loaded model (anything with the methods of `WorldModel`), or the folder of a run to load."""
        self.model = WorldModel.load(Path(model), device) if isinstance(model, str | Path) else model
        self.config = config or MpcConfig()
        self.name = "reward-only" if self.config.denoising_steps == 0 else "mpc"
        self.candidates = candidates(self.config)
        self.reset(0)

    def reset(self, seed: int) -> None:
        self.seed, self.plans = seed, 0
        self.observer = Observer(self.model.needs)
        self.last_rgb_HWC: np.ndarray | None = None
        self.pose = Pose(0.0, 0.0, 0.0, 0.0)  # the commanded pose: ignores collisions
        self.pending: deque[Action] = deque()
        self.last_action: Action | None = None
        self.position_2 = np.zeros(2)  # estimated x and z: as the commanded pose, without the steps that were blocked
        self.visited: list[np.ndarray] = []
        self.blocked_turns: set[int] = set()  # headings known to be blocked, in turns relative to the current heading

    def act(self, observation: Observation) -> Action:
        if self.last_action == Action.FORWARD:
            if self.last_rgb_HWC is not None and np.array_equal(self.last_rgb_HWC, observation.rgb_HWC):
                self._abandon_heading()  # an identical image after a forward step: the step was blocked
            else:
                self.blocked_turns.clear()
                self.position_2 = self.position_2 + FORWARD_METRES * _heading(self.pose.yaw)
        self.visited.append(self.position_2)
        self.observer.observe(observation, self.last_action)
        self.last_rgb_HWC = observation.rgb_HWC
        if not self.pending:
            self.pending.extend(self.plan())
        if self.pending[0] == Action.FORWARD and self._obstacle_ahead(observation):
            self._abandon_heading()
            self.pending.extend(self.plan())  # does not start with a forward step: the current heading is blocked
        self.last_action = self.pending.popleft()
        self.pose = self.pose.after(self.last_action)
        if self.last_action in (Action.TURN_LEFT, Action.TURN_RIGHT):
            shift = -1 if self.last_action == Action.TURN_LEFT else 1
            self.blocked_turns = {_wrap(turn + shift) for turn in self.blocked_turns}
        return self.last_action

    def _obstacle_ahead(self, observation: Observation) -> bool:
        """Whether the depth image shows an obstacle within the next step. Uses geometry, not the model."""
        return blocked_ahead(observation.depth_HW, reach=FORWARD_METRES + REFLEX_MARGIN, hfov=self.model.hfov)

    def _abandon_heading(self) -> None:
        """Drop the current plan, and exclude the current heading and its two neighbours from the next plans."""
        self.pending.clear()
        self.blocked_turns |= {-1, 0, 1}

    def plan(self) -> list[Action]:
        """Predict all candidates in one batch, and return the start of the one with the highest score.

        score = predicted progress - step_cost · steps + success_weight · P(success) - revisit cost.
        Returns [STOP] when the predicted probability of success at the current position exceeds the calibrated
        threshold.
        """
        config, options = self.config, self.candidates
        history = self.model.encode([self.observer.context()])
        self.plans += 1
        motion, offset = torch.from_numpy(options.motion_K3)[None], torch.from_numpy(options.offset_K)[None]
        if config.denoising_steps != 0:
            seed = int(keyed_rng(self.seed, "mpc", self.plans).integers(2**31))
            prediction = self.model.predict(
                history, motion, offset, steps=config.denoising_steps, seed=seed, pixels=False
            )
        else:
            prediction = self.model.predict_reward(history, motion, offset)
        success_K = prediction.success_BK[0].cpu().numpy()
        if success_K[-2:].mean() > self.model.calibration.stop_threshold:
            return [Action.STOP]
        progress_K = prediction.reward.known_progress_BK[0].float().cpu().numpy()
        score_K = progress_K - config.step_cost * options.offset_K + config.success_weight * success_K
        score_K = score_K - config.revisit_cost * np.log1p(self._visit_counts())
        score_K[-2:] = -np.inf
        if self.blocked_turns:
            score_K[np.isin(options.turns_K, list(self.blocked_turns))] = -np.inf
        best = int(score_K.argmax())
        turns, forwards = int(options.turns_K[best]), int(options.forwards_K[best])
        turn = Action.TURN_LEFT if turns > 0 else Action.TURN_RIGHT
        return [turn] * abs(turns) + [Action.FORWARD] * min(forwards, config.execute)

    def _visit_counts(self) -> np.ndarray:
        """int (K,): past steps within `revisit_metres` of the point where the executed part of each candidate ends."""
        angle_K = self.pose.yaw + self.candidates.turns_K * TURN_RADIANS
        reach_K = FORWARD_METRES * np.minimum(self.candidates.forwards_K, self.config.execute)
        end_K2 = self.position_2 + reach_K[:, None] * np.stack([-np.sin(angle_K), -np.cos(angle_K)], -1)
        distance_KT = np.linalg.norm(end_K2[:, None] - np.stack(self.visited)[None], axis=-1)
        return (distance_KT < self.config.revisit_metres).sum(1)


def _heading(yaw: float) -> np.ndarray:
    """(2,): the x and z of a step of one metre."""
    return np.array([-math.sin(yaw), -math.cos(yaw)])


def _wrap(turns: int) -> int:
    """The same heading in (-HALF_TURN, HALF_TURN]."""
    return (turns + HALF_TURN - 1) % (2 * HALF_TURN) - HALF_TURN + 1
