"""Tables and desks, with their seats."""

from __future__ import annotations

import math

from avw.sim_bridge.scenes.houses.furniture.piece import Maker, Piece, Rng, Top, legs
from avw.sim_bridge.scenes.houses.furniture.seating import draw_bar_stool, draw_chair, draw_office_chair
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style


def coffee_table(style: Style, rng: Rng) -> Piece:
    round_top, glass = rng.random() < 0.4, rng.random() < 0.25
    width = rng.uniform(0.7, 0.85) if round_top else rng.uniform(0.9, 1.2)
    depth = width if round_top else rng.uniform(0.5, 0.65)
    height = rng.uniform(0.36, 0.46)
    wood = style.wood(0)
    top = style.glass() if glass else style.worktop() if rng.random() < 0.2 else wood

    def draw(b: MeshBuilder) -> None:
        if round_top:
            b.cylinder((width / 2, height - 0.03, depth / 2), width / 2, 0.03, top, sections=24)
            b.cylinder((width / 2, 0.03, depth / 2), 0.06, height - 0.06, wood, top_radius=0.05, without=("-y", "+y"))
            b.cylinder((width / 2, 0, depth / 2), width * 0.3, 0.03, wood, sections=20)
        else:
            b.box((0, height - 0.03, 0), (width, height, depth), top)
            b.box((0.09, 0.12, 0.06), (width - 0.09, 0.14, depth - 0.06), wood)
            legs(b, width, depth, height - 0.03, wood)

    inset = 0.15 * width if round_top else 0.06
    tops = (Top(inset, inset, width - inset, depth - inset, height, "coffee"),)
    return Piece(name="coffee table", width=width, depth=depth, height=height, draw=draw, tops=tops)


def side_table(style: Style, rng: Rng) -> Piece:
    size, height = rng.uniform(0.38, 0.5), rng.uniform(0.48, 0.6)
    wood, metal, round_top = style.wood(int(rng.integers(3))), style.dark_metal(), rng.random() < 0.6

    def draw(b: MeshBuilder) -> None:
        if round_top:
            b.cylinder((size / 2, height - 0.025, size / 2), size / 2, 0.025, wood, sections=20)
            b.cylinder((size / 2, 0.02, size / 2), 0.02, height - 0.045, metal, sections=8, without=("-y", "+y"))
            b.cylinder((size / 2, 0, size / 2), size * 0.32, 0.02, metal, sections=16)
        else:
            b.box((0, height - 0.025, 0), (size, height, size), wood)
            legs(b, size, size, height - 0.025, metal, size=0.025, inset=0.02)

    tops = (Top(0.08, 0.08, size - 0.08, size - 0.08, height, "side"),)
    return Piece(name="side table", width=size, depth=size, height=height, draw=draw, tops=tops)


