"""Lay out a list of rooms: a block of public rooms, and wings of private rooms along corridors.

The zoning and the squarified division follow F. Marson and S. R. Musse (2010, see `treemap`). The corridor is reserved
before a wing is divided into rooms, not cut out afterwards, so that every room stays a rectangle. A wing that is
narrower or wider than the block, or a second wing, gives the outline the shape of an L, a T, a U or a Z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.scenes.houses.room_list import RULES, RoomList
from avw.sim_bridge.scenes.houses.treemap import Rect, snap, squarify

PlacedRoom = tuple[str, Rect]  # kind of room and its rectangle
RoomArea = tuple[str, float]  # kind of room and its area (m²)
MAX_EXTENT = 24.0  # metres; upper limit for both sides of a building


@dataclass(frozen=True, slots=True)
class _Wing:
    """Rooms along a corridor from x = 0 to its length, between z = 0 and its width.

    low, high: the lowest and highest z of the rooms (metres)
    """

    rooms: list[PlacedRoom]
    low: float
    high: float


def draw_layout(rng: np.random.Generator, room_list: RoomList) -> list[PlacedRoom] | None:
    """Rooms that share walls and do not overlap, the largest public room first. None if this attempt failed."""
    public, private = list(room_list.public), list(room_list.private)
    rooms: list[PlacedRoom] | None
    if room_list.building == "apartment" and len(public) + len(private) <= 5 and rng.random() < 0.45:
        rooms = _cluster(rng, public + private)
    elif room_list.building != "house" and len(private) >= 3 and rng.random() < 0.3:
        rooms = _spine(rng, public, private)
    else:
        rooms = _block_and_wings(rng, public, private)
    if rooms is None or not _is_valid(rooms):
        return None
    return _shifted_to_origin(_oriented(rooms, int(rng.integers(8))))


def _cluster(rng: np.random.Generator, rooms: list[RoomArea]) -> list[PlacedRoom]:
    """A treemap of all rooms. Small apartments have no corridor."""
    total, aspect = sum(area for _, area in rooms), rng.uniform(0.75, 1.3)
    rect = (0.0, 0.0, snap(np.sqrt(total * aspect)), snap(np.sqrt(total / aspect)))
    return _treemap(rect, rooms)


def _treemap(rect: Rect, rooms: list[RoomArea]) -> list[PlacedRoom]:
    ordered = sorted(rooms, key=lambda room: -room[1])
    rects = squarify(rect, [area for _, area in ordered])
    return [(kind, r) for (kind, _), r in zip(ordered, rects, strict=True)]


def _spine(rng: np.random.Generator, public: list[RoomArea], private: list[RoomArea]) -> list[PlacedRoom] | None:
    """A corridor from wall to wall, with the public rooms on one side and the private rooms on the other."""
    side = sum(area for _, area in public)
    while len(private) > 1 and sum(a for _, a in private) > 1.3 * side:
        moved = private.pop(int(rng.integers(len(private))))
        public.append(moved)
        side += moved[1]
    wing = _wing(rng, public, private, snap(rng.uniform(1.35, 1.8)))
    return None if wing is None else sorted(wing.rooms, key=_public_first)


def _block_and_wings(
    rng: np.random.Generator, public: list[RoomArea], private: list[RoomArea]
) -> list[PlacedRoom] | None:
    width = snap(rng.uniform(1.3, 1.75))
    split = len(private) >= 6 and rng.random() < 0.55
    order = [private[k] for k in rng.permutation(len(private))]
    first, second = (order[::2], order[1::2]) if split else (order, [])
    wing = _wing(rng, *_two_rows(rng, first), width)
    if wing is None:
        return None
    area = sum(a for _, a in public)
    if rng.random() < 0.35:  # as deep as the wing: the outline has no step
        low, high = wing.low, wing.high
    else:
        depth = snap(np.clip(np.sqrt(area * rng.uniform(0.7, 1.6)), 3.6, 11.0))
        # The corridor must end at the block.
        low = snap(rng.uniform(min(width - depth, 0.0), 0.0))
        low, high = low, round(low + depth, 4)
    across = snap(area / max(high - low, 1.0))
    block = (-across, low, 0.0, high)
    rooms = _treemap(block, public) + wing.rooms
    if not second:
        return rooms
    other = _wing(rng, *_two_rows(rng, second), width)
    if other is None:
        return None
    where = rng.choice(["behind", "below", "above"])
    if where == "behind":
        shift = snap(rng.uniform(low, high - width))
        return rooms + [
            (k, (-across - x1, shift + z0, -across - x0, shift + z1)) for k, (x0, z0, x1, z1) in other.rooms
        ]
    shift = snap(rng.uniform(-across, -width))
    if where == "below":
        return rooms + [(k, (shift + z0, low - x1, shift + z1, low - x0)) for k, (x0, z0, x1, z1) in other.rooms]
    return rooms + [(k, (shift + z0, high + x0, shift + z1, high + x1)) for k, (x0, z0, x1, z1) in other.rooms]


def _two_rows(rng: np.random.Generator, rooms: list[RoomArea]) -> tuple[list[RoomArea], list[RoomArea]]:
    """Divide the rooms of a wing between both sides of its corridor. Few rooms may all lie on one side."""
    if len(rooms) <= 2 and rng.random() < 0.5:
        return rooms, []
    one: list[RoomArea] = []
    two: list[RoomArea] = []
    for room in sorted(rooms, key=lambda r: -r[1]):
        shorter = one if sum(a for _, a in one) <= sum(a for _, a in two) else two
        shorter.append(room)
    return one, two


def _wing(rng: np.random.Generator, near: list[RoomArea], far: list[RoomArea], width: float) -> _Wing | None:
    """Rooms on both sides of a corridor of `width` metres. None if the two sides differ too much in length."""
    depth_near = _depth(rng, near)
    depth_far = _depth(rng, far) if far else 0.0
    lengths = [sum(a for _, a in row) / d for row, d in ((near, depth_near), (far, depth_far)) if row]
    length = snap(max(lengths))
    if len(lengths) == 2 and min(lengths) < 0.72 * max(lengths):
        return None
    rooms: list[PlacedRoom] = [("hallway", (0.0, 0.0, length, width))]
    rooms += [(k, (x0, -z1, x1, -z0)) for k, (x0, z0, x1, z1) in _row(rng, near, length, depth_near)]
    rooms += [(k, (x0, width + z0, x1, width + z1)) for k, (x0, z0, x1, z1) in _row(rng, far, length, depth_far)]
    return _Wing(rooms, round(-depth_near, 4), round(width + depth_far, 4))


def _depth(rng: np.random.Generator, row: list[RoomArea]) -> float:
    """Depth of a row (metres), from the area of its largest room."""
    return snap(np.clip(np.sqrt(max(area for _, area in row)) * rng.uniform(0.85, 1.2), 2.6, 6.5))


def _row(rng: np.random.Generator, rooms: list[RoomArea], length: float, depth: float) -> list[PlacedRoom]:
    """Rooms side by side along `length`, with z from 0 at the corridor to `depth` (metres).

    A bathroom may lie behind a small room.
    """
    if not rooms:
        return []
    rooms = [rooms[k] for k in rng.permutation(len(rooms))]
    cells: list[list[RoomArea]] = []
    small = [room for room in rooms if RULES[room[0]].zone == "closet"]
    baths = [room for room in small if room[0] == "bathroom"]
    bedrooms = [room for room in rooms if room[0] == "bedroom"]
    stacked = len(small) >= 2 and baths and bedrooms and depth > 3.6 and rng.random() < 0.8
    if stacked:
        back = baths[0]
        front = next(room for room in small if room is not back)
        rest = [room for room in rooms if room is not back and room is not front]
        for room in rest:
            cells.append([room])
            if room is bedrooms[0]:
                cells.append([front, back])
    else:
        cells = [[room] for room in rooms]
    shares = [max(sum(a for _, a in cell) / depth, max(RULES[k].side for k, _ in cell)) for cell in cells]
    placed: list[PlacedRoom] = []
    x, total = 0.0, 0.0
    for number, (cell, share) in enumerate(zip(cells, shares, strict=True)):
        total += share
        end = length if number == len(cells) - 1 else snap(length * total / sum(shares))
        if len(cell) == 1:
            placed.append((cell[0][0], (x, 0.0, end, depth)))
        else:
            cut = snap(depth * cell[0][1] / (cell[0][1] + cell[1][1]))
            placed += [(cell[0][0], (x, 0.0, end, cut)), (cell[1][0], (x, cut, end, depth))]
        x = end
    return placed


def _public_first(room: PlacedRoom) -> tuple[int, float]:
    kind, rect = room
    return int(RULES[kind].zone != "public" or kind == "hallway"), -_area(rect)


def _is_valid(rooms: list[PlacedRoom]) -> bool:
    """Whether all sizes and proportions are within the rules of their kinds and no rooms overlap."""
    rects = [rect for _, rect in rooms]
    if max(r[2] for r in rects) - min(r[0] for r in rects) > MAX_EXTENT:
        return False
    if max(r[3] for r in rects) - min(r[1] for r in rects) > MAX_EXTENT:
        return False
    for number, (kind, (x0, z0, x1, z1)) in enumerate(rooms):
        short, long = sorted((x1 - x0, z1 - z0))
        rule = RULES[kind]
        if short < rule.side or (kind != "hallway" and long > (2.0 if rule.daylight else 2.6) * short):
            return False
        if not 0.8 * rule.area[0] <= short * long <= 1.35 * rule.area[1] + 1e-9 and kind != "hallway":
            return False
        for other_x0, other_z0, other_x1, other_z1 in rects[number + 1 :]:
            if min(x1, other_x1) - max(x0, other_x0) > 1e-6 and min(z1, other_z1) - max(z0, other_z0) > 1e-6:
                return False
    return True


def _oriented(rooms: list[PlacedRoom], turn: int) -> list[PlacedRoom]:
    """One of the eight rotations and reflections of a plan. turn: 0 to 7"""
    if turn & 1:
        rooms = [(k, (z0, x0, z1, x1)) for k, (x0, z0, x1, z1) in rooms]
    if turn & 2:
        rooms = [(k, (-x1, z0, -x0, z1)) for k, (x0, z0, x1, z1) in rooms]
    if turn & 4:
        rooms = [(k, (x0, -z1, x1, -z0)) for k, (x0, z0, x1, z1) in rooms]
    return rooms


def _shifted_to_origin(rooms: list[PlacedRoom]) -> list[PlacedRoom]:
    """Shift the plan so that its lowest corner is at the origin. All coordinates are exact multiples of the grid."""
    x, z = min(r[0] for _, r in rooms), min(r[1] for _, r in rooms)
    return [(k, (snap(r[0] - x), snap(r[1] - z), snap(r[2] - x), snap(r[3] - z))) for k, r in rooms]


def _area(rect: Rect) -> float:
    return (rect[2] - rect[0]) * (rect[3] - rect[1])
