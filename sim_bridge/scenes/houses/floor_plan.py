"""Draw floor plans: apartments, houses and offices of 3 to 12 rooms, with their doors and windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.scenes.houses.layout import draw_layout
from avw.sim_bridge.scenes.houses.openings import Opening, draw_openings
from avw.sim_bridge.scenes.houses.room_list import BUILDINGS, draw_room_list
from avw.sim_bridge.scenes.scene import Room

BUILDING_SHARES = (0.36, 0.4, 0.24)  # probabilities of apartments, houses and offices
MIN_ROOMS, MAX_ROOMS = 3, 12  # hallways included


@dataclass(frozen=True, kw_only=True, slots=True)
class FloorPlan:
    """The rooms of a building on one floor. Adjacent rooms share a wall; rectangles end at the middle of the walls.

    building: "apartment", "house" or "office" · height: metres from floor to ceiling
    """

    building: str
    rooms: tuple[Room, ...]
    openings: tuple[Opening, ...]
    height: float


def draw_floor_plan(rng: np.random.Generator) -> FloorPlan:
    """Draw a plan in which every room can be reached. The first room is the largest public one.

    Plans are drawn until one satisfies every rule of `layout` and `openings`.
    """
    building = str(rng.choice(BUILDINGS, p=BUILDING_SHARES))
    while True:
        room_list = draw_room_list(rng, building)
        # Each list of rooms gets many attempts; otherwise room lists that are hard to lay out would be very rare.
        for _ in range(60):
            rooms = draw_layout(rng, room_list)
            if rooms is None or not MIN_ROOMS <= len(rooms) <= MAX_ROOMS:
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
