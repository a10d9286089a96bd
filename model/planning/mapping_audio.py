"""Engineered navigation by ear: localise the sound, map what the depth camera sees, plan through the map.

Nothing is learned; everything was designed and tuned by hand for this task. The strongest baseline, and the only policy
that keeps a map: `greedy_audio` is the simple one.

The ears choose where to (`hearing.Hearing`), the depth camera chooses how (`depth_map.DepthMap`): a goal is set in the
likeliest bearing, as far off as the level suggests, and approached round whatever was seen to be in the way and through
what was not seen yet; then the ears choose again. Where that leads nowhere, other bearings are tried in turn.

It stops where the sound is loud *and* most of it comes from one direction: loudness alone is fooled by a small hard
room, where the reverberation is as loud as the telephone itself is a step before it.
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
    """Levels are in dB re the direct sound at 1 m, thresholds set on houses procedural-0200 to 0207.

    clip_rms_db: of every clip (`sounds.load_sound` brings them to one loudness), dB re 1
    stop_db, stop_directness: both are passed near the source only · nearest, farthest: metres, of a goal
    patience: decisions for which a goal is kept, short where it is loud · deadband: turns of 10° that are let be
    stuck_steps, stuck_metres: moving less than this in so many steps, it tries another bearing
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
    """Deterministic: the same observations give the same actions."""

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
        bearing, _ = self.map.way_to(*self._goal)
        # Once turning, turn all the way: a deadband without this would leave every heading off by its width.
        turning = self._last in (Action.TURN_LEFT, Action.TURN_RIGHT)
        if abs(bearing) <= (0.6 if turning else c.deadband) * TURN_RADIANS:
            return Action.FORWARD
        if turning and abs(bearing) > math.pi - TURN_RADIANS:
            return self._last  # type: ignore[return-value]  # right behind: either way is as good, but only one at a time
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
            off_TB = np.abs((headings_B[None] - np.array(self._tried)[:, None] + math.pi) % (2 * math.pi) - math.pi)
            fresh_B = (off_TB > math.radians(50.0)).all(axis=0)
            if not fresh_B.any():
                self._tried.clear()
                fresh_B[:] = True
            evidence_B = np.where(fresh_B, evidence_B, -np.inf)
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
