"""Small items for kitchens and dining tables. Frame as in `piece`, with y = 0 at the surface they stand on."""

from __future__ import annotations

from avw.sim_bridge.scenes.houses.furniture.piece import LIFT, Piece, Rng
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style


def bowl(style: Style, rng: Rng) -> Piece:
    radius, pot = rng.uniform(0.09, 0.14), style.pot(int(rng.integers(3)))
    fruit, spots = rng.random() < 0.6, rng.uniform(-1, 1, (5, 2))

    def draw(b: MeshBuilder) -> None:
        b.cylinder((radius, 0, radius), radius * 0.5, 0.06, pot, top_radius=radius)
        if fruit:
            with b.item("fruit"):
                for k, (dx, dz) in enumerate(spots):
                    centre = (radius + 0.5 * radius * dx, 0.069 + 0.003 * k, radius + 0.5 * radius * dz)
                    r = 0.033 + 0.0015 * k  # different sizes, so that no two faces share a plane
                    b.ellipsoid(centre, (r, r * 0.95, r), style.toy(k % 4))

    return Piece(name="bowl", width=2 * radius, depth=2 * radius, height=0.11, draw=draw)


def mug(style: Style, rng: Rng) -> Piece:
    glaze = style.glaze(int(rng.integers(3)))

    def draw(b: MeshBuilder) -> None:
        b.cylinder((0.04, 0, 0.04), 0.035, 0.09, glaze, sections=10, top_radius=0.04)
        b.cylinder((0.04, 0.091, 0.04), 0.034, 0.001, style.dark_metal(), sections=10)
        b.box((0.078, 0.025, 0.034), (0.1, 0.07, 0.046), glaze, without=("-x",))

    return Piece(name="cup", width=0.1, depth=0.08, height=0.092, draw=draw)


def place_setting(style: Style, rng: Rng) -> Piece:
    """A plate, cutlery and a glass."""
    glaze, metal = style.glaze(0), style.metal()

    def draw(b: MeshBuilder) -> None:
        with b.item("plate"):
            b.cylinder((0.19, 0, 0.13), 0.08, 0.015, glaze, sections=16, top_radius=0.125)
        with b.item("cutlery"):
            b.box((0.02, 0, 0.05), (0.035, 0.006, 0.22), metal)
            b.box((0.345, 0, 0.05), (0.36, 0.006, 0.22), metal)
        with b.item("drinking glass"):
            b.cylinder((0.33, 0, 0.28), 0.03, 0.12, style.glass(), sections=10, top_radius=0.036)

    return Piece(name="plate", width=0.38, depth=0.32, height=0.12, draw=draw)


def bottle(style: Style, rng: Rng) -> Piece:
    colour = style.bottle(int(rng.integers(3)))

    def draw(b: MeshBuilder) -> None:
        b.cylinder((0.04, 0, 0.04), 0.036, 0.18, colour, sections=10, without=("+y",))
        b.cylinder((0.04, 0.18, 0.04), 0.036, 0.05, colour, sections=10, top_radius=0.013, without=("-y", "+y"))
        b.cylinder((0.04, 0.23, 0.04), 0.013, 0.06, colour, sections=8, without=("-y",))

    return Piece(name="bottle", width=0.08, depth=0.08, height=0.29, draw=draw)


def kettle(style: Style, rng: Rng) -> Piece:
    body, dark = (style.metal() if rng.random() < 0.5 else style.enamel()), style.dark_metal()

    def draw(b: MeshBuilder) -> None:
        b.cylinder((0.11, 0, 0.09), 0.085, 0.18, body, top_radius=0.06)
        b.cylinder((0.11, 0.181, 0.09), 0.05, 0.02, dark)
        b.box((0.19, 0.04, 0.078), (0.215, 0.2, 0.102), dark)
        b.box((0.15, 0.185, 0.08), (0.189, 0.2, 0.1), dark)
        b.box((0.02, 0.13, 0.08), (0.06, 0.15, 0.1), body)

    return Piece(name="kettle", width=0.22, depth=0.18, height=0.2, draw=draw)


