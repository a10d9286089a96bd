"""Place radiators, curtains, pictures, shelves and light switches on the walls of a room."""

from __future__ import annotations

from contextlib import AbstractContextManager

from avw.sim_bridge.scenes.houses.furniture import wall_items as walls
from avw.sim_bridge.scenes.houses.furniture.piece import Rng, Top
from avw.sim_bridge.scenes.houses.furniture.wall_items import WallItem
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.room_contents import WALL_ITEMS
from avw.sim_bridge.scenes.houses.room_floor import SIDES, RoomFloor, WallSpan
from avw.sim_bridge.scenes.houses.style import Style

ShelfTops = tuple[AbstractContextManager[None], tuple[Top, ...]]  # the frame of a wall item, and the tops in that frame
_NO_WINDOW_COVER = ("bathroom", "kitchen", "toilet", "laundry", "storage", "copy room", "restroom")
_BLINDS = ("open office", "office", "meeting room", "break room", "reception")  # rooms with blinds instead of curtains


def hang_radiators(builder: MeshBuilder, style: Style, floor: RoomFloor, rng: Rng) -> None:
    """Place radiators under some of the windows.

    Call this before the furniture is placed: the floor under a radiator is blocked for furniture.
    """
    for side in SIDES:
        for window in [t for t in floor.wall_spans[side] if t.kind == "window" and t.low > 0.6]:
            width = min(window.end - window.start - 0.3, 1.4)
            if width < 0.4 or rng.random() < (0.75 if floor.room.kind in ("kitchen", "living kitchen") else 0.35):
                continue
            middle = (window.start + window.end) / 2
            _hang(builder, floor, side, middle - width / 2, walls.radiator(style, rng, width))
            floor.block(floor.strip(side, middle - width / 2, middle + width / 2, 0.0, 0.12))


def decorate(builder: MeshBuilder, style: Style, floor: RoomFloor, height: float, rng: Rng) -> list[ShelfTops]:
    """Place everything else on the walls: curtains or blinds, light switches, pictures, shelves.

    height: metres from floor to ceiling. Returns the wall shelves on which small items may stand.
    """
    kind = floor.room.kind
    cover = None if kind in _NO_WINDOW_COVER else "blind" if kind in _BLINDS or rng.random() < 0.2 else "curtain"
    cover = cover if rng.random() < 0.8 else None
    shelves: list[ShelfTops] = []
    for side in SIDES:
        for span in list(floor.wall_spans[side]):
            if span.kind == "window" and cover is not None:
                _cover_window(builder, style, floor, side, span, height, cover)
            if span.kind == "door" and rng.random() < 0.8:
                _put_switch(builder, style, floor, side, span, rng)
        makers = WALL_ITEMS[kind]
        for _ in range(max(1, round(floor.length(side) / 1.8)) if makers else 0):
            if rng.random() < 0.8:
                item = makers[int(rng.integers(len(makers)))](style, rng)
                shelf = _hang_at_free_place(builder, floor, side, item, rng)
                if shelf is not None and item.tops:
                    shelves.append((shelf, item.tops))
    return shelves


def _hang(
    builder: MeshBuilder, floor: RoomFloor, side: str, start: float, item: WallItem
) -> AbstractContextManager[None]:
    end = start + item.width
    floor.wall_spans[side].append(WallSpan(start, end, item.low, item.high, item.name))
    with floor.on_wall(builder, side, start, end), builder.item(item.name):
        item.draw(builder)
    return floor.on_wall(builder, side, start, end)


def _hang_at_free_place(
    builder: MeshBuilder, floor: RoomFloor, side: str, item: WallItem, rng: Rng
) -> AbstractContextManager[None] | None:
    slack = floor.length(side) - item.width - 0.5
    if slack < 0:
        return None
    for _ in range(4):
        start = 0.25 + slack * float(rng.random())
        end = start + item.width
        if floor.wall_is_free(side, start, end, item.low, item.high, gap=0.08) and (
            floor.height_in_front(side, start, end, item.depth + 0.02) < item.low
        ):
            return _hang(builder, floor, side, start, item)
    return None


def _cover_window(
    builder: MeshBuilder, style: Style, floor: RoomFloor, side: str, window: WallSpan, height: float, cover: str
) -> None:
    """Hang a curtain on each side of a window where the wall is free, or a blind over its upper third."""
    start, end, top = window.start + 0.1, window.end - 0.1, window.high - 0.1
    if cover == "blind":
        with floor.on_wall(builder, side, start, end), builder.item("blind"):
            walls.draw_blind(builder, style, end - start, top + 0.04, top - 0.35 * (top - window.low))
        return
    above = min(top + 0.12, height - 0.04)
    width = min(0.34, 0.16 + 0.12 * (end - start))
    hung = []
    for first in (start - width + 0.05, end - 0.05):
        clear = all(
            t is window or not (first < t.end and first + width > t.start and t.high > 0.15)
            for t in floor.wall_spans[side]
        )
        clear = clear and floor.height_in_front(side, first, first + width, 0.14) < 0.04
        if first < 0.03 or first + width > floor.length(side) - 0.03 or not clear:
            continue
        with floor.on_wall(builder, side, first, first + width), builder.item("curtain"):
            walls.draw_curtain(builder, style, width, above, 0.04)
        hung.append(first)
    for first in hung:
        floor.wall_spans[side].append(WallSpan(first, first + width, 0.0, above, "curtain"))
    if len(hung) == 2:
        first, last = hung[0] - 0.03, hung[1] + width + 0.03
        with floor.on_wall(builder, side, first, last), builder.item("curtain rod"):
            walls.draw_rod(builder, style, 0.0, last - first, above + 0.002)


def _put_switch(builder: MeshBuilder, style: Style, floor: RoomFloor, side: str, door: WallSpan, rng: Rng) -> None:
    item = walls.light_switch(style, rng)
    for start in (door.end + 0.06, door.start - 0.06 - item.width):
        inside = 0.05 < start < floor.length(side) - 0.05 - item.width
        if inside and floor.wall_is_free(side, start, start + item.width, item.low, item.high, gap=0.02):
            _hang(builder, floor, side, start, item)
            return
