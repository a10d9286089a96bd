"""Sofas, chairs and other seats."""

from __future__ import annotations

import math

from avw.sim_bridge.scenes.houses.furniture.piece import Piece, Rng, legs
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style


def sofa(style: Style, rng: Rng) -> Piece:
    """A sofa with two to four seats, arms, and loose cushions on some seats."""
    seats = int(rng.integers(2, 5))
    arm, depth, back = rng.uniform(0.1, 0.24), rng.uniform(0.82, 0.98), rng.uniform(0.7, 0.92)
    width = seats * rng.uniform(0.58, 0.68) + 2 * arm
    cover, pillows = style.sofa(), [style.fabric(1), style.fabric(2)]
    present = rng.random(4) < 0.55
    raised = rng.random() < 0.5
    seat = (width - 2 * arm) / seats

    def draw(b: MeshBuilder) -> None:
        foot = 0.14 if raised else 0.05
        legs(b, width, depth, foot, style.wood(1), size=0.04)
        b.box((0, foot, 0), (width, 0.3, depth - 0.01), cover)
        b.box((arm, 0.301, 0), (width - arm, back - 0.06, 0.2), cover)
        for x in (0, width - arm):
            b.cushion((x, 0.28, 0), (x + arm, 0.62, depth), cover)
        for k in range(seats):
            x0, x1 = arm + k * seat, arm + (k + 1) * seat
            b.cushion((x0, 0.27, 0.18), (x1, 0.47, depth + 0.02), cover)
            b.cushion((x0, 0.42, 0.1), (x1, back, 0.3), cover)
        for k in range(min(seats, 4)):
            if present[k]:
                x = arm + k * seat + (seat - 0.42) / 2
                with b.item("cushion"), b.placed((x, 0.46, 0.27)):
                    b.cushion((0, 0, 0), (0.42, 0.4, 0.16), pillows[k % 2])

    return Piece(name="sofa", width=width, depth=depth + 0.02, height=back, draw=draw, front=0.3)


def corner_sofa(style: Style, rng: Rng) -> Piece:
    """A sofa with a chaise at its right end."""
    width, depth, long, back = rng.uniform(2.3, 2.8), 0.9, rng.uniform(1.45, 1.7), rng.uniform(0.72, 0.85)
    cover, pillow = style.sofa(), style.fabric(1)
    chaise = 0.88

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.05, 0), (width, 0.28, depth - 0.01), cover)
        b.box((width - chaise, 0.05, depth - 0.01), (width, 0.28, long), cover, without=("-z",))
        b.box((0.02, 0.281, 0), (width - 0.02, back - 0.05, 0.2), cover)
        b.cushion((0, 0.26, 0), (0.2, 0.6, depth), cover)
        edges = [0.2, 0.2 + (width - chaise - 0.2) / 2, width - chaise, width]
        for k in range(3):
            end = depth + 0.01 if k < 2 else long + 0.01
            b.cushion((edges[k], 0.25, 0.18), (edges[k + 1], 0.45, end), cover)
            b.cushion((edges[k], 0.4, 0.1), (edges[k + 1], back, 0.3), cover)
        for x in (0.25, width - 0.5):
            with b.item("cushion"):
                b.cushion((x, 0.44, 0.27), (x + 0.42, 0.84, 0.43), pillow)

    return Piece(name="sofa", width=width, depth=long + 0.02, height=max(back, 0.84), draw=draw, front=0.2)


def armchair(style: Style, rng: Rng) -> Piece:
    width, depth, back = rng.uniform(0.72, 0.88), rng.uniform(0.75, 0.88), rng.uniform(0.78, 1.05)
    cover, wood = style.fabric(int(rng.integers(4))), style.wood(1)
    slim = rng.random() < 0.4

    def draw(b: MeshBuilder) -> None:
        legs(b, width, depth, 0.16, wood, size=0.035)
        b.box((0.04, 0.16, 0.02), (width - 0.04, 0.28, depth - 0.02), cover)
        b.cushion((0.1, 0.25, 0.12), (width - 0.1, 0.46, depth), cover)
        b.cushion((0.06, 0.26, 0), (width - 0.06, back, 0.22), cover)
        for x in (0.0, width - (0.06 if slim else 0.14)):
            if slim:
                b.box((x, 0.2, 0.08), (x + 0.06, 0.6, 0.13), wood)
                b.box((x, 0.601, 0.05), (x + 0.06, 0.64, depth - 0.06), wood)
                b.box((x, 0.001, depth - 0.12), (x + 0.06, 0.6, depth - 0.07), wood)
            else:
                b.cushion((x, 0.22, 0.02), (x + 0.14, 0.6, depth - 0.02), cover)

    return Piece(name="armchair", width=width, depth=depth, height=back, draw=draw, front=0.25)


def ottoman(style: Style, rng: Rng) -> Piece:
    size, height = rng.uniform(0.42, 0.6), rng.uniform(0.36, 0.44)
    cover, round_one = style.fabric(int(rng.integers(5))), rng.random() < 0.5

    def draw(b: MeshBuilder) -> None:
        if round_one:
            b.cylinder((size / 2, 0, size / 2), size / 2, height, cover, sections=20)
        else:
            legs(b, size, size, 0.08, style.wood(1))
            b.cushion((0, 0.08, 0), (size, height, size), cover)

    return Piece(name="ottoman", width=size, depth=size, height=height, draw=draw)


