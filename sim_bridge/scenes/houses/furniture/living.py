"""Floor lamps, plants, and large objects of living rooms and storage rooms."""

from __future__ import annotations

import math

from avw.sim_bridge.scenes.houses.furniture.piece import Piece, Rng, Top
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style


def floor_lamp(style: Style, rng: Rng) -> Piece:
    height, radius = rng.uniform(1.4, 1.7), rng.uniform(0.16, 0.22)
    metal, cloth = style.dark_metal(), style.lampshade()
    tripod, wood = rng.random() < 0.4, style.wood(0)

    def draw(b: MeshBuilder) -> None:
        c = 0.24
        if tripod:
            for k in range(3):
                with b.placed((c, 0, c), k * 2 * math.pi / 3):
                    for n in range(4):  # a splayed leg in four straight pieces
                        x, y = 0.2 - n * 0.05, n * (height - 0.28) / 4
                        b.box((x - 0.03, y, -0.012), (x, y + (height - 0.28) / 4 + 0.001, 0.012), wood)
        else:
            b.cylinder((c, 0, c), 0.14, 0.03, metal)
            b.cylinder((c, 0.03, c), 0.014, height - 0.3, metal, sections=8, without=("-y", "+y"))
        b.cylinder((c, height - 0.28, c), radius, 0.28, cloth, sections=18, top_radius=radius * 0.75)

    return Piece(
        name="floor lamp", width=0.48, depth=0.48, height=height, draw=draw, glow=(0.24, height - 0.36, 0.24, 0.9)
    )


def plant(style: Style, rng: Rng) -> Piece:
    """A shrub of round leaves, a palm of long ones, or a clump of upright blades."""
    radius, height, design = rng.uniform(0.14, 0.19), rng.uniform(0.8, 1.7), int(rng.integers(3))
    pot, leaf, stem = style.pot(int(rng.integers(3))), style.leaves(int(rng.integers(2))), style.wood(1)
    crown = rng.uniform(-1, 1, (14, 3))
    square = rng.random() < 0.3
    half = 0.34

    def draw(b: MeshBuilder) -> None:
        c = half
        if square:
            b.box((c - radius, 0, c - radius), (c + radius, 0.34, c + radius), pot)
        else:
            b.cylinder((c, 0, c), radius * 0.75, 0.34, pot, top_radius=radius)
        b.cylinder((c, 0.341, c), radius * 0.85, 0.004, style.soil())
        top = height - 0.36
        if design == 0:
            b.cylinder((c, 0.345, c), 0.02, top * 0.5, stem, sections=6, without=("-y", "+y"))
            for dx, dy, dz in crown:
                r = 0.09 + 0.05 * abs(dy)
                y = 0.36 + top * (0.55 + 0.36 * dy)
                b.ellipsoid((c + dx * 0.18, y, c + dz * 0.18), (r, r * 0.8, r), leaf)
        elif design == 1:
            b.cylinder((c, 0.345, c), 0.025, top * 0.6, stem, sections=6, without=("-y", "+y"), top_radius=0.018)
            for k in range(9):
                with b.placed((c, 0.36 + top * (0.55 + 0.04 * (k % 3)), c), k * 2.4):
                    lift = 0.25 + 0.35 * abs(crown[k, 1])
                    _blade(b, leaf, 0.3, 0.05, lift * top, 0.55)
        else:
            for k in range(11):
                with b.placed((c + 0.05 * crown[k, 0], 0.345, c + 0.05 * crown[k, 2]), k * 2.4):
                    _blade(b, leaf, 0.06 + 0.1 * abs(crown[k, 0]), 0.04, top * (0.6 + 0.4 * abs(crown[k, 1])), 1.0)

    return Piece(name="plant", width=2 * half, depth=2 * half, height=height, draw=draw)


def _blade(b: MeshBuilder, leaf: str, reach: float, wide: float, rise: float, upright: float) -> None:
    """A leaf that rises and bends outwards along +x, visible from both sides (two thin sheets)."""
    n = 4
    points = []
    for k in range(n + 1):
        t = k / n
        x = reach * t
        y = rise * (t if upright >= 1.0 else t * (2 - t) - (1 - upright) * t * t)
        w = wide * math.sin(math.pi * (0.12 + 0.86 * t))
        points.append((x, y, w))
    vertices = [(x, y, side * w) for x, y, w in points for side in (-1, 1)]
    lower = [(x, y - 0.003, z) for x, y, z in vertices]
    faces = []
    for k in range(n):
        a = 2 * k
        faces += [(a, a + 1, a + 3), (a, a + 3, a + 2)]
    under = [(p + 2 * n + 2, r + 2 * n + 2, q + 2 * n + 2) for p, q, r in faces]
    b.triangles(vertices + lower, faces + under, leaf)