def toaster(style: Style, rng: Rng) -> Piece:
    body = style.metal() if rng.random() < 0.5 else style.glaze(1)

    def draw(b: MeshBuilder) -> None:
        b.cushion((0, 0, 0), (0.3, 0.19, 0.17), body, detail=1)
        for z in (0.05, 0.1):
            b.box((0.05, 0.185, z), (0.25, 0.192, z + 0.025), style.dark_metal())

    return Piece(name="toaster", width=0.3, depth=0.17, height=0.2, draw=draw)


def coffee_machine(style: Style, rng: Rng) -> Piece:
    dark, metal = style.dark_metal(), style.metal()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (0.26, 0.04, 0.36), dark)
        b.box((0, 0.041, 0), (0.26, 0.36, 0.18), dark)
        b.box((0, 0.25, 0.181), (0.26, 0.36, 0.34), metal)
        b.cylinder((0.13, 0.21, 0.26), 0.02, 0.04, metal, sections=8)
        b.cylinder((0.13, 0.041, 0.26), 0.035, 0.07, style.glaze(0), sections=10)

    return Piece(name="coffee machine", width=0.26, depth=0.36, height=0.36, draw=draw)


def microwave(style: Style, rng: Rng) -> Piece:
    body, dark = (style.metal() if rng.random() < 0.5 else style.enamel()), style.dark_metal()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (0.48, 0.28, 0.34), body)
        b.box((0.02, 0.03, 0.34), (0.34, 0.25, 0.35), dark, without=("-z",))
        b.box((0.37, 0.05, 0.34), (0.46, 0.23, 0.345), dark, without=("-z",))

    return Piece(name="microwave", width=0.48, depth=0.36, height=0.28, draw=draw)


def knife_block(style: Style, rng: Rng) -> Piece:
    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0.03), (0.1, 0.2, 0.16), style.wood(1))
        for k in range(3):
            b.box((0.015 + 0.028 * k, 0.2, 0.06), (0.033 + 0.028 * k, 0.28, 0.085), style.dark_metal(), without=("-y",))

    return Piece(name="knife block", width=0.1, depth=0.18, height=0.28, draw=draw)


def pan(style: Style, rng: Rng) -> Piece:
    metal, dark, radius = style.metal(), style.dark_metal(), rng.uniform(0.09, 0.13)
    high = rng.uniform(0.05, 0.14)

    def draw(b: MeshBuilder) -> None:
        b.cylinder((radius, 0, radius), radius * 0.92, high, metal, sections=16, top_radius=radius)
        b.cylinder((radius, high + LIFT, radius), radius * 0.98, 0.01, dark, sections=16)
        b.box((2 * radius, high * 0.75, radius - 0.012), (2 * radius + 0.16, high * 0.75 + 0.015, radius + 0.012), dark)

    return Piece(name="pan", width=2 * radius + 0.16, depth=2 * radius, height=high + 0.02, draw=draw)


def cutting_board(style: Style, rng: Rng) -> Piece:
    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (0.36, 0.02, 0.24), style.wood(0))
        for k in range(2):
            with b.item("fruit"):
                b.ellipsoid((0.1 + 0.09 * k, 0.05, 0.12), (0.035, 0.033, 0.035), style.toy(2 * k))

    return Piece(name="cutting board", width=0.36, depth=0.24, height=0.09, draw=draw)


def plates(style: Style, rng: Rng) -> Piece:
    count = int(rng.integers(3, 8))

    def draw(b: MeshBuilder) -> None:
        for k in range(count):
            b.cylinder((0.12, k * 0.014, 0.12), 0.08, 0.012, style.glaze(0), sections=14, top_radius=0.12)

    return Piece(name="plate", width=0.24, depth=0.24, height=0.12, draw=draw)
