"""Mapping audio policy: localise the sound, map obstacles from depth images, plan a path through the map.

Nothing is learned; the method was designed and tuned for this task. It is the strongest baseline;
`greedy_audio` is the simple one.

Sound determines the goal (`hearing.Hearing`), and depth the path to it (`depth_map.DepthMap`). The goal lies in the
most likely direction of the source, at a distance that depends on the level. The path avoids known obstacles and may
lead through unknown space. Then a new goal is chosen. If the agent is stuck, other directions are tried in turn.

The agent stops where the sound is loud *and* most of it comes from one direction. The level alone is not enough: in a
small room with hard walls, the reverberation can be as loud as the direct sound next to the source.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from avw.model.planning.depth_map import DepthMap, DepthMapConfig
from avw.model.planning.hearing import Hearing, HearingConfig
from avw.sim_bridge.types import TURN_RADIANS, Action, Observation, wrap_angle


@dataclass(frozen=True, kw_only=True, slots=True)
class MappingAudioConfig:
    """Levels are in dB relative to the direct sound at 1 m. Thresholds were chosen on scenes procedural-0200 to 0207.

    clip_rms_db: RMS of every clip, dB relative to 1 (`sounds.load_sound` normalises all clips)
    stop_db, stop_directness: the agent stops where both are exceeded · nearest, farthest: distance of a goal, metres
    patience: number of actions until a new goal is chosen; half as many where the sound is loud
    deadband: deviation from the bearing that is not corrected, in turns of 10°
    stuck_steps, stuck_metres: with less motion in that number of steps, another direction is tried
    escape_patience: `patience` for the goal of such an attempt
    """

    clip_rms_db: float = -20.0
    stop_db: float = 7.0
    stop_directness: float = 0.26
    nearest: float = 0.8
    farthest: float = 5.0
    patience: int = 10
    deadband: float = 1.2
    stuck_steps: int = 60
    stuck_metres: float = 0.8
    escape_patience: int = 40


class MappingAudioPolicy:
    """Deterministic: equal observations give equal actions."""

    name = "mapping-audio"

    def __init__(self, config: MappingAudioConfig | None = None, *, hfov: float = 90.0):
        self.config = config or MappingAudioConfig()
        self.hearing = Hearing(HearingConfig())
        self.map = DepthMap(DepthMapConfig(hfov=hfov))
        self.reset(0)

    def reset(self, seed: int) -> None:
        self.hearing.reset()
        self.map.reset()
        self._last: Action | None = None
        self._goal: tuple[float, float] | None = None
        self._patience = 0
        self._trail: deque[tuple[float, float]] = deque(maxlen=self.config.stuck_steps)
        self._tried: list[float] = []

    def act(self, observation: Observation) -> Action:
        self.map.update(self._last, observation.depth_HW)
        if self._last is not None and not self.map.blocked:
            self.hearing.moved(self._last)
        self.hearing.hear(observation.audio_ES)
        self._trail.append((self.map.x, self.map.y))
        self._last = self._choose()
        return self._last

    def _choose(self) -> Action:
        c = self.config
        level = self.hearing.level_db - c.clip_rms_db
        if level > c.stop_db and self.hearing.directness > c.stop_directness:
            return Action.STOP
        self._patience -= 1
        if self._goal is None or self._patience <= 0 or math.dist(self._goal, (self.map.x, self.map.y)) < 0.3:
            self._set_goal(level)
        assert self._goal is not None
        bearing, _ = self.map.path_to(*self._goal)
        # A turn in progress is completed: otherwise every heading would be off by the width of the deadband.
        turning = self._last in (Action.TURN_LEFT, Action.TURN_RIGHT)
        if abs(bearing) <= (0.6 if turning else c.deadband) * TURN_RADIANS:
            return Action.FORWARD
        if turning and abs(bearing) > math.pi - TURN_RADIANS:
            return self._last  # type: ignore[return-value]  # the goal is behind: keep the direction of the turn
        return Action.TURN_LEFT if bearing > 0 else Action.TURN_RIGHT

    def _set_goal(self, level: float) -> None:
        c = self.config
        reach = min(max(10.0 ** (-level / 20.0), c.nearest), c.farthest)
        evidence_B = self.hearing.evidence_B
        headings_B = self.map.heading + self.hearing.bearings_B
        self._patience = c.patience if level < c.stop_db else c.patience // 2
        if self._stuck():
            self._trail.clear()
            self._patience = c.escape_patience
            self._tried.append(wrap_angle(self.map.heading + self.hearing.bearing))
            difference_TB = np.abs(
                (headings_B[None] - np.array(self._tried)[:, None] + math.pi) % (2 * math.pi) - math.pi
            )
            untried_B = (difference_TB > math.radians(50.0)).all(axis=0)
            if not untried_B.any():
                self._tried.clear()
                untried_B[:] = True
            evidence_B = np.where(untried_B, evidence_B, -np.inf)
            heading = float(headings_B[int(np.argmax(evidence_B))])
            self._tried.append(wrap_angle(heading))
            reach = c.farthest
        else:
            heading = float(headings_B[int(np.argmax(evidence_B))])
        self._goal = (self.map.x + reach * math.cos(heading), self.map.y + reach * math.sin(heading))

    def _stuck(self) -> bool:
        if len(self._trail) < self.config.stuck_steps:
            return False
        points_N2 = np.array(self._trail)
        return bool(np.ptp(points_N2, axis=0).max() < self.config.stuck_metres)
