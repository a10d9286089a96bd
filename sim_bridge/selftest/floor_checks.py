"""Checks of free space: area, height and shortest walks against closed forms, for any backend."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.selftest.check import Check
from avw.sim_bridge.types import AGENT_RADIUS

_ROOM = (6.0, 3.0, 5.0)  # metres
_GAP = 1.5  # metres that a wall across the room leaves open
FIX_FLOOR = "the free space does not match the room: report it with this table, and use another --backend"

FreeSpaceMaker = Callable[[Scene], FreeSpace]


def free_floor_matches_the_room(make: FreeSpaceMaker) -> Check:
    """The free floor of an empty room ends one agent's radius before its walls."""
    area = make(shoebox(_ROOM)).area
    least, most = (
        (_ROOM[0] - 2 * reach) * (_ROOM[2] - 2 * reach) for reach in (AGENT_RADIUS + 0.1, AGENT_RADIUS - 0.05)
    )
    return Check(
        name="free floor of an empty room",
        expected=f"{least:.1f} to {most:.1f} m2",
        measured=f"{area:.1f} m2",
        ok=least <= area <= most,
        fix=FIX_FLOOR,
    )


def free_floor_excludes_the_roof(make: FreeSpaceMaker) -> Check:
    """The roof of a closed room is level too, but agents must not be placed there."""
    heights = [floor.y for floor in make(shoebox(_ROOM)).floors]
    return Check(
        name="the floor is used, not the roof",
        expected="0 to 0.2 m",
        measured=" / ".join(f"{height:.2f} m" for height in heights),
        ok=all(0.0 <= height <= 0.2 for height in heights),
        fix=FIX_FLOOR,
    )


def shortest_walk_around_a_wall(make: FreeSpaceMaker) -> Check:
    """Around the end of a wall: two tangents to a circle of the agent's radius, and the arc between them."""
    corner_z = _ROOM[2] / 2 - _GAP
    away, across = 2.0, 2.0  # metres from the wall's end, along the wall and across it
    straight = math.hypot(away, across)
    arc = 2 * math.pi - 2 * math.atan2(across, away) - 2 * math.acos(AGENT_RADIUS / straight)
    expected = 2 * math.sqrt(straight**2 - AGENT_RADIUS**2) + AGENT_RADIUS * arc
    space = make(shoebox(_ROOM, wall_x=0.0, gap=_GAP))
    start_3, goal_3 = (np.array([x, space.floor_y, corner_z - away]) for x in (-across, across))
    walked = space.geodesic(goal_3).distance(start_3)
    return Check(
        name="shortest walk around a wall",
        expected=f"{expected:.3f} m, within 2.5 %",
        measured=f"{walked:.3f} m ({100 * (walked / expected - 1):+.1f} %)",
        ok=abs(walked / expected - 1.0) <= 0.025,
        fix=FIX_FLOOR,
    )


FLOOR = (free_floor_matches_the_room, free_floor_excludes_the_roof, shortest_walk_around_a_wall)
