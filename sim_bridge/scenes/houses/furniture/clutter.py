"""Small items for tables, shelves and worktops. Frame as in `piece`, with y = 0 at the surface they stand on."""

from __future__ import annotations

from avw.sim_bridge.scenes.houses.furniture.piece import LIFT, Piece, Rng, screen
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style


def vase(style: Style, rng: Rng) -> Piece:
    radius, height = rng.uniform(0.035, 0.06), rng.uniform(0.14, 0.3)
    pot, leaf = style.pot(int(rng.integers(3))), style.leaves(int(rng.integers(2)))
    flowers, toy, spots = rng.random() < 0.6, style.toy(int(rng.integers(4))), rng.uniform(-1, 1, (5, 3))
    half = 0.1

    def draw(b: MeshBuilder) -> None:
        b.cylinder((half, 0, half), radius * 0.8, height * 0.6, pot, sections=10, top_radius=radius, without=("+y",))
        b.cylinder(
            (half, height * 0.6, half), radius, height * 0.4, pot, sections=10, top_radius=radius * 0.6, without=("-y",)
        )
        if flowers:
            for k, (dx, dy, dz) in enumerate(spots):
                r = 0.026 + 0.002 * k
                centre = (half + 0.06 * dx, height + 0.12 + 0.05 * dy, half + 0.06 * dz)
                b.ellipsoid(centre, (r, 0.85 * r, r), toy)
            b.cylinder((half, height + 0.001, half), 0.02, 0.12, leaf, sections=6, top_radius=0.05)

    return Piece(name="vase", width=0.2, depth=0.2, height=height + 0.2 * flowers, draw=draw)


def book_stack(style: Style, rng: Rng) -> Piece:
    count = int(rng.integers(1, 5))
    sizes, turns = rng.uniform(0.0, 1.0, (count, 3)), rng.uniform(-0.25, 0.25, count)

    def draw(b: MeshBuilder) -> None:
        y = 0.0
        for (wide, deep, thick), turn in zip(sizes, turns, strict=True):
            w, d, t = 0.15 + 0.07 * wide, 0.12 + 0.05 * deep, 0.015 + 0.025 * thick
            with b.placed((0.14, y, 0.12), float(turn)):
                b.box((-w / 2, 0, -d / 2), (w / 2, t, d / 2), style.cover(int(wide * 5.99)))
            y += t + LIFT

    return Piece(name="book", width=0.28, depth=0.24, height=0.16, draw=draw)


def standing_books(style: Style, rng: Rng) -> Piece:
    count = int(rng.integers(4, 10))
    sizes = rng.random((count, 2))
    width = float(sum(0.018 + 0.025 * t for t, _ in sizes)) + 0.002 * count

    def draw(b: MeshBuilder) -> None:
        x = 0.0
        for k, (thick, tall) in enumerate(sizes):
            t = 0.018 + 0.025 * thick
            b.box((x, 0, 0.01), (x + t, 0.17 + 0.08 * tall, 0.15 + 0.02 * tall), style.cover((k * 7 + count) % 6))
            x += t + 0.002

    return Piece(name="book", width=width, depth=0.18, height=0.26, draw=draw)


def laptop(style: Style, rng: Rng) -> Piece:
    metal, glass = style.metal(), style.desktop()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0.04), (0.34, 0.016, 0.27), metal)
        corners = [(0.02, 0.018, 0.17), (0.32, 0.018, 0.17), (0.32, 0.018, 0.06), (0.02, 0.018, 0.06)]
        b.quad(corners, style.keyboard(), fit=True)
        b.box((0, 0.017, 0.01), (0.34, 0.235, 0.022), metal)
        b.quad(
            [(0.012, 0.03, 0.0245), (0.328, 0.03, 0.0245), (0.328, 0.222, 0.0245), (0.012, 0.222, 0.0245)],
            glass,
            fit=True,
        )

    return Piece(name="laptop", width=0.34, depth=0.28, height=0.24, draw=draw)


