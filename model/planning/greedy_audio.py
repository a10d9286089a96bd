"""Greedy by ear: go to where it sounds from, stop where it is loud. The baseline that nothing is learned for.

The ears choose where to (`hearing.Hearing`), the depth camera chooses how (`depth_map.DepthMap`): the goal is the
point in the likeliest bearing, as far off as the level suggests, and the way to it leads round whatever was seen to be
in the way, and through what was not seen yet. It stops where the level passes a threshold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from model.planning.depth_map import DepthMap, DepthMapConfig
from model.planning.hearing import Hearing, HearingConfig
from sim_bridge.types import TURN_RADIANS, Action, Observation


@dataclass(frozen=True, kw_only=True, slots=True)
class GreedyAudioConfig:
    """Thresholds, in dB re the rms of the clip: the level that the direct sound has at 1 m.

    clip_rms_db: of the shipped ring, dB re 1 · stop_db: the level at which it stops
    nearest, farthest: metres, limits of how far off the goal is put
    """

    clip_rms_db: float = -20.0
    stop_db: float = 5.0
    nearest: float = 1.0
    farthest: float = 5.0


class GreedyAudioPolicy:
    """Deterministic: the same observations give the same actions."""

    name = "greedy-audio"

    def __init__(self, config: GreedyAudioConfig | None = None, *, hfov: float = 90.0):
        self.config = config or GreedyAudioConfig()
        self.hearing = Hearing(HearingConfig())
        self.map = DepthMap(DepthMapConfig(hfov=hfov))
        self.reset(0)

    def reset(self, seed: int) -> None:
        self.hearing.reset()
        self.map.reset()
        self._last: Action | None = None

    def act(self, observation: Observation) -> Action:
        self.map.update(self._last, observation.depth_HW)
        if self._last is not None and not self.map.blocked:
            self.hearing.moved(self._last)
        self.hearing.hear(observation.audio_ES)
        self._last = self._choose()
        return self._last

    def _choose(self) -> Action:
        c = self.config
        level = self.hearing.level_db - c.clip_rms_db
        if level > c.stop_db:
            return Action.STOP
        reach = min(max(10.0 ** (-level / 20.0), c.nearest), c.farthest)
        towards = self.map.heading + self.hearing.bearing
        bearing, _ = self.map.way_to(self.map.x + reach * math.cos(towards), self.map.y + reach * math.sin(towards))
        if abs(bearing) <= 0.75 * TURN_RADIANS:
            return Action.FORWARD
        return Action.TURN_LEFT if bearing > 0 else Action.TURN_RIGHT
