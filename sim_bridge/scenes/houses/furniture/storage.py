"""Shelves, cabinets, wardrobes and racks."""

from __future__ import annotations

from avw.sim_bridge.scenes.houses.furniture.piece import Piece, Rng, Top, fronts, legs, screen
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style


def carcass(b: MeshBuilder, width: float, depth: float, height: float, columns: int, rows: int, wood: str) -> None:
    """Draw an open shelf of `columns` x `rows` compartments with boards 2.5 cm thick."""
    t = 0.025
    b.box((0, 0, 0), (width, height, 0.015), wood)
    for c in range(columns + 1):
        x = c * (width - t) / columns
        b.box((x, 0, 0.015), (x + t, height, depth), wood, without=("-z",))
    for r in range(rows + 1):
        y = 0.03 + r * (height - 0.03 - t) / rows
        for c in range(columns):
            x0, x1 = c * (width - t) / columns + t, (c + 1) * (width - t) / columns
            b.box((x0, y, 0.015), (x1, y + t, depth - 0.004), wood, without=("-x", "+x", "-z"))


def compartments(
    width: float, depth: float, height: float, columns: int, rows: int
) -> list[tuple[float, float, float, float]]:
    """Inner x0, x1, y0, y1 (metres) of every compartment of a `carcass`, from the lowest row up."""
    t = 0.025
    step_x, step_y = (width - t) / columns, (height - 0.03 - t) / rows
    return [
        (c * step_x + t, (c + 1) * step_x, 0.03 + r * step_y + t, 0.03 + (r + 1) * step_y)
        for r in range(rows)
        for c in range(columns)
    ]


def row_of_books(
    b: MeshBuilder, style: Style, x0: float, x1: float, y0: float, y1: float, depth: float, k: int
) -> None:
    """Draw a row of books between x0 and x1. The texture shows the uneven tops of the spines. k: variant"""
    with b.item("books"):
        books, front = style.books(k), depth - 0.05
        b.quad([(x0, y0 + 0.001, front), (x1, y0 + 0.001, front), (x1, y1, front), (x0, y1, front)], books, fit=True)
        b.box((x0, y0 + 0.001, 0.02), (x1, y1 - 0.04, front - 0.004), books, without=("-y", "-z"))


def bookshelf(style: Style, rng: Rng) -> Piece:
    columns = int(rng.integers(1, 3))
    width, depth, height = columns * rng.uniform(0.75, 0.95), rng.uniform(0.27, 0.33), rng.uniform(1.4, 2.1)
    rows = int(rng.integers(4, 6)) if height > 1.6 else 3 + int(rng.integers(2))
    wood = style.wood(int(rng.integers(3)))
    fill = rng.uniform(-0.25, 1.0, columns * rows)
    kinds = rng.integers(0, 3, columns * rows)
    slots = compartments(width, depth, height, columns, rows)
    free = [k for k, f in enumerate(fill) if f < 0.72]

    def draw(b: MeshBuilder) -> None:
        carcass(b, width, depth, height, columns, rows, wood)
        for (x0, x1, y0, y1), share, kind in zip(slots, fill, kinds, strict=True):
            if share > 0.15:
                end = x0 + 0.01 + share * (x1 - x0 - 0.02)
                row_of_books(b, style, x0 + 0.01, end, y0, y0 + (y1 - y0) * 0.9, depth, int(kind))

    tops = []
    for k in free:
        x0, x1, y0, _ = slots[k]
        start = x0 + 0.01 + max(float(fill[k]) if fill[k] > 0.15 else 0.0, 0.0) * (x1 - x0 - 0.02)
        tops.append(Top(start + 0.03, 0.04, x1 - 0.02, depth - 0.03, y0, "shelf"))
    return Piece(name="bookshelf", width=width, depth=depth, height=height, draw=draw, front=0.4, tops=tuple(tops))