def monitor(style: Style, rng: Rng) -> Piece:
    """A monitor with its keyboard and mouse."""
    wide, dark = rng.uniform(0.5, 0.68), style.dark_metal()
    high = wide * 0.58

    def draw(b: MeshBuilder) -> None:
        m = wide / 2
        b.box((m - 0.11, 0, 0.03), (m + 0.11, 0.012, 0.2), dark)
        b.box((m - 0.025, 0.012, 0.06), (m + 0.025, 0.2, 0.08), dark, without=("-y",))
        screen(b, 0, 0.11, wide, 0.11 + high, 0.125, dark, style.desktop())
        with b.item("keyboard"):
            b.box((m - 0.21, 0, 0.3), (m + 0.21, 0.014, 0.43), dark)
            corners = [(m - 0.2, 0.016, 0.42), (m + 0.2, 0.016, 0.42), (m + 0.2, 0.016, 0.31), (m - 0.2, 0.016, 0.31)]
            b.quad(corners, style.keyboard(), fit=True)
        if m > 0.3:
            with b.item("mouse"):
                b.ellipsoid((m + 0.255, 0.017, 0.37), (0.03, 0.017, 0.05), dark)

    return Piece(name="monitor", width=wide, depth=0.45, height=0.11 + high, draw=draw)


def papers(style: Style, rng: Rng) -> Piece:
    paper, turn = style.paper(int(rng.integers(3))), rng.uniform(-0.3, 0.3)

    def draw(b: MeshBuilder) -> None:
        with b.placed((0.15, 0, 0.18), float(turn)):
            b.box((-0.105, 0, -0.148), (0.105, 0.008, 0.148), style.panel_white())
            b.quad([(-0.1, 0.01, 0.14), (0.1, 0.01, 0.14), (0.1, 0.01, -0.14), (-0.1, 0.01, -0.14)], paper, fit=True)

    return Piece(name="papers", width=0.3, depth=0.36, height=0.012, draw=draw)


def table_lamp(style: Style, rng: Rng) -> Piece:
    pot, cloth = style.pot(int(rng.integers(3))), style.lampshade()

    def draw(b: MeshBuilder) -> None:
        b.cylinder((0.13, 0, 0.13), 0.055, 0.16, pot, sections=12, top_radius=0.03)
        b.cylinder((0.13, 0.15, 0.13), 0.125, 0.17, cloth, sections=16, top_radius=0.08)

    return Piece(name="table lamp", width=0.26, depth=0.26, height=0.32, draw=draw, glow=(0.13, 0.38, 0.13, 0.35))


def desk_lamp(style: Style, rng: Rng) -> Piece:
    metal = style.toy(int(rng.integers(4))) if rng.random() < 0.4 else style.dark_metal()

    def draw(b: MeshBuilder) -> None:
        b.cylinder((0.08, 0, 0.08), 0.075, 0.02, metal)
        b.cylinder((0.08, 0.02, 0.08), 0.01, 0.38, metal, sections=6, without=("-y", "+y"))
        b.box((0.07, 0.39, 0.08), (0.09, 0.41, 0.26), metal)
        b.cylinder((0.08, 0.32, 0.25), 0.07, 0.08, metal, top_radius=0.025)
        b.cylinder((0.08, 0.317, 0.25), 0.06, 0.002, style.lamp())

    return Piece(name="desk lamp", width=0.16, depth=0.33, height=0.42, draw=draw)


def photo_frame(style: Style, rng: Rng) -> Piece:
    wide, high = rng.uniform(0.12, 0.22), rng.uniform(0.14, 0.24)
    wood, picture = style.wood(int(rng.integers(3))), style.picture(int(rng.integers(8)))

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0.03), (wide, high, 0.045), wood)
        e = 0.014
        b.quad(
            [(e, e, 0.048), (wide - e, e, 0.048), (wide - e, high - e, 0.048), (e, high - e, 0.048)], picture, fit=True
        )

    return Piece(name="photo frame", width=wide, depth=0.07, height=high, draw=draw)


def candle(style: Style, rng: Rng) -> Piece:
    height = rng.uniform(0.08, 0.2)

    def draw(b: MeshBuilder) -> None:
        b.cylinder((0.05, 0, 0.05), 0.045, 0.012, style.metal(), sections=12)
        b.cylinder((0.05, 0.0125, 0.05), 0.025, height, style.wax(), sections=10)

    return Piece(name="candle", width=0.1, depth=0.1, height=height, draw=draw)