def dining_table(seats: int) -> Maker:
    """A dining table with chairs pushed halfway under it."""

    def make(style: Style, rng: Rng) -> Piece:
        per_side = max(1, seats // 2)
        width, table_depth, height = 0.35 + per_side * rng.uniform(0.56, 0.66), rng.uniform(0.8, 0.95), 0.75
        out = rng.uniform(0.2, 0.32)
        depth = table_depth + 2 * out
        round_top = per_side == 1 and rng.random() < 0.6
        pedestal = rng.random() < 0.25
        wood, design = style.wood(int(rng.integers(2))), style.chair_design

        def draw(b: MeshBuilder) -> None:
            if round_top:
                b.cylinder((width / 2, height - 0.035, depth / 2), width / 2, 0.035, wood, sections=26)
                b.cylinder((width / 2, 0.03, depth / 2), 0.05, height - 0.065, wood, without=("-y", "+y"))
                b.cylinder((width / 2, 0, depth / 2), 0.25, 0.03, wood)
            else:
                b.box((0, height - 0.04, out), (width, height, out + table_depth), wood)
                with b.placed((0, 0, out)):
                    if pedestal:
                        for x in (width * 0.18, width * 0.82 - 0.06):
                            low, high = (x, 0.05, 0.12), (x + 0.06, height - 0.04, table_depth - 0.12)
                            b.box(low, high, wood, without=("+y",))
                    else:
                        b.box((0.1, height - 0.12, 0.1), (width - 0.1, height - 0.04, table_depth - 0.1), wood,
                              without=("+y",))  # fmt: skip
                        legs(b, width, table_depth, height - 0.04, wood, size=0.06)
            for k in range(per_side):
                x = width * (k + 0.5) / per_side
                with b.item("chair"), b.placed((x - 0.22, 0, 0)):
                    draw_chair(b, style, design)
                with b.item("chair"), b.placed((x + 0.22, 0, depth), math.pi):
                    draw_chair(b, style, design)

        inset = 0.2 if round_top else 0.05
        tops = (Top(inset, out + inset, width - inset, depth - out - inset, height, "dining"),)
        return Piece(name="dining table", width=width, depth=depth, height=0.95, draw=draw, tops=tops)

    return make


def desk(style: Style, rng: Rng) -> Piece:
    width, desk_depth = rng.uniform(1.1, 1.6), rng.uniform(0.6, 0.72)
    depth = desk_depth + 0.34
    wood, front, cover = style.wood(int(rng.integers(3))), style.lacquer(0), style.fabric(1)
    left, drawers = rng.random() < 0.5, rng.random() < 0.65
    seat_x = width / 2
    if drawers:  # leave room for knees beside them
        seat_x = max(seat_x, 0.76) if left else min(seat_x, width - 0.76)

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.71, 0), (width, 0.74, desk_depth), wood)
        if drawers:
            x = 0.03 if left else width - 0.43
            b.box((x, 0.05, 0.05), (x + 0.4, 0.71, desk_depth - 0.04), wood, without=("+y",))
            for k in range(3):
                low, high = (
                    (x + 0.015, 0.07 + k * 0.21, desk_depth - 0.04),
                    (x + 0.385, 0.26 + k * 0.21, desk_depth - 0.02),
                )
                b.box(low, high, front, without=("-z",))
            far = width - 0.08 if left else 0.03
            b.box((far, 0, 0.04), (far + 0.05, 0.71, desk_depth - 0.04), wood, without=("+y",))
        else:
            legs(b, width, desk_depth, 0.71, style.dark_metal(), size=0.04, inset=0.03)
        with b.item("office chair"), b.placed((seat_x, 0, desk_depth + 0.03)):
            draw_office_chair(b, style, cover)

    tops = (Top(0.05, 0.05, width - 0.05, desk_depth - 0.05, 0.74, "desk"),)
    return Piece(name="desk", width=width, depth=depth, height=1.2, draw=draw, tops=tops)


def workstations(style: Style, rng: Rng) -> Piece:
    """Two rows of desks back to back, with a low screen between the rows and a swivel chair at each desk."""
    columns, wide, deep = int(rng.integers(1, 4)), rng.uniform(1.3, 1.5), 0.72
    chair = 0.62
    width, depth = columns * wide, 2 * (deep + chair) + 0.04
    wood, cloth, cover, metal = style.wood(2), style.fabric(4), style.fabric(1), style.dark_metal()

    def draw(b: MeshBuilder) -> None:
        with b.item("desk screen"):
            b.box((0.02, 0.5, depth / 2 - 0.015), (width - 0.02, 1.12, depth / 2 + 0.015), cloth)
        for turned in (False, True):
            origin, yaw = ((width, 0, depth), math.pi) if turned else ((0, 0, 0), 0.0)
            with b.placed(origin, yaw):
                for k in range(columns):
                    with b.item("desk"), b.placed((k * wide, 0, chair)):
                        b.box((0.005, 0.71, 0), (wide - 0.005, 0.735, deep), wood)
                        legs(b, wide, deep, 0.71, metal, size=0.04, inset=0.03)
                    with b.item("office chair"), b.placed((k * wide + wide / 2, 0, 0.3), math.pi):
                        draw_office_chair(b, style, cover)

    tops = []
    for k in range(columns):
        tops.append(
            Top(k * wide + 0.08, depth / 2 + 0.06, (k + 1) * wide - 0.08, depth / 2 + deep - 0.06, 0.735, "desk")
        )
        tops.append(Top(k * wide + 0.08, chair + 0.06, (k + 1) * wide - 0.08, depth / 2 - 0.06, 0.735, "desk back"))
    return Piece(name="desk", width=width, depth=depth, height=1.2, draw=draw, tops=tuple(tops))


def meeting_table(style: Style, rng: Rng) -> Piece:
    per_side = int(rng.integers(2, 5))
    table_width, table_depth = per_side * 0.72, rng.uniform(1.0, 1.25)
    out = 0.38
    width, depth = table_width, table_depth + 2 * out
    wood, cover, metal = style.wood(int(rng.integers(3))), style.fabric(1), style.dark_metal()
    swivel = rng.random() < 0.6

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.7, out), (width, 0.735, out + table_depth), wood)
        for x in (width * 0.2, width * 0.8 - 0.08):
            b.box((x, 0, out + 0.2), (x + 0.08, 0.7, out + table_depth - 0.2), metal, without=("+y",))
        for k in range(per_side):
            x = width * (k + 0.5) / per_side
            for turned in (False, True):
                with b.item("office chair" if swivel else "chair"):
                    if swivel:
                        with b.placed((x, 0, depth - 0.32 if turned else 0.32), 0.0 if turned else math.pi):
                            draw_office_chair(b, style, cover)
                    else:
                        with b.placed((x + 0.22, 0, depth) if turned else (x - 0.22, 0, 0), math.pi if turned else 0.0):
                            draw_chair(b, style, style.chair_design)

    tops = (Top(0.1, out + 0.1, width - 0.1, out + table_depth - 0.1, 0.735, "meeting"),)
    return Piece(name="meeting table", width=width, depth=depth, height=1.05, draw=draw, tops=tops)