def fireplace(style: Style, rng: Rng) -> Piece:
    width = rng.uniform(1.2, 1.5)
    stone, brick, wood = style.mantel(), style.hearth(), style.wood(0)

    def draw(b: MeshBuilder) -> None:
        for x in (0, width - 0.22):
            b.box((x, 0, 0), (x + 0.22, 1.0, 0.3), stone)
        b.box((0.22, 0.78, 0), (width - 0.22, 1.0, 0.3), stone, without=("-x", "+x"))
        b.box((-0.04, 1.001, 0), (width + 0.04, 1.06, 0.34), wood)
        b.box((0.22, 0, 0), (width - 0.22, 0.78, 0.06), brick, without=("-x", "+x", "+y"))
        b.box((0.1, 0, 0.3), (width - 0.1, 0.04, 0.6), stone, without=("-z",))
        with b.item("firewood"):
            for k in range(3):
                b.box((0.4, 0.03 + 0.06 * k, 0.12 + 0.03 * k), (width - 0.4, 0.085 + 0.06 * k, 0.18 + 0.03 * k), wood)

    tops = (Top(0.05, 0.05, width - 0.05, 0.3, 1.06, "sideboard"),)
    return Piece(name="fireplace", width=width, depth=0.6, height=1.06, draw=draw, front=0.3, tops=tops)


def piano(style: Style, rng: Rng) -> Piece:
    black = style.lacquer_black() if rng.random() < 0.6 else style.wood(3)

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (1.48, 1.2, 0.3), black)
        b.box((0.02, 0.6, 0.3), (1.46, 0.7, 0.58), black, without=("-z",))
        for x in (0.03, 1.39):
            b.box((x, 0, 0.5), (x + 0.06, 0.6, 0.56), black, without=("+y",))
        b.quad(
            [(0.1, 0.704, 0.56), (1.38, 0.704, 0.56), (1.38, 0.704, 0.42), (0.1, 0.704, 0.42)], style.keys(), fit=True
        )
        with b.item("stool"):
            b.box((0.45, 0.46, 0.72), (1.03, 0.54, 1.04), style.leather(0))
            for x in (0.48, 0.96):
                b.box((x, 0, 0.76), (x + 0.04, 0.46, 1.0), black, without=("+y",))

    tops = (Top(0.08, 0.04, 1.4, 0.26, 1.2, "side"),)
    return Piece(name="piano", width=1.48, depth=1.06, height=1.22, draw=draw, tops=tops)


def storage_boxes(style: Style, rng: Rng) -> Piece:
    """A few stacked cardboard boxes."""
    sizes = rng.uniform(0.3, 0.5, (3, 2))

    def draw(b: MeshBuilder) -> None:
        for k, (x, y) in enumerate(((0.0, 0.0), (0.52, 0.0), (0.05, 0.36))):
            wide, high = sizes[k]
            with b.item("box"):
                top = (y + 0.001 if y else 0.0) + min(high, 0.355 if k == 0 else 0.4)
                top = 0.355 if k == 0 else top
                b.box((x, y + (0.001 if y else 0.0), 0.02), (x + wide, top, 0.4), style.cardboard())

    return Piece(name="box", width=1.02, depth=0.42, height=0.78, draw=draw)


def ladder(style: Style, rng: Rng) -> Piece:
    """A folded stepladder."""
    metal = style.metal()

    def draw(b: MeshBuilder) -> None:
        for x in (0, 0.4):
            b.box((x, 0, 0.02), (x + 0.03, 1.6, 0.08), metal)
        for k in range(6):
            y = 0.2 + 0.24 * k
            b.box((0.031, y, 0.0), (0.399, y + 0.03, 0.1), metal)

    return Piece(name="ladder", width=0.43, depth=0.12, height=1.6, draw=draw)


def ironing_board(style: Style, rng: Rng) -> Piece:
    cloth, metal = style.bedding(3), style.metal()

    def draw(b: MeshBuilder) -> None:
        b.cushion((0, 0.86, 0), (1.2, 0.9, 0.38), cloth, detail=1)
        for x in (0.3, 0.85):
            b.box((x, 0, 0.04), (x + 0.03, 0.87, 0.07), metal)
            b.box((x, 0, 0.31), (x + 0.03, 0.87, 0.34), metal)

    tops = (Top(0.3, 0.1, 0.9, 0.3, 0.9, "laundry"),)
    return Piece(name="ironing board", width=1.2, depth=0.38, height=0.9, draw=draw, tops=tops)


def umbrella_stand(style: Style, rng: Rng) -> Piece:
    metal = style.dark_metal()
    cloth = style.fabric(int(rng.integers(5)))

    def draw(b: MeshBuilder) -> None:
        b.cylinder((0.13, 0, 0.13), 0.12, 0.5, metal, sections=14)
        for x, z in ((0.1, 0.1), (0.17, 0.15)):
            b.cylinder((x, 0.501, z), 0.03, 0.3, cloth, sections=6, top_radius=0.012)

    return Piece(name="umbrella stand", width=0.26, depth=0.26, height=0.82, draw=draw)


def speaker(style: Style, rng: Rng) -> Piece:
    """A floor-standing loudspeaker."""
    height, body, dark = rng.uniform(0.75, 1.05), style.wood(int(rng.integers(3))), style.dark_metal()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (0.22, height, 0.28), body)
        for k, radius in enumerate((0.085, 0.085, 0.035)):
            b.ellipsoid((0.11, height - 0.5 + 0.19 * k, 0.28), (radius, radius, 0.012), dark)

    return Piece(name="loudspeaker", width=0.22, depth=0.3, height=height, draw=draw)
