"""Floor plans: apartments, houses and offices of 3-12 rooms, their doors and their windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.scenes.houses.layout import draw_layout
from avw.sim_bridge.scenes.houses.openings import Opening, draw_openings
from avw.sim_bridge.scenes.houses.programme import BUILDINGS, draw_programme
from avw.sim_bridge.scenes.scene import Room

SHARES = (0.36, 0.4, 0.24)  # of apartments, houses and offices
FEWEST, MOST = 3, 12  # rooms, hallways included


@dataclass(frozen=True, kw_only=True, slots=True)
class FloorPlan:
    """Rooms share walls; each rectangle reaches to the middle of its walls.

    building: "apartment", "house" or "office" · height: metres from floor to ceiling
    """

    building: str
    rooms: tuple[Room, ...]
    openings: tuple[Opening, ...]
    height: float


def draw_floor_plan(rng: np.random.Generator) -> FloorPlan:
    """A plan in which every room can be reached; the first room is the largest public one.

    Draws again until one satisfies every rule of `layout` and `openings`.
    """
    building = str(rng.choice(BUILDINGS, p=SHARES))
    while True:
        programme = draw_programme(rng, building)
        # The same programme a few times, or what is hard to lay out would hardly ever be seen.
        for _ in range(60):
            rooms = draw_layout(rng, programme)
            if rooms is None or not FEWEST <= len(rooms) <= MOST:
                continue
            openings = draw_openings(rng, rooms, building)
            if openings is None:
                continue
            low, high = (2.6, 3.2) if building == "office" else (2.45, 2.85)
            return FloorPlan(
                building=building,
                rooms=tuple(Room(kind=k, min_x=r[0], min_z=r[1], max_x=r[2], max_z=r[3]) for k, r in rooms),
                openings=tuple(openings),
                height=round(float(rng.uniform(low, high)), 2),
            )