def cube_shelf(style: Style, rng: Rng) -> Piece:
    """A shelf of square compartments, some with baskets and some with books."""
    columns, rows = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    width, depth, height = columns * 0.4, 0.36, rows * 0.4 + 0.03
    wood = style.wood(int(rng.integers(2, 4)))
    content = rng.random(columns * rows)
    slots = compartments(width, depth, height, columns, rows)

    def draw(b: MeshBuilder) -> None:
        carcass(b, width, depth, height, columns, rows, wood)
        for k, (x0, x1, y0, y1) in enumerate(slots):
            if content[k] < 0.3:
                with b.item("basket"):
                    b.box((x0 + 0.015, y0 + 0.001, 0.03), (x1 - 0.015, y1 - 0.08, depth - 0.02), style.basket())
            elif content[k] < 0.6:
                row_of_books(b, style, x0 + 0.01, x0 + 0.05 + (x1 - x0) * 0.75, y0, y1 - 0.05, depth, k % 3)

    tops = [
        Top(x0 + 0.03, 0.05, x1 - 0.03, depth - 0.04, y0, "shelf")
        for k, (x0, x1, y0, _) in enumerate(slots)
        if content[k] > 0.75
    ]
    if height < 1.3:
        tops.append(Top(0.04, 0.03, width - 0.04, depth - 0.04, height, "side"))
    return Piece(name="shelf", width=width, depth=depth, height=height, draw=draw, front=0.4, tops=tuple(tops))


def tv_stand(style: Style, rng: Rng) -> Piece:
    width, depth, height = rng.uniform(1.3, 1.9), rng.uniform(0.38, 0.46), rng.uniform(0.4, 0.58)
    screen_width = min(width - 0.2, rng.uniform(0.95, 1.4))
    columns, raised = int(rng.integers(2, 5)), rng.random() < 0.5
    body, front, dark, glass = style.wood(0), style.lacquer(0), style.dark_metal(), style.screen()

    def draw(b: MeshBuilder) -> None:
        foot = 0.14 if raised else 0.05
        legs(b, width, depth, foot, body)
        b.box((0, foot, 0), (width, height, depth), body)
        fronts(b, 0.02, width - 0.02, foot + 0.02, height - 0.03, depth, columns, 1, front, style.metal())
        with b.item("tv"):
            m, y0 = width / 2, height + 0.06
            b.box((m - 0.18, height + 0.001, depth * 0.3), (m + 0.18, height + 0.015, depth * 0.65), dark)
            b.box(
                (m - 0.03, height + 0.015, depth * 0.42),
                (m + 0.03, y0 + 0.1, depth * 0.42 + 0.02),
                dark,
                without=("-y",),
            )
            screen(b, m - screen_width / 2, y0, m + screen_width / 2, y0 + screen_width * 0.56, depth * 0.42 + 0.06,
                   dark, glass)  # fmt: skip

    side = (width - screen_width) / 2
    tops = (Top(0.03, 0.05, side - 0.02, depth - 0.05, height, "side"),) if side > 0.2 else ()
    return Piece(name="tv stand", width=width, depth=depth + 0.04, height=1.3, draw=draw, front=0.4, tops=tops)


def sideboard(style: Style, rng: Rng) -> Piece:
    width, depth, height = rng.uniform(1.0, 1.8), rng.uniform(0.38, 0.46), rng.uniform(0.72, 0.92)
    doors = int(rng.integers(2, 5))
    body, front = style.wood(int(rng.integers(3))), style.lacquer(int(rng.integers(4)))

    def draw(b: MeshBuilder) -> None:
        legs(b, width, depth, 0.12, body)
        b.box((0, 0.12, 0), (width, height, depth), body)
        fronts(b, 0.02, width - 0.02, 0.14, height - 0.03, depth, doors, 1, front, style.metal())

    tops = (Top(0.05, 0.04, width - 0.05, depth - 0.04, height, "sideboard"),)
    return Piece(name="sideboard", width=width, depth=depth + 0.05, height=height, draw=draw, front=0.4, tops=tops)


