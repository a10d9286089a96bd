"""Furniture of bathrooms and laundries."""

from __future__ import annotations

from avw.sim_bridge.scenes.houses.furniture.piece import Piece, Rng, Top, fronts
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style


def bathtub(style: Style, rng: Rng) -> Piece:
    length, width = rng.uniform(1.5, 1.75), rng.uniform(0.7, 0.8)
    white, metal = style.ceramic(), style.metal()
    duck = rng.random() < 0.4

    def draw(b: MeshBuilder) -> None:
        rim, height = 0.08, 0.58
        b.box((0, 0, 0), (length, height, rim), white)
        b.box((0, 0, width - rim), (length, height, width), white)
        b.box((0, 0, rim), (rim, height, width - rim), white, without=("-z", "+z"))
        b.box((length - rim, 0, rim), (length, height, width - rim), white, without=("-z", "+z"))
        b.box((rim, 0, rim), (length - rim, 0.16, width - rim), white, without=("-x", "+x", "-z", "+z"))
        with b.part("tap"):
            b.cylinder((0.2, height, 0.04), 0.02, 0.18, metal, sections=8, without=("-y",))
            b.box((0.18, height + 0.14, 0.05), (0.22, height + 0.17, 0.2), metal)
        if duck:
            with b.item("toy"):
                b.ellipsoid((length * 0.7, 0.22, width / 2), (0.08, 0.06, 0.06), style.toy(2))

    return Piece(name="bathtub", width=length, depth=width, height=0.77, draw=draw, front=0.4)


def shower(style: Style, rng: Rng) -> Piece:
    size = rng.uniform(0.85, 1.0)
    white, metal, curtain, glass = style.ceramic(), style.metal(), style.curtain(), style.glass()
    with_curtain = rng.random() < 0.5

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (size, 0.08, size), white)
        b.cylinder((size / 2, 1.1, 0.05), 0.014, 0.9, metal, sections=8)
        b.cylinder((size / 2, 2.0, 0.16), 0.09, 0.03, metal)
        if with_curtain:
            b.box((0, 1.95, size - 0.03), (size, 1.98, size), metal)
            with b.item("curtain"):
                for k in range(4):
                    z = size - 0.06 - 0.03 * (k % 2)
                    b.box((k * 0.09, 0.2, z), (k * 0.09 + 0.09, 1.95, z + 0.02), curtain)
        else:
            b.box((0.0, 0.081, size - 0.03), (size * 0.55, 1.95, size - 0.02), glass)
            b.box((0, 1.951, size - 0.04), (size, 1.98, size - 0.01), metal)

    return Piece(name="shower", width=size, depth=size, height=2.05, draw=draw, front=0.4)


def toilet(style: Style, rng: Rng) -> Piece:
    white, seat = style.ceramic(), (style.wood(0) if rng.random() < 0.3 else style.enamel())
    hung = rng.random() < 0.4

    def draw(b: MeshBuilder) -> None:
        if hung:  # wall-hung: the cistern is behind the flush plate
            b.box((0.0, 0, 0), (0.4, 1.1, 0.1), style.panel_white())
            b.box((0.1, 0.95, 0.1), (0.3, 1.05, 0.11), style.metal(), without=("-z",))
            b.cushion((0.03, 0.12, 0.1), (0.37, 0.4, 0.62), white)
        else:
            b.box((0.02, 0.4, 0), (0.38, 0.8, 0.17), white)
            b.cylinder((0.2, 0, 0.42), 0.13, 0.38, white, top_radius=0.19)
            b.box((0.1, 0, 0), (0.3, 0.4, 0.35), white, without=("-z",))
        b.ellipsoid((0.2, 0.41, 0.4), (0.19, 0.03, 0.24), seat, detail=2)

    return Piece(name="toilet", width=0.4, depth=0.66, height=1.1 if hung else 0.82, draw=draw, front=0.45)


def washbasin(style: Style, rng: Rng) -> Piece:
    width = rng.uniform(0.6, 1.15)
    double = width > 1.0
    white, metal = style.ceramic(), style.metal()

    def draw(b: MeshBuilder) -> None:
        with b.part("cupboard"):
            b.box((0, 0.22, 0), (width, 0.78, 0.44), style.lacquer(1))
            fronts(b, 0, width, 0.23, 0.77, 0.44, 2 if double else 1, 2, style.lacquer(1), metal)
        b.box((-0.005, 0.781, 0), (width + 0.005, 0.82, 0.47), white)
        for x in (width * 0.27, width * 0.73) if double else (width / 2,):
            b.cylinder((x, 0.821, 0.26), 0.13, 0.07, white, top_radius=0.19)
            b.cylinder((x, 0.892, 0.26), 0.15, 0.002, style.dark_metal())
            with b.part("tap"):
                b.cylinder((x, 0.821, 0.06), 0.018, 0.2, metal, sections=8)
                b.box((x - 0.015, 1.0, 0.08), (x + 0.015, 1.025, 0.2), metal)
        with b.item("mirror"):
            b.box((0.04, 1.12, 0), (width - 0.04, 1.96, 0.02), metal, without=("-z",))
            corners = [(0.06, 1.14), (width - 0.06, 1.14), (width - 0.06, 1.94), (0.06, 1.94)]
            b.quad([(x, y, 0.023) for x, y in corners], style.mirror(), fit=True)

    tops = (Top(0.03, 0.03, 0.2, 0.22, 0.82, "bath"),) if not double else ()
    return Piece(name="washbasin", width=width, depth=0.48, height=1.96, draw=draw, front=0.5, tops=tops)


