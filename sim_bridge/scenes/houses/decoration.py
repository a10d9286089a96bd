"""What comes onto the walls of a furnished room: radiators, curtains, pictures, shelves, switches."""

from __future__ import annotations

from contextlib import AbstractContextManager

from avw.sim_bridge.scenes.houses.furniture import wall_things as walls
from avw.sim_bridge.scenes.houses.furniture.piece import Rng, Top
from avw.sim_bridge.scenes.houses.furniture.wall_things import Hanging
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.room_contents import ON_WALLS
from avw.sim_bridge.scenes.houses.room_floor import SIDES, RoomFloor, Taken
from avw.sim_bridge.scenes.houses.style import Style

Filled = tuple[AbstractContextManager[None], tuple[Top, ...]]  # a frame, and the tops in it
_BARE = ("bathroom", "kitchen", "toilet", "laundry", "storage", "copy room", "restroom")  # no curtains there
_PLAIN = ("open office", "office", "meeting room", "break room", "reception")  # blinds there


def hang_radiators(builder: MeshBuilder, style: Style, floor: RoomFloor, rng: Rng) -> None:
    """Under most windows; before the furniture, which keeps off them."""
    for side in SIDES:
        for window in [t for t in floor.taken[side] if t.what == "window" and t.low > 0.6]:
            width = min(window.end - window.start - 0.3, 1.4)
            if width < 0.4 or rng.random() < (0.75 if floor.room.kind in ("kitchen", "living kitchen") else 0.35):
                continue
            middle = (window.start + window.end) / 2
            _hang(builder, floor, side, middle - width / 2, walls.radiator(style, rng, width))
            floor.block(floor.strip(side, middle - width / 2, middle + width / 2, 0.0, 0.12))


def decorate(builder: MeshBuilder, style: Style, floor: RoomFloor, height: float, rng: Rng) -> list[Filled]:
    """Everything else; returns the shelves on which small things may stand."""
    kind = floor.room.kind
    dressing = None if kind in _BARE else "blind" if kind in _PLAIN or rng.random() < 0.2 else "curtain"
    dressing = dressing if rng.random() < 0.8 else None
    shelves: list[Filled] = []
    for side in SIDES:
        for taken in list(floor.taken[side]):
            if taken.what == "window" and dressing is not None:
                _dress_window(builder, style, floor, side, taken, height, dressing)
            if taken.what == "door" and rng.random() < 0.8:
                _put_switch(builder, style, floor, side, taken, rng)
        makers = ON_WALLS[kind]
        for _ in range(max(1, round(floor.length(side) / 1.8)) if makers else 0):
            if rng.random() < 0.8:
                thing = makers[int(rng.integers(len(makers)))](style, rng)
                shelf = _hang_somewhere(builder, floor, side, thing, rng)
                if shelf is not None and thing.tops:
                    shelves.append((shelf, thing.tops))
    return shelves


def _hang(
    builder: MeshBuilder, floor: RoomFloor, side: str, start: float, thing: Hanging
) -> AbstractContextManager[None]:
    end = start + thing.width
    floor.taken[side].append(Taken(start, end, thing.low, thing.high, thing.name))
    with floor.on_wall(builder, side, start, end), builder.item(thing.name):
        thing.draw(builder)
    return floor.on_wall(builder, side, start, end)


def _hang_somewhere(
    builder: MeshBuilder, floor: RoomFloor, side: str, thing: Hanging, rng: Rng
) -> AbstractContextManager[None] | None:
    slack = floor.length(side) - thing.width - 0.5
    if slack < 0:
        return None
    for _ in range(4):
        start = 0.25 + slack * float(rng.random())
        end = start + thing.width
        if floor.wall_is_free(side, start, end, thing.low, thing.high, gap=0.08) and (
            floor.height_before(side, start, end, thing.depth + 0.02) < thing.low
        ):
            return _hang(builder, floor, side, start, thing)
    return None


def _dress_window(
    builder: MeshBuilder, style: Style, floor: RoomFloor, side: str, window: Taken, height: float, dressing: str
) -> None:
    """Curtains on both sides of a window where the wall is free there, or a blind over its upper third."""
    start, end, top = window.start + 0.1, window.end - 0.1, window.high - 0.1
    if dressing == "blind":
        with floor.on_wall(builder, side, start, end), builder.item("blind"):
            walls.draw_blind(builder, style, end - start, top + 0.04, top - 0.35 * (top - window.low))
        return
    above = min(top + 0.12, height - 0.04)
    width = min(0.34, 0.16 + 0.12 * (end - start))
    hung = []
    for first in (start - width + 0.05, end - 0.05):
        clear = all(
            t is window or not (first < t.end and first + width > t.start and t.high > 0.15) for t in floor.taken[side]
        )
        clear = clear and floor.height_before(side, first, first + width, 0.14) < 0.04
        if first < 0.03 or first + width > floor.length(side) - 0.03 or not clear:
            continue
        with floor.on_wall(builder, side, first, first + width), builder.item("curtain"):
            walls.draw_curtain(builder, style, width, above, 0.04)
        hung.append(first)
    for first in hung:
        floor.taken[side].append(Taken(first, first + width, 0.0, above, "curtain"))
    if len(hung) == 2:
        first, last = hung[0] - 0.03, hung[1] + width + 0.03
        with floor.on_wall(builder, side, first, last), builder.item("curtain rod"):
            walls.draw_rod(builder, style, 0.0, last - first, above + 0.002)


def _put_switch(builder: MeshBuilder, style: Style, floor: RoomFloor, side: str, door: Taken, rng: Rng) -> None:
    thing = walls.light_switch(style, rng)
    for start in (door.end + 0.06, door.start - 0.06 - thing.width):
        inside = 0.05 < start < floor.length(side) - 0.05 - thing.width
        if inside and floor.wall_is_free(side, start, start + thing.width, thing.low, thing.high, gap=0.02):
            _hang(builder, floor, side, start, thing)
            return