def display_cabinet(style: Style, rng: Rng) -> Piece:
    """A cabinet with crockery on shelves behind open frames, and cupboards below."""
    width, depth, height = rng.uniform(0.8, 1.2), 0.4, rng.uniform(1.7, 2.0)
    wood, rows = style.wood(int(rng.integers(2))), 3
    low = 0.75

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.06, 0), (width, low, depth), wood)
        b.box((0.02, 0, 0.02), (width - 0.02, 0.06, depth - 0.03), style.dark_metal(), without=("+y",))
        fronts(b, 0.02, width - 0.02, 0.09, low - 0.03, depth, 2, 1, wood, style.metal())
        with b.placed((0, low, 0)):
            carcass(b, width, depth, height - low, 1, rows, wood)
            for x0, x1 in ((0.03, width / 2 - 0.004), (width / 2 + 0.004, width - 0.03)):
                for y in (0.04, height - low - 0.08):
                    b.box((x0, y, depth), (x1, y + 0.04, depth + 0.02), wood, without=("-z",))
                b.box(
                    (x0, 0.08, depth), (x0 + 0.04, height - low - 0.08, depth + 0.02), wood, without=("-y", "+y", "-z")
                )
                b.box(
                    (x1 - 0.04, 0.08, depth), (x1, height - low - 0.08, depth + 0.02), wood, without=("-y", "+y", "-z")
                )

    slots = compartments(width, depth, height - low, 1, rows)
    tops = tuple(Top(x0 + 0.03, 0.05, x1 - 0.03, depth - 0.06, low + y0, "crockery") for x0, x1, y0, _ in slots)
    return Piece(
        name="display cabinet", width=width, depth=depth + 0.05, height=height, draw=draw, front=0.4, tops=tops
    )


def wardrobe(style: Style, rng: Rng) -> Piece:
    doors = int(rng.integers(2, 6))
    width, depth, height = doors * rng.uniform(0.45, 0.55), rng.uniform(0.55, 0.62), rng.uniform(1.95, 2.3)
    body = style.wood(int(rng.integers(3)))
    front = body if rng.random() < 0.4 else style.lacquer(int(rng.integers(4)))
    mirrored = int(rng.integers(doors)) if rng.random() < 0.35 else -1

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (width, height, depth), body)
        fronts(b, 0.0, width, 0.07, height - 0.03, depth, doors, 1, front, style.metal())
        if mirrored >= 0:
            x0, x1 = mirrored * width / doors + 0.06, (mirrored + 1) * width / doors - 0.07
            corners = [(x0, 0.2), (x1, 0.2), (x1, height - 0.2), (x0, height - 0.2)]
            with b.part("mirror"):
                b.quad([(x, y, depth + 0.022) for x, y in corners], style.mirror(), fit=True)

    return Piece(name="wardrobe", width=width, depth=depth + 0.05, height=height, draw=draw, front=0.5)


def dresser(style: Style, rng: Rng) -> Piece:
    width, depth, height = rng.uniform(0.8, 1.2), rng.uniform(0.42, 0.5), rng.uniform(0.75, 1.0)
    rows, columns = int(rng.integers(3, 5)), int(rng.integers(1, 3))
    body, front = style.wood(int(rng.integers(3))), style.lacquer(int(rng.integers(4)))

    def draw(b: MeshBuilder) -> None:
        legs(b, width, depth, 0.07, body)
        b.box((0, 0.07, 0), (width, height, depth), body)
        fronts(b, 0.01, width - 0.01, 0.09, height - 0.03, depth, columns, rows, front, style.metal())

    tops = (Top(0.05, 0.04, width - 0.05, depth - 0.04, height, "side"),)
    return Piece(name="dresser", width=width, depth=depth + 0.04, height=height, draw=draw, front=0.45, tops=tops)