def hand_basin(style: Style, rng: Rng) -> Piece:
    """The small washbasin of a toilet room."""
    white, metal = style.ceramic(), style.metal()

    def draw(b: MeshBuilder) -> None:
        b.cushion((0, 0.72, 0), (0.42, 0.86, 0.32), white)
        b.cylinder((0.21, 0.862, 0.18), 0.12, 0.003, style.dark_metal())
        b.cylinder((0.21, 0.855, 0.05), 0.014, 0.14, metal, sections=8)
        b.box((0.2, 0.97, 0.06), (0.22, 0.99, 0.15), metal)
        b.cylinder((0.21, 0, 0.1), 0.06, 0.74, white, sections=10, without=("-y", "+y"))
        with b.item("mirror"):
            b.box((0.03, 1.2, 0), (0.39, 1.8, 0.02), metal, without=("-z",))
            corners = [(0.045, 1.215), (0.375, 1.215), (0.375, 1.785), (0.045, 1.785)]
            b.quad([(x, y, 0.023) for x, y in corners], style.mirror(), fit=True)

    return Piece(name="washbasin", width=0.42, depth=0.33, height=1.8, draw=draw, front=0.3)


def washing_machine(style: Style, rng: Rng) -> Piece:
    """A washing machine, in 30 % of cases with a dryer on top."""
    white, dark, metal = style.enamel(), style.dark_metal(), style.metal()
    stacked = rng.random() < 0.3

    def draw(b: MeshBuilder) -> None:
        for level in range(2 if stacked else 1):
            y = level * 0.86
            with b.item("washing machine" if level == 0 else "dryer"):
                b.box((0, y + 0.01 * (1 - level), 0), (0.6, y + 0.85, 0.58), white)
                b.box((0.03, y + 0.74, 0.58), (0.57, y + 0.82, 0.59), metal, without=("-z",))
                for k, (radius, surface) in enumerate(((0.19, metal), (0.15, dark))):
                    b.ellipsoid((0.3, y + 0.42, 0.58), (radius, radius, 0.02 + 0.015 * k), surface, detail=2)

    tops = () if stacked else (Top(0.05, 0.05, 0.55, 0.5, 0.85, "laundry"),)
    height = 1.71 if stacked else 0.85
    return Piece(name="washing machine", width=0.6, depth=0.62, height=height, draw=draw, front=0.5, tops=tops)


def laundry_basket(style: Style, rng: Rng) -> Piece:
    radius, height = rng.uniform(0.18, 0.23), rng.uniform(0.45, 0.62)

    def draw(b: MeshBuilder) -> None:
        b.cylinder((0.24, 0, 0.24), radius, height, style.basket(), sections=16, top_radius=radius * 1.08)
        b.ellipsoid((0.24, height, 0.24), (radius * 0.85, 0.08, radius * 0.85), style.linen())

    return Piece(name="laundry basket", width=0.48, depth=0.48, height=height + 0.08, draw=draw)


def bath_cabinet(style: Style, rng: Rng) -> Piece:
    front = style.lacquer(1)

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.08, 0), (0.36, 1.75, 0.32), front)
        fronts(b, 0, 0.36, 0.09, 0.85, 0.32, 1, 1, front, style.metal())
        fronts(b, 0, 0.36, 0.86, 1.74, 0.32, 1, 1, front, style.metal())

    return Piece(name="cupboard", width=0.36, depth=0.37, height=1.75, draw=draw, front=0.3)


def drying_rack(style: Style, rng: Rng) -> Piece:
    """A folding rack with laundry."""
    metal = style.metal()
    cloths = [style.linen(), style.fabric(1), style.fabric(2)]
    present = rng.random(6) < 0.7

    def draw(b: MeshBuilder) -> None:
        for x in (0.0, 1.07):
            for z in (0.04, 0.48):
                b.box((x, 0, z), (x + 0.02, 0.95, z + 0.02), metal)
        for k in range(6):
            z = 0.03 + k * 0.092
            b.box((0.021, 0.93, z), (1.069, 0.94, z + 0.01), metal)
            if present[k]:
                with b.item("towel"):
                    b.box(
                        (0.2 + 0.1 * (k % 3), 0.5, z - 0.005), (0.75 + 0.1 * (k % 3), 0.945, z + 0.015), cloths[k % 3]
                    )

    return Piece(name="drying rack", width=1.1, depth=0.56, height=0.95, draw=draw)
