"""Greedy audio policy: turn towards the louder ear, walk while both ears are equally loud, stop where it is loud.

A simple baseline without a map, a model or training. `mapping_audio` is the stronger one.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from avw.model.planning.sight import blocked_ahead
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import Action, Observation


@dataclass(frozen=True, kw_only=True, slots=True)
class GreedyAudioConfig:
    """Values were chosen on scenes procedural-0200 to 0207, which no published result uses.

    memory: steps over which levels are averaged; one period of the default sound
    deadband_db: level difference of the ears below which the agent walks straight on
    stop_db: level of both ears for STOP, dB relative to the direct sound at 1 m · clip_rms_db: RMS of every clip, dB
    aside: steps along an obstacle before the level difference decides again
    patience: after this number of steps without a STOP, walk in a random direction for `stroll` steps, because the
        agent may be walking in circles
    """

    memory: int = 7
    deadband_db: float = 1.0
    stop_db: float = 9.0
    clip_rms_db: float = -20.0
    aside: int = 8
    patience: int = 80
    stroll: int = 25


class GreedyAudioPolicy:
    """Uses the depth image only to detect obstacles directly ahead."""

    name = "greedy-audio"

    def __init__(self, config: GreedyAudioConfig | None = None, *, hfov: float = 90.0) -> None:
        self.config, self.hfov = config or GreedyAudioConfig(), hfov
        self.reset(0)

    def reset(self, seed: int) -> None:
        self._rng = keyed_rng(seed, "policy", self.name)
        self._energy: deque[np.ndarray] = deque(maxlen=self.config.memory)
        self._pending: deque[Action] = deque()
        self._side = Action.TURN_LEFT
        self._steps = 0

    def act(self, observation: Observation) -> Action:
        self._energy.append(np.square(observation.audio_ES, dtype=np.float64).mean(axis=1))
        self._steps += 1
        left, right = np.maximum(np.mean(self._energy, axis=0), 1e-20)
        if 10 * math.log10((left + right) / 2) - self.config.clip_rms_db > self.config.stop_db:
            return Action.STOP
        if self._pending and self._pending[0] == Action.FORWARD and blocked_ahead(observation.depth_HW, hfov=self.hfov):
            self._pending.clear()
            return self._side
        if self._pending:
            return self._pending.popleft()
        if self._steps % self.config.patience == 0:
            turn = Action(int(self._rng.integers(Action.TURN_LEFT, Action.TURN_RIGHT + 1)))
            self._pending.extend([turn] * int(self._rng.integers(3, 15)) + [Action.FORWARD] * self.config.stroll)
            return self._pending.popleft()
        if blocked_ahead(observation.depth_HW, hfov=self.hfov):
            # Turn towards the louder side until the way is free, then walk a few steps along the obstacle.
            self._side = Action.TURN_LEFT if left >= right else Action.TURN_RIGHT
            self._pending.extend([Action.FORWARD] * self.config.aside)
            return self._side
        difference = 10 * math.log10(left / right)
        if abs(difference) > self.config.deadband_db:
            return Action.TURN_LEFT if difference > 0 else Action.TURN_RIGHT
        return Action.FORWARD