def small_plant(style: Style, rng: Rng) -> Piece:
    pot, leaf, spots = style.pot(int(rng.integers(3))), style.leaves(int(rng.integers(2))), rng.uniform(-1, 1, (6, 3))
    cactus = rng.random() < 0.3

    def draw(b: MeshBuilder) -> None:
        b.cylinder((0.09, 0, 0.09), 0.045, 0.09, pot, sections=12, top_radius=0.06)
        if cactus:
            b.ellipsoid((0.09, 0.15, 0.09), (0.04, 0.08, 0.04), leaf, detail=2)
            return
        for k, (dx, dy, dz) in enumerate(spots):
            r = 0.04 + 0.002 * k
            b.ellipsoid((0.09 + 0.045 * dx, 0.14 + 0.03 * dy, 0.09 + 0.045 * dz), (r, 0.7 * r, r), leaf)

    return Piece(name="potted plant", width=0.18, depth=0.18, height=0.22, draw=draw)


def soap(style: Style, rng: Rng) -> Piece:
    def draw(b: MeshBuilder) -> None:
        b.cylinder((0.04, 0, 0.04), 0.03, 0.11, style.glaze(1), sections=10)
        b.cylinder((0.04, 0.111, 0.04), 0.008, 0.03, style.metal(), sections=6)
        b.box((0.033, 0.142, 0.03), (0.047, 0.15, 0.075), style.metal())

    return Piece(name="soap dispenser", width=0.08, depth=0.08, height=0.15, draw=draw)


def towels(style: Style, rng: Rng) -> Piece:
    count, colour = int(rng.integers(2, 5)), int(rng.integers(3))

    def draw(b: MeshBuilder) -> None:
        for k in range(count):
            b.cushion((0, k * 0.052, 0), (0.34, k * 0.052 + 0.05, 0.26), style.fabric(colour), detail=1)

    return Piece(name="towel", width=0.34, depth=0.26, height=0.21, draw=draw)


def detergent(style: Style, rng: Rng) -> Piece:
    colour = style.toy(int(rng.integers(4)))

    def draw(b: MeshBuilder) -> None:
        b.cushion((0, 0, 0), (0.16, 0.24, 0.09), colour, detail=1)
        b.cylinder((0.08, 0.235, 0.045), 0.025, 0.04, style.enamel(), sections=8)

    return Piece(name="bottle", width=0.16, depth=0.09, height=0.28, draw=draw)


def teddy(style: Style, rng: Rng) -> Piece:
    fur = style.fabric(int(rng.integers(5, 9)))

    def draw(b: MeshBuilder) -> None:
        b.ellipsoid((0.11, 0.09, 0.1), (0.08, 0.09, 0.07), fur)
        b.ellipsoid((0.11, 0.22, 0.1), (0.065, 0.06, 0.06), fur)
        for dx in (-1, 1):
            b.ellipsoid((0.11 + 0.05 * dx, 0.28, 0.1), (0.022, 0.022, 0.015), fur)
            b.ellipsoid((0.11 + 0.08 * dx, 0.12, 0.13), (0.025, 0.045, 0.03), fur)
            b.ellipsoid((0.11 + 0.05 * dx, 0.03, 0.17), (0.03, 0.03, 0.05), fur)

    return Piece(name="teddy bear", width=0.24, depth=0.22, height=0.3, draw=draw)


def toy_car(style: Style, rng: Rng) -> Piece:
    body, dark = style.toy(int(rng.integers(4))), style.dark_metal()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.02, 0.01), (0.16, 0.05, 0.07), body)
        b.box((0.04, 0.051, 0.015), (0.12, 0.08, 0.065), body)
        for x in (0.035, 0.125):
            for z in (0.01, 0.07):
                b.ellipsoid((x, 0.02, z), (0.02, 0.02, 0.008), dark)

    return Piece(name="toy", width=0.16, depth=0.08, height=0.08, draw=draw)


def hat_box(style: Style, rng: Rng) -> Piece:
    def draw(b: MeshBuilder) -> None:
        b.cylinder((0.1, 0, 0.1), 0.1, 0.1, style.basket(), sections=14)

    return Piece(name="basket", width=0.2, depth=0.2, height=0.1, draw=draw)


def phone(style: Style, rng: Rng) -> Piece:
    dark = style.dark_metal()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (0.17, 0.045, 0.2), dark)
        b.cushion((0.005, 0.04, 0.005), (0.05, 0.08, 0.195), dark, detail=1)

    return Piece(name="telephone", width=0.17, depth=0.2, height=0.08, draw=draw)