def beanbag(style: Style, rng: Rng) -> Piece:
    size = rng.uniform(0.6, 0.8)
    cover = style.fabric(int(rng.integers(5, 9)))

    def draw(b: MeshBuilder) -> None:
        b.ellipsoid((size / 2, 0.24, size / 2), (size / 2, 0.24, size / 2), cover, detail=2)
        b.ellipsoid((size / 2, 0.42, size * 0.36), (size * 0.36, 0.24, size * 0.3), cover, detail=2)

    return Piece(name="beanbag", width=size, depth=size, height=0.66, draw=draw)


def draw_chair(b: MeshBuilder, style: Style, design: int) -> None:
    """Draw a chair 0.44 m wide and deep with its back at z = 0. design: 0 to 3"""
    s, wood, metal = 0.44, style.chair_wood(), style.dark_metal()
    if design == 0:  # slatted wood
        legs(b, s, s, 0.43, wood, size=0.035, inset=0.012)
        b.box((0, 0.43, 0), (s, 0.46, s), style.fabric(3) if style.padded else wood)
        for x in (0.012, s - 0.047):
            b.box((x, 0.46, 0.002), (x + 0.035, 0.92, 0.032), wood, without=("-y",))
        for y in (0.58, 0.7, 0.82):
            b.box((0.047, y, 0.008), (s - 0.047, y + 0.07, 0.024), wood, without=("-x", "+x"))
    elif design == 1:  # a plastic shell on thin legs
        legs(b, s, s, 0.42, metal, size=0.022, inset=0.05)
        shell = style.plastic()
        b.cushion((0.01, 0.42, 0.01), (s - 0.01, 0.47, s), shell, detail=1)
        b.cushion((0.02, 0.44, 0), (s - 0.02, 0.84, 0.06), shell, detail=1)
    elif design == 2:  # upholstered
        legs(b, s, s, 0.38, wood, size=0.035, inset=0.02)
        b.cushion((0, 0.38, 0), (s, 0.5, s), style.fabric(3), detail=1)
        b.cushion((0.01, 0.44, 0), (s - 0.01, 0.95, 0.1), style.fabric(3), detail=1)
    else:  # bent metal, wooden seat
        for x in (0.02, s - 0.045):
            b.box((x, 0.002, 0.02), (x + 0.025, 0.9, 0.045), metal)
            b.box((x, 0.002, s - 0.06), (x + 0.025, 0.43, s - 0.035), metal)
        b.box((0, 0.43, 0), (s, 0.455, s), wood)
        b.box((0.045, 0.68, 0.02), (s - 0.045, 0.88, 0.042), wood, without=("-x", "+x"))


def draw_office_chair(b: MeshBuilder, style: Style, cover: str) -> None:
    """Draw a swivel chair around the origin, facing -z."""
    metal = style.dark_metal()
    for k in range(5):
        with b.placed((0, 0, 0), k * 2 * math.pi / 5 + 0.3):
            b.box((-0.02, 0.05, 0.03), (0.02, 0.08, 0.28), metal, without=("-z",))
            b.cylinder((0, 0, 0.27), 0.025, 0.049, metal, sections=6, without=("+y",))
    b.cylinder((0, 0.07, 0), 0.03, 0.36, metal, sections=8, without=("-y", "+y"))
    b.cushion((-0.24, 0.42, -0.22), (0.24, 0.52, 0.22), cover, detail=1)
    b.box((-0.025, 0.47, 0.2), (0.025, 0.7, 0.225), metal, without=("+y", "-y"))
    b.cushion((-0.21, 0.58, 0.17), (0.21, 1.04, 0.26), cover)
    for x in (-0.28, 0.25):
        b.box((x, 0.64, -0.12), (x + 0.03, 0.67, 0.14), metal)
        b.box((x, 0.47, 0.0), (x + 0.03, 0.639, 0.03), metal, without=("+y", "-y"))


def draw_bar_stool(b: MeshBuilder, style: Style) -> None:
    """Draw a bar stool 0.38 m wide with a corner at the origin."""
    metal = style.dark_metal()
    legs(b, 0.38, 0.38, 0.66, metal, size=0.025, inset=0.02)
    for low, high in (((0.045, 0.22, 0.02), (0.335, 0.24, 0.045)), ((0.045, 0.22, 0.335), (0.335, 0.24, 0.36))):
        b.box(low, high, metal)
    b.cushion((0, 0.66, 0), (0.38, 0.73, 0.38), style.fabric(3), detail=1)


def bench(style: Style, rng: Rng) -> Piece:
    width, depth = rng.uniform(0.9, 1.3), rng.uniform(0.34, 0.4)
    wood, pad = style.wood(0), style.fabric(2)

    def draw(b: MeshBuilder) -> None:
        legs(b, width, depth, 0.4, wood, size=0.05)
        b.box((0, 0.4, 0), (width, 0.44, depth), wood)
        with b.item("cushion"):
            b.cushion((0.02, 0.441, 0.02), (width - 0.02, 0.5, depth - 0.02), pad)

    return Piece(name="bench", width=width, depth=depth, height=0.5, draw=draw, front=0.3)


def visitor_chair(style: Style, rng: Rng) -> Piece:
    design = int(rng.integers(4))

    def draw(b: MeshBuilder) -> None:
        draw_chair(b, style, design)

    return Piece(name="chair", width=0.44, depth=0.46, height=0.92, draw=draw, front=0.3)