def shoe_rack(style: Style, rng: Rng) -> Piece:
    width, depth, height = rng.uniform(0.7, 1.0), 0.3, rng.uniform(0.45, 0.7)
    rows = 2 if height < 0.58 else 3
    wood = style.wood(1)
    slots = compartments(width, depth, height, 1, rows)
    colours = rng.integers(0, 6, (rows, 4))

    def draw(b: MeshBuilder) -> None:
        carcass(b, width, depth, height, 1, rows, wood)
        for r, (x0, _, y0, _) in enumerate(slots):
            for k in range(int((width - 0.1) / 0.24)):
                if colours[r, k % 4] < 5:
                    for shoe in (0.0, 0.1):
                        x = x0 + 0.03 + k * 0.24 + shoe
                        with b.item("shoe"):
                            leather = style.leather(int(colours[r, k % 4]))
                            b.cushion((x, y0 + 0.001, 0.03), (x + 0.085, y0 + 0.08, 0.27), leather, detail=1)

    tops = (Top(0.04, 0.03, width - 0.04, depth - 0.04, height, "side"),)
    return Piece(name="shoe rack", width=width, depth=depth, height=height, draw=draw, front=0.3, tops=tops)


def coat_rack(style: Style, rng: Rng) -> Piece:
    width = rng.uniform(0.7, 1.1)
    wood, metal = style.wood(0), style.metal()
    coats = [style.curtain(), style.fabric(1), style.fabric(2)]
    order, present = rng.permutation(3), rng.random(4) < 0.8
    hooks = int(width / 0.26)

    def draw(b: MeshBuilder) -> None:
        b.box((0, 1.62, 0), (width, 1.74, 0.03), wood)
        b.box((0, 1.741, 0), (width, 1.765, 0.24), wood)
        for k in range(hooks):
            x = width * (k + 0.5) / hooks
            b.box((x - 0.01, 1.65, 0.03), (x + 0.01, 1.67, 0.1), metal, without=("-z",))
            if present[k % 4]:
                with b.item("coat"):
                    coat = coats[order[k % 3]]
                    b.cushion((x - 0.05, 1.45, 0.04), (x + 0.05, 1.65, 0.13), coat, detail=1)
                    b.cylinder((x, 0.85, 0.125), 0.12, 0.72, coat, sections=10, top_radius=0.06)

    tops = (Top(0.04, 0.03, width - 0.04, 0.22, 1.765, "rack"),)
    return Piece(name="coat rack", width=width, depth=0.26, height=1.78, draw=draw, front=0.2, tops=tops)


def metal_shelf(style: Style, rng: Rng) -> Piece:
    """Open metal shelves with cardboard boxes, for storage rooms."""
    width, depth, height = rng.uniform(0.8, 1.2), rng.uniform(0.38, 0.48), rng.uniform(1.6, 1.95)
    metal, levels = style.metal(), 4
    boxes = rng.random((levels, 3))

    def draw(b: MeshBuilder) -> None:
        for x in (0, width - 0.035):
            for z in (0, depth - 0.035):
                b.box((x, 0, z), (x + 0.035, height, z + 0.035), metal)
        for k in range(levels):
            y = 0.12 + k * (height - 0.2) / (levels - 1)
            b.box((0.005, y, 0.005), (width - 0.005, y + 0.02, depth - 0.005), metal)
            x = 0.05
            for n in range(3):
                size = 0.2 + 0.18 * boxes[k, n]
                if k < levels - 1 and boxes[k, n] > 0.25 and x + size < width - 0.04:
                    with b.item("box"):
                        top = y + 0.021 + (0.14 + 0.2 * boxes[k, (n + 1) % 3])
                        b.box((x, y + 0.021, 0.05), (x + size, top, depth - 0.05), style.cardboard())
                    x += size + 0.04

    return Piece(name="shelf", width=width, depth=depth, height=height, draw=draw, front=0.4)
