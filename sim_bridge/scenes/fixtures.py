"""Kitchens and bathrooms; frame and conventions as in `furniture`."""

from __future__ import annotations

from sim_bridge.scenes.furniture import Piece, Rng
from sim_bridge.scenes.mesh_builder import MeshBuilder
from sim_bridge.scenes.style import Style


def kitchen_counter(style: Style, rng: Rng, width: float = 2.4) -> Piece:
    """Base cupboards with a worktop, sink and stove, and cupboards on the wall above."""
    depth, height = 0.6, 0.9
    variant = int(rng.integers(4))
    front, top, metal, dark = style.lacquer(variant), style.stone(), style.metal(), style.dark_metal()
    units = max(3, round(width / 0.55))
    stove = int(rng.integers(units))
    sink = (stove + 1 + int(rng.integers(units - 1))) % units
    upper = rng.random(units) < 0.7
    upper[stove] = False

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (width, 0.08, depth - 0.06), dark)
        b.box((0, 0.08, 0), (width, height - 0.04, depth - 0.02), front)
        b.box((0, height - 0.04, 0), (width, height, depth + 0.02), top)
        for k in range(units):
            x0, x1 = k * width / units + 0.012, (k + 1) * width / units - 0.012
            z = depth - 0.02
            if k == stove:
                b.box((x0, 0.12, z), (x1, height - 0.16, z + 0.02), dark)
                for n in range(4):
                    x = x0 + (x1 - x0) * (0.28 + 0.44 * (n % 2))
                    b.cylinder((x, height, 0.17 + 0.25 * (n // 2)), 0.085, 0.012, dark, sections=12)
                b.box((x0 + 0.03, 1.65, 0), (x1 - 0.03, 1.78, 0.45), metal)
                b.box((x0 + 0.14, 1.78, 0.02), (x1 - 0.14, 2.3, 0.26), metal)
            else:
                b.box((x0, 0.12, z), (x1, height - 0.07, z + 0.02), front)
                b.box((x0 + 0.1, height - 0.13, z + 0.02), (x1 - 0.1, height - 0.115, z + 0.04), metal)
            if k == sink:
                b.box((x0 + 0.04, height, 0.12), (x1 - 0.04, height + 0.008, 0.5), metal)
                b.cylinder(((x0 + x1) / 2, height, 0.08), 0.015, 0.26, metal, sections=8)
                b.box(
                    ((x0 + x1) / 2 - 0.012, height + 0.25, 0.08), ((x0 + x1) / 2 + 0.012, height + 0.275, 0.26), metal
                )
            if upper[k]:
                b.box((x0 - 0.012, 1.5, 0), (x1 + 0.012, 2.2, 0.34), front)
                b.box((x1 - 0.06, 1.54, 0.34), (x1 - 0.045, 1.7, 0.355), metal)

    return Piece(name="kitchen counter", width=width, depth=depth + 0.02, height=2.3, draw=draw)


def fridge(style: Style, rng: Rng) -> Piece:
    height = rng.uniform(1.6, 1.95)
    body, handle = (style.metal() if rng.random() < 0.5 else style.ceramic()), style.dark_metal()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (0.6, height, 0.62), body)
        for low, high in ((0.05, height * 0.36), (height * 0.37, height - 0.02)):
            b.box((0.01, low, 0.62), (0.59, high, 0.65), body)
            b.box((0.06, (low + high) / 2 - 0.15, 0.65), (0.085, (low + high) / 2 + 0.15, 0.68), handle)

    return Piece(name="fridge", width=0.6, depth=0.68, height=height, draw=draw)


def bathtub(style: Style, rng: Rng) -> Piece:
    length, width = rng.uniform(1.5, 1.75), rng.uniform(0.7, 0.8)
    white, metal, water = style.ceramic(), style.metal(), style.toy(1)

    def draw(b: MeshBuilder) -> None:
        rim, height = 0.08, 0.58
        b.box((0, 0, 0), (length, height, rim), white)
        b.box((0, 0, width - rim), (length, height, width), white)
        b.box((0, 0, rim), (rim, height, width - rim), white)
        b.box((length - rim, 0, rim), (length, height, width - rim), white)
        b.box((rim, 0, rim), (length - rim, 0.16, width - rim), white)
        b.cylinder((0.2, height, 0.04), 0.02, 0.18, metal, sections=8)
        b.box((0.18, height + 0.16, 0.04), (0.22, height + 0.19, 0.2), metal)
        b.ellipsoid((length * 0.7, 0.22, width / 2), (0.08, 0.06, 0.06), water)

    return Piece(name="bathtub", width=length, depth=width, height=0.6, draw=draw)


def shower(style: Style, rng: Rng) -> Piece:
    size = rng.uniform(0.85, 1.0)
    white, metal, curtain = style.ceramic(), style.metal(), style.curtain()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (size, 0.09, size), white)
        b.box((0, 1.95, size - 0.03), (size, 1.98, size), metal)
        b.cylinder((size / 2, 1.1, 0.05), 0.014, 0.9, metal, sections=8)
        b.cylinder((size / 2, 2.0, 0.16), 0.09, 0.03, metal)
        for k in range(4):
            b.box(
                (k * 0.09, 0.25, size - 0.05 - 0.03 * (k % 2)),
                (k * 0.09 + 0.09, 1.95, size - 0.02 - 0.03 * (k % 2)),
                curtain,
            )

    return Piece(name="shower", width=size, depth=size, height=2.0, draw=draw)


def toilet(style: Style, rng: Rng) -> Piece:
    white, seat = style.ceramic(), (style.wood(0) if rng.random() < 0.4 else style.ceramic())

    def draw(b: MeshBuilder) -> None:
        b.box((0.0, 0.38, 0), (0.4, 0.82, 0.18), white)
        b.cylinder((0.2, 0, 0.42), 0.13, 0.36, white, top_radius=0.2)
        b.ellipsoid((0.2, 0.38, 0.42), (0.2, 0.04, 0.25), seat, detail=2)

    return Piece(name="toilet", width=0.42, depth=0.68, height=0.82, draw=draw)


def washbasin(style: Style, rng: Rng) -> Piece:
    width = rng.uniform(0.65, 1.1)
    front, white, metal, glass = style.lacquer(int(rng.integers(4))), style.ceramic(), style.metal(), style.mirror()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.2, 0), (width, 0.78, 0.44), front)
        b.box((0, 0.78, 0), (width, 0.82, 0.47), white)
        b.cylinder((width / 2, 0.82, 0.26), 0.14, 0.07, white, top_radius=0.19)
        b.cylinder((width / 2, 0.82, 0.06), 0.018, 0.2, metal, sections=8)
        b.box((width / 2 - 0.015, 1.0, 0.06), (width / 2 + 0.015, 1.03, 0.2), metal)
        b.quad(
            [(0.05, 1.15, 0.012), (width - 0.05, 1.15, 0.012), (width - 0.05, 1.95, 0.012), (0.05, 1.95, 0.012)],
            glass,
            fit=True,
        )

    return Piece(name="washbasin", width=width, depth=0.47, height=1.95, draw=draw)


def washing_machine(style: Style, rng: Rng) -> Piece:
    white, dark, metal = style.ceramic(), style.dark_metal(), style.metal()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (0.6, 0.85, 0.58), white)
        b.box((0.03, 0.74, 0.58), (0.57, 0.82, 0.59), metal)
        for k, (radius, surface) in enumerate(((0.19, metal), (0.15, dark))):
            b.ellipsoid((0.3, 0.42, 0.58), (radius, radius, 0.02 + 0.015 * k), surface, detail=2)

    return Piece(name="washing machine", width=0.6, depth=0.62, height=0.85, draw=draw)
