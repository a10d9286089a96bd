"""Draw doors and windows: which rooms are connected, how, and where the windows are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.scenes.houses.layout import PlacedRoom
from avw.sim_bridge.scenes.houses.room_list import RULES
from avw.sim_bridge.scenes.houses.treemap import snap

DOOR_HEIGHT = 2.1
MARGIN = 0.25  # least length of wall beside a door, metres
MIN_SHARED_WALL = 1.4  # least length of shared wall for a door, metres
_OPEN_PLAN = {"living", "living kitchen", "kitchen", "dining", "hallway", "reception", "open office"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """A hole in a wall. With `axis` "x" the wall runs along x at z = `line`; with "z" it runs along z at x = `line`.

    kind: "door", "arch" (wide, without a leaf), "window" or "entrance" (the front door, always closed)
    start, end: metres along the wall · bottom, top: metres above the floor
    rooms: indices of the two rooms that a door or arch connects; of a window or entrance, its room and -1
    leaf: index of the room that the open leaf stands in, -1 if there is no leaf · hinge: at "start" or "end"
    """

    kind: str
    axis: str
    line: float
    start: float
    end: float
    bottom: float
    top: float
    rooms: tuple[int, int]
    leaf: int = -1
    hinge: str = "start"


@dataclass(frozen=True, slots=True)
class _SharedWall:
    """A stretch of wall between rooms i and j; fields as in `Opening`."""

    i: int
    j: int
    axis: str
    line: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class _OuterWall:
    """A stretch of outer wall of room i; fields as in `Opening`."""

    i: int
    axis: str
    line: float
    start: float
    end: float


def draw_openings(rng: np.random.Generator, rooms: list[PlacedRoom], building: str) -> list[Opening] | None:
    """Draw doors, a front door and windows. None if these rooms allow no valid set.

    Valid means: the doors connect all rooms, no route leads through a room that is not for passage, every room that
    needs daylight has an outer wall for a window, and one of the outer walls has space for the front door.
    """
    doors = _doors(rng, rooms)
    if doors is None:
        return None
    outer = _outer_walls(rooms)
    for index, (kind, _) in enumerate(rooms):
        if RULES[kind].daylight and not any(o.i == index and o.end - o.start > 1.6 for o in outer):
            return None
    entrance = _entrance(rng, rooms, outer)
    if entrance is None:
        return None
    return [*doors, entrance, *_windows(rng, rooms, outer, entrance, building)]


def _shared_walls(rooms: list[PlacedRoom], least: float) -> list[_SharedWall]:
    """All stretches of wall between two rooms that are at least `least` metres long."""
    found = []
    for i, (_, a) in enumerate(rooms):
        for j in range(i + 1, len(rooms)):
            b = rooms[j][1]
            for axis, side, other in (("x", 1, 0), ("z", 0, 1)):
                start, end = max(a[other], b[other]), min(a[other + 2], b[other + 2])
                for line, opposite in ((a[side + 2], b[side]), (a[side], b[side + 2])):
                    if line == opposite and end - start >= least:
                        found.append(_SharedWall(i, j, axis, line, start, end))
    return found


def _door_cost(a: str, b: str) -> float | None:
    """Cost of a door between two kinds of room (low: preferred); None if such a door is not allowed."""
    zone_a, zone_b = RULES[a].zone, RULES[b].zone
    if {zone_a, zone_b} == {"public"}:
        return 0.0
    if "hallway" in (a, b):
        return 0.1
    if {a, b} == {"bathroom", "bedroom"}:
        return 0.9
    if "kitchen" in (a, b):
        return 0.8 if {a, b} & {"storage", "laundry"} else None
    if "public" in (zone_a, zone_b):
        return 1.2 if "closet" in (zone_a, zone_b) else 0.7
    return None


def _doors(rng: np.random.Generator, rooms: list[PlacedRoom]) -> list[Opening] | None:
    """Doors along a minimum spanning tree in which private rooms and closets are leaves, and extra doors between
    public rooms. None if the rooms cannot be connected, or if every bathroom is reached only through a bedroom.
    """
    kinds = [kind for kind, _ in rooms]
    walls = _shared_walls(rooms, MIN_SHARED_WALL)
    ranked = []
    for wall in walls:
        cost = _door_cost(kinds[wall.i], kinds[wall.j])
        if cost is not None:
            ranked.append((cost + 0.5 * rng.random() - 0.05 * min(wall.end - wall.start, 4.0), wall))
    ranked.sort(key=lambda pair: pair[0])
    group = list(range(len(rooms)))
    count = [0] * len(rooms)
    doors = []
    for _, wall in ranked:
        i, j = wall.i, wall.j
        public = RULES[kinds[i]].zone == RULES[kinds[j]].zone == "public"
        joins = group[i] != group[j]
        full = any(RULES[kinds[k]].zone != "public" and count[k] > 0 for k in (i, j))
        if {kinds[i], kinds[j]} == {"bathroom", "bedroom"}:  # an en-suite bathroom, if the bedroom has a door already
            bath, bed = (i, j) if kinds[i] == "bathroom" else (j, i)
            full = count[bath] > 0 or count[bed] == 0
        if (joins and not full) or (public and not joins and rng.random() < 0.3):
            doors.append(_door(rng, wall, kinds, rooms))
            count[i] += 1
            count[j] += 1
            group = [group[i] if g == group[j] else g for g in group]
    if len(set(group)) > 1:
        return None
    shared_bath = any(
        {kinds[k] for k in d.rooms} & {"bathroom", "toilet", "restroom"}
        and "bedroom" not in {kinds[k] for k in d.rooms}
        for d in doors
    )
    return doors if shared_bath else None


def _door(rng: np.random.Generator, wall: _SharedWall, kinds: list[str], rooms: list[PlacedRoom]) -> Opening:
    pair = {kinds[wall.i], kinds[wall.j]}
    span = wall.end - wall.start
    wide = pair <= _OPEN_PLAN and span > 2.2 and rng.random() < 0.65
    narrow = bool(pair & {"toilet", "storage", "bathroom", "laundry"})
    width = snap(min(rng.uniform(1.5, 2.9), span - 0.7) if wide else 0.85 if narrow else rng.uniform(0.9, 1.0))
    # Doors are often near corners: a beta distribution with most of its weight at both ends.
    share = rng.beta(0.5, 0.5)
    start = snap(wall.start + MARGIN + share * (span - 2 * MARGIN - width))
    leaf = -1
    if not wide and rng.random() < 0.72:
        # The leaf opens into the room rather than into the hallway, if the room is large enough for it.
        for index in sorted((wall.i, wall.j), key=lambda k: kinds[k] == "hallway"):
            x0, z0, x1, z1 = rooms[index][1]
            if min(x1 - x0, z1 - z0) >= 2.2 and kinds[index] != "hallway":
                leaf = index
                break
    return Opening(
        kind="arch" if wide else "door",
        axis=wall.axis,
        line=wall.line,
        start=start,
        end=round(start + width, 4),
        bottom=0.0,
        top=2.25 if wide else DOOR_HEIGHT,
        rooms=(wall.i, wall.j),
        leaf=leaf,
        hinge="start" if share < 0.5 else "end",
    )


def _outer_walls(rooms: list[PlacedRoom]) -> list[_OuterWall]:
    """The stretches of wall that belong to one room only."""
    inner = _shared_walls(rooms, 1e-6)
    found = []
    for k, (_, r) in enumerate(rooms):
        for axis, line, low, high in (
            ("x", r[1], r[0], r[2]),
            ("x", r[3], r[0], r[2]),
            ("z", r[0], r[1], r[3]),
            ("z", r[2], r[1], r[3]),
        ):
            taken = sorted((w.start, w.end) for w in inner if k in (w.i, w.j) and w.axis == axis and w.line == line)
            start = low
            for busy_start, busy_end in [*taken, (high, high)]:
                if busy_start - start > 0.3:
                    found.append(_OuterWall(k, axis, line, start, busy_start))
                start = max(start, busy_end)
    return found


def _entrance(rng: np.random.Generator, rooms: list[PlacedRoom], outer: list[_OuterWall]) -> Opening | None:
    """The front door: preferably of the hallway or reception, otherwise of another public room with an outer wall."""
    preference = {
        "hallway": 0,
        "reception": 0,
        "living": 1,
        "living kitchen": 1,
        "open office": 1,
        "kitchen": 2,
        "dining": 2,
    }
    walls = [o for o in outer if rooms[o.i][0] in preference and o.end - o.start >= 1.25]
    if not walls:
        return None
    wall = min(walls, key=lambda o: preference[rooms[o.i][0]] + 0.5 * rng.random())
    start = snap(wall.start + 0.15 + rng.random() * (wall.end - wall.start - 1.25))
    return Opening(
        kind="entrance",
        axis=wall.axis,
        line=wall.line,
        start=start,
        end=round(start + 0.95, 4),
        bottom=0.0,
        top=DOOR_HEIGHT,
        rooms=(wall.i, -1),
    )


def _windows(
    rng: np.random.Generator, rooms: list[PlacedRoom], outer: list[_OuterWall], entrance: Opening, building: str
) -> list[Opening]:
    """Windows in the outer walls, with the same proportions for the whole building."""
    top = snap(rng.uniform(2.05, 2.3))
    sill = snap(rng.uniform(0.7, 1.0))
    share = rng.uniform(0.7, 0.85) if building == "office" else rng.uniform(0.42, 0.62)
    tall = 0.0 if building == "office" else 0.35
    windows = []
    for wall in outer:
        start, end = wall.start, wall.end
        if wall.i == entrance.rooms[0] and wall.axis == entrance.axis and wall.line == entrance.line:
            left, right = entrance.start - start, end - entrance.end
            if start - 1e-6 <= entrance.start <= end:
                start, end = (start, entrance.start) if left > right else (entrance.end, end)
        span = end - start
        kind = rooms[wall.i][0]
        small = kind in ("bathroom", "toilet", "restroom", "laundry", "storage", "copy room")
        if span < (1.1 if small else 1.5) or rng.random() < (0.35 if small else 0.12):
            continue
        count = max(1, round(span / rng.uniform(2.6, 4.2))) if not small else 1
        french = kind in ("living", "living kitchen", "dining", "bedroom") and rng.random() < tall
        bottom = snap(1.35) if small else 1.1 if kind == "kitchen" else 0.1 if french else sill
        for n in range(count):
            cell = span / count
            width = snap(min((share + rng.uniform(-0.05, 0.05)) * cell, 0.8 if small else 3.2, cell - 0.5))
            if width < 0.4:
                continue
            first = snap(start + cell * n + (cell - width) / 2)
            windows.append(
                Opening(
                    kind="window",
                    axis=wall.axis,
                    line=wall.line,
                    start=first,
                    end=round(first + width, 4),
                    bottom=bottom,
                    top=top,
                    rooms=(wall.i, -1),
                )
            )
    return windows
