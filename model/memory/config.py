"""What a spatial memory keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import AGENT_HEIGHT, AGENT_RADIUS


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryConfig:
    """keyframes: frames kept at most, the current one included, at least 2; the oldest is dropped first. Frames that
        were imagined have places of their own, as many again
    key_metres, key_turn: a frame is kept if the agent moved or turned (radians) at least that far since the last one
    reach: metres of depth beyond which points are not used as obstacles
    lowest, highest: metres above the floor between which points are obstacles
    radius: of the agent, metres
    """

    keyframes: int = 16
    key_metres: float = 0.3
    key_turn: float = math.radians(30.0)
    reach: float = 4.0
    lowest: float = 0.08
    highest: float = AGENT_HEIGHT + 0.05
    radius: float = AGENT_RADIUS

    def __post_init__(self) -> None:
        if self.keyframes < 2:
            raise UsageError(f"a spatial memory needs at least 2 keyframes, not {self.keyframes}")
