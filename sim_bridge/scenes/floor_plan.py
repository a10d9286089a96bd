"""Floor plans: a rectangle divided into 4-7 rooms, doors that connect them all, and windows to the outside."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sim_bridge.scenes.scene import Room

GRID = 0.05  # metres; every wall and opening lies on it
MIN_SIDE = 2.3
DOOR_HEIGHT = 2.1
WET_KINDS = ("bathroom", "kitchen")


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """A hole in a wall. The wall lies at `line` on `axis` ("x": it runs along x at z = line; "z": along z at x).

    start, end: metres along the wall · bottom, top: metres above the floor
    rooms: the two rooms that a door or arch joins; for a window the room and -1
    """

    kind: str
    axis: str
    line: float
    start: float
    end: float
    bottom: float
    top: float
    rooms: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class FloorPlan:
    """Rooms share walls; each rectangle reaches to the middle of its walls."""

    rooms: tuple[Room, ...]
    openings: tuple[Opening, ...]
    height: float


@dataclass(frozen=True, slots=True)
class _Shared:
    """The stretch of wall between rooms i and j."""

    i: int
    j: int
    axis: str
    line: float
    start: float
    end: float


_Rect = tuple[float, float, float, float]  # min_x, min_z, max_x, max_z


def draw_floor_plan(rng: np.random.Generator) -> FloorPlan:
    """A plan with 4-7 connected rooms on 62-118 m². Draws again until one satisfies every rule."""
    while True:
        n_rooms = int(rng.integers(4, 8))
        area = rng.uniform(max(62.0, 14.0 * n_rooms), min(118.0, 21.0 * n_rooms))
        aspect = rng.uniform(0.72, 1.38)
        width, depth = _snap(np.sqrt(area * aspect)), _snap(np.sqrt(area / aspect))
        style = rng.choice(["divided", "corridor", "corner"], p=[0.4, 0.3, 0.3])
        if style == "corridor" and n_rooms >= 5:
            rects = _corridor(rng, width, depth, n_rooms)
        elif style == "corner":
            rects = _drop_corner(rng, _divide(rng, (0.0, 0.0, width, depth), n_rooms + 1), width, depth)
        else:
            rects = _divide(rng, (0.0, 0.0, width, depth), n_rooms)
        if (
            rects is None
            or sum(_area(r) for r in rects) < 58.0
            or min(map(_area, rects)) < 5.5
            or max(map(_area, rects)) < 15.0
        ):
            continue
        kinds = _kinds(rng, rects)
        doors = _doors(rng, rects, kinds)
        if doors is None:
            continue
        rooms = tuple(
            Room(kind=k, min_x=r[0], min_z=r[1], max_x=r[2], max_z=r[3]) for k, r in zip(kinds, rects, strict=True)
        )
        windows = _windows(rng, rects, kinds)
        height = round(float(rng.uniform(2.45, 2.85)), 2)
        return FloorPlan(rooms=rooms, openings=tuple(doors + windows), height=height)


def _snap(value: float) -> float:
    return round(round(float(value) / GRID) * GRID, 4)


def _area(rect: _Rect) -> float:
    return (rect[2] - rect[0]) * (rect[3] - rect[1])


def _divide(rng: np.random.Generator, rect: _Rect, n: int) -> list[_Rect] | None:
    """`rect` cut by straight walls into `n` rooms of at least MIN_SIDE, or None where they do not fit."""
    if n == 1:
        return [rect]
    size = rect[2] - rect[0], rect[3] - rect[1]
    across = 0 if rng.random() < size[0] ** 2 / (size[0] ** 2 + size[1] ** 2) else 1
    first = n // 2 if n < 4 or rng.random() < 0.5 else int(rng.integers(1, n))
    low, high = MIN_SIDE, size[across] - MIN_SIDE
    if high < low:
        return None
    cut = rect[across] + _snap(np.clip(size[across] * (first / n + rng.uniform(-0.12, 0.12)), low, high))
    cut = round(cut, 4)
    x0, z0, x1, z1 = rect
    low_part, high_part = (
        ((x0, z0, cut, z1), (cut, z0, x1, z1)) if across == 0 else ((x0, z0, x1, cut), (x0, cut, x1, z1))
    )
    one, two = _divide(rng, low_part, first), _divide(rng, high_part, n - first)
    return None if one is None or two is None else one + two


def _corridor(rng: np.random.Generator, width: float, depth: float, n: int) -> list[_Rect] | None:
    """A hall from wall to wall with rooms on both sides; turned by 90 degrees half of the time."""
    turned = rng.random() < 0.5
    along, across = (depth, width) if turned else (width, depth)
    hall = _snap(rng.uniform(1.45, 1.9))
    start = _snap((across - hall) * rng.uniform(0.42, 0.58))
    above = (n - 1) // 2
    rects: list[_Rect] = [(0.0, start, along, round(start + hall, 4))]
    for low, high, count in ((0.0, start, above), (round(start + hall, 4), across, n - 1 - above)):
        shares = rng.uniform(0.75, 1.35, count)
        cuts = [0.0, *(_snap(c) for c in np.cumsum(shares / shares.sum())[:-1] * along), along]
        rects += [(a, low, b, high) for a, b in pairwise(cuts)]
    if min(min(r[2] - r[0], r[3] - r[1]) for r in rects[1:]) < MIN_SIDE:
        return None
    return [(z0, x0, z1, x1) for x0, z0, x1, z1 in rects] if turned else rects


def _drop_corner(rng: np.random.Generator, rects: list[_Rect] | None, width: float, depth: float) -> list[_Rect] | None:
    """The plan without one of its smaller corner rooms, so that the house is L-shaped."""
    if rects is None:
        return None
    small = [
        k
        for k, r in enumerate(rects)
        if (r[0] == 0.0 or r[2] == width) and (r[1] == 0.0 or r[3] == depth) and _area(r) < 0.24 * width * depth
    ]
    if not small:
        return None
    gone = int(rng.choice(small))
    return [r for k, r in enumerate(rects) if k != gone]


def _kinds(rng: np.random.Generator, rects: list[_Rect]) -> list[str]:
    """What each room is for: the largest is lived in, the smallest is the bathroom, strips are halls."""
    kinds = [""] * len(rects)
    for k, r in enumerate(rects):
        sides = sorted((r[2] - r[0], r[3] - r[1]))
        if sides[0] < 2.0:
            kinds[k] = "hall"
    free = sorted((k for k in range(len(rects)) if not kinds[k]), key=lambda k: _area(rects[k]))
    kinds[free.pop()] = "living"
    kinds[free.pop(0)] = "bathroom"
    living = rects[kinds.index("living")]
    beside = [k for k in free if _touch(living, rects[k])]
    kitchen = int(rng.choice(beside or free))
    kinds[kitchen] = "kitchen"
    free.remove(kitchen)
    rest = ["bedroom", *rng.permutation(["bedroom", "study", "dining", "playroom", "study"])]
    for k, kind in zip(rng.permutation(free), rest, strict=False):
        kinds[int(k)] = str(kind)
    return kinds


def _touch(a: _Rect, b: _Rect) -> bool:
    return bool(_shared([a, b], 1.3))


def _shared(rects: list[_Rect], least: float) -> list[_Shared]:
    """Every stretch of wall of at least `least` metres between two rooms."""
    found = []
    for i, a in enumerate(rects):
        for j in range(i + 1, len(rects)):
            b = rects[j]
            for axis, side, other in (("x", 1, 0), ("z", 0, 1)):
                start, end = max(a[other], b[other]), min(a[other + 2], b[other + 2])
                for line, opposite in ((a[side + 2], b[side]), (a[side], b[side + 2])):
                    if line == opposite and end - start >= least:
                        found.append(_Shared(i, j, axis, line, start, end))
    return found


def _doors(rng: np.random.Generator, rects: list[_Rect], kinds: list[str]) -> list[Opening] | None:
    """A spanning tree of doors that prefers halls and living rooms, and a few more; None if a room stays apart."""
    walls = _shared(rects, 1.3)
    cost = [rng.random() + sum(_reluctance(kinds[k]) for k in (w.i, w.j)) for w in walls]
    group = list(range(len(rects)))
    doors = []
    for k in np.argsort(cost, kind="stable"):
        wall = walls[k]
        pair = {kinds[wall.i], kinds[wall.j]}
        joins = group[wall.i] != group[wall.j]
        if joins or ("bathroom" not in pair and rng.random() < 0.3):
            doors.append(_door(rng, wall, pair))
            group = [group[wall.i] if g == group[wall.j] else g for g in group]
    return doors if len(set(group)) == 1 else None


def _reluctance(kind: str) -> float:
    return {"hall": 0.0, "living": 0.3, "bathroom": 1.5, "bedroom": 0.8}.get(kind, 0.6)


def _door(rng: np.random.Generator, wall: _Shared, pair: set[str]) -> Opening:
    span = wall.end - wall.start
    open_plan = pair <= {"living", "kitchen", "dining", "hall"} and span > 2.2 and rng.random() < 0.6
    width = _snap(min(rng.uniform(1.4, 2.4), span - 0.7) if open_plan else rng.uniform(0.9, 1.05))
    margin = 0.25
    # Doors like corners: a beta distribution with its weight at both ends.
    start = _snap(wall.start + margin + rng.beta(0.6, 0.6) * (span - 2 * margin - width))
    return Opening(
        kind="arch" if open_plan else "door",
        axis=wall.axis,
        line=wall.line,
        start=start,
        end=round(start + width, 4),
        bottom=0.0,
        top=2.25 if open_plan else DOOR_HEIGHT,
        rooms=(wall.i, wall.j),
    )


def _windows(rng: np.random.Generator, rects: list[_Rect], kinds: list[str]) -> list[Opening]:
    """Windows in the stretches of wall that no other room shares."""
    inner = _shared(rects, 0.0)
    windows = []
    for k, r in enumerate(rects):
        for axis, line, low, high in (
            ("x", r[1], r[0], r[2]),
            ("x", r[3], r[0], r[2]),
            ("z", r[0], r[1], r[3]),
            ("z", r[2], r[1], r[3]),
        ):
            taken = sorted((w.start, w.end) for w in inner if k in (w.i, w.j) and w.axis == axis and w.line == line)
            start = low
            for busy_start, busy_end in [*taken, (high, high)]:
                windows += _windows_between(rng, k, kinds[k], axis, line, start, busy_start)
                start = max(start, busy_end)
    return windows


def _windows_between(
    rng: np.random.Generator, room: int, kind: str, axis: str, line: float, start: float, end: float
) -> list[Opening]:
    span = end - start
    if span < 1.7 or rng.random() < 0.15:
        return []
    count = 2 if span > 4.4 and rng.random() < 0.6 else 1
    widest = 0.9 if kind == "bathroom" else 2.2
    bottom = {"bathroom": 1.35, "kitchen": 1.1, "living": 0.75}.get(kind, 0.85)
    windows = []
    for n in range(count):
        cell_start, cell = start + span * n / count, span / count
        width = _snap(min(rng.uniform(0.45, 0.62) * cell, widest))
        first = _snap(cell_start + (cell - width) * rng.uniform(0.4, 0.6))
        windows.append(
            Opening(
                kind="window",
                axis=axis,
                line=line,
                start=first,
                end=round(first + width, 4),
                bottom=bottom,
                top=2.15,
                rooms=(room, -1),
            )
        )
    return windows