def reception_desk(style: Style, rng: Rng) -> Piece:
    """A reception desk: a counter on the side of the visitor (+z), a desk and a chair behind it."""
    width = rng.uniform(1.7, 2.4)
    wood, front, cover = style.wood(0), style.lacquer(1), style.fabric(1)

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 1.5), (width, 1.06, 1.58), front)
        b.box((-0.02, 1.061, 1.38), (width + 0.02, 1.1, 1.62), wood)
        b.box((0.03, 0.71, 0.85), (width - 0.03, 0.74, 1.5), wood, without=("+z",))
        for x in (0.03, width - 0.07):
            b.box((x, 0, 0.9), (x + 0.04, 0.71, 1.5), wood, without=("+y", "+z"))
        with b.item("office chair"), b.placed((width / 2, 0, 0.5), math.pi):
            draw_office_chair(b, style, cover)

    tops = (Top(0.1, 0.92, width - 0.1, 1.36, 0.74, "desk back"),)
    return Piece(name="reception desk", width=width, depth=1.62, height=1.12, draw=draw, front=0.5, tops=tops)


def console_table(style: Style, rng: Rng) -> Piece:
    width, depth, height = rng.uniform(0.75, 1.1), rng.uniform(0.24, 0.32), rng.uniform(0.75, 0.85)
    wood, metal = style.wood(1), style.dark_metal()
    slim = rng.random() < 0.5

    def draw(b: MeshBuilder) -> None:
        b.box((0, height - 0.03, 0), (width, height, depth), wood)
        b.box((0.045, 0.15, 0.02), (width - 0.045, 0.17, depth - 0.02), wood)
        legs(b, width, depth, height - 0.03, metal if slim else wood, size=0.03, inset=0.01)

    tops = (Top(0.04, 0.03, width - 0.04, depth - 0.03, height, "side"),)
    return Piece(name="console table", width=width, depth=depth, height=height, draw=draw, front=0.3, tops=tops)


def kitchen_island(style: Style, rng: Rng) -> Piece:
    """A kitchen island: a block with a worktop, and bar stools on its far side."""
    width = rng.uniform(1.3, 2.0)
    front, top = style.kitchen_front(), style.worktop()
    stools = int(width / 0.55)
    block, over = 0.62, 0.25
    depth = block + over + 0.2

    def draw(b: MeshBuilder) -> None:
        b.box((0.02, 0.08, 0), (width - 0.02, 0.87, block), front)
        b.box((0.05, 0, 0.05), (width - 0.05, 0.08, block - 0.05), style.dark_metal(), without=("+y",))
        b.box((0, 0.871, -0.01), (width, 0.91, block + over), top)
        for k in range(stools):
            with b.item("bar stool"), b.placed((width * (k + 0.5) / stools - 0.19, 0, block + 0.06)):
                draw_bar_stool(b, style)

    tops = (Top(0.06, 0.05, width - 0.06, block, 0.91, "island"),)
    return Piece(name="kitchen island", width=width, depth=depth, height=0.95, draw=draw, tops=tops)


def bistro_table(style: Style, rng: Rng) -> Piece:
    """A small round table with two to four chairs around it."""
    count, radius = int(rng.integers(2, 5)), rng.uniform(0.36, 0.45)
    half = radius + 0.36
    wood, metal = style.wood(0), style.dark_metal()

    def draw(b: MeshBuilder) -> None:
        b.cylinder((half, 0.71, half), radius, 0.03, wood, sections=24)
        b.cylinder((half, 0.02, half), 0.035, 0.69, metal, sections=10, without=("-y", "+y"))
        b.cylinder((half, 0, half), 0.24, 0.02, metal, sections=18)
        for k in range(count):
            # Quarter turns around the middle, so that the chairs face the table.
            turn = k * math.pi / (1 if count == 2 else 2)
            with b.item("chair"), b.placed((half, 0, half), turn), b.placed((-0.22, 0, -half)):
                draw_chair(b, style, style.chair_design)

    inset = half - radius * 0.62
    tops = (Top(inset, inset, 2 * half - inset, 2 * half - inset, 0.74, "dining"),)
    return Piece(name="bistro table", width=2 * half, depth=2 * half, height=0.95, draw=draw, tops=tops)
