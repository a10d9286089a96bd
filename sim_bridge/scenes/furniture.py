"""Furniture: each function draws the measures of one piece and returns it, ready to be placed.

Local frame of a piece, metres: x from 0 to its width, z from 0 (its back, at the wall) to its depth, y up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim_bridge.scenes.mesh_builder import MeshBuilder
from sim_bridge.scenes.style import Style

Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A piece of furniture and the floor it takes. `draw` adds it to a builder placed at its frame."""

    name: str
    width: float
    depth: float
    height: float
    draw: Callable[[MeshBuilder], None]


def legs(
    b: MeshBuilder, width: float, depth: float, height: float, surface: str, size: float = 0.045, inset: float = 0.04
) -> None:
    """Four square legs under a rectangle."""
    for x in (inset, width - inset - size):
        for z in (inset, depth - inset - size):
            b.box((x, 0, z), (x + size, height, z + size), surface, without=("-y", "+y"))


def sofa(style: Style, rng: Rng) -> Piece:
    seats = int(rng.integers(2, 4))
    arm, depth, back = rng.uniform(0.13, 0.22), rng.uniform(0.82, 0.95), rng.uniform(0.72, 0.9)
    width = seats * rng.uniform(0.58, 0.68) + 2 * arm
    cover, pillow = style.fabric(0), style.fabric(1)
    pillows = rng.random(2) < 0.6
    seat = (width - 2 * arm) / seats

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.06, 0), (width, 0.3, depth), cover)
        b.box((arm, 0.3, 0), (width - arm, back, 0.2), cover, without=("-y",))
        for x in (0, width - arm):
            b.box((x, 0.3, 0), (x + arm, 0.6, depth), cover, without=("-y",))
        for k in range(seats):
            b.cushion((arm + k * seat, 0.27, 0.18), (arm + (k + 1) * seat, 0.47, depth), cover)
        for side, there in enumerate(pillows):
            if there:
                x = arm + 0.03 if side == 0 else width - arm - 0.43
                b.cushion((x, 0.45, 0.2), (x + 0.4, 0.82, 0.36), pillow)

    return Piece(name="sofa", width=width, depth=depth, height=back, draw=draw)


def armchair(style: Style, rng: Rng) -> Piece:
    width, depth, back = rng.uniform(0.72, 0.88), rng.uniform(0.75, 0.88), rng.uniform(0.78, 1.0)
    cover, wood = style.fabric(2), style.wood(1)

    def draw(b: MeshBuilder) -> None:
        legs(b, width, depth, 0.14, wood)
        b.box((0, 0.14, 0), (width, 0.28, depth), cover)
        b.cushion((0.12, 0.25, 0.14), (width - 0.12, 0.45, depth), cover)
        b.box((0.1, 0.28, 0), (width - 0.1, back, 0.16), cover, without=("-y",))
        for x in (0, width - 0.13):
            b.box((x, 0.28, 0), (x + 0.13, 0.58, depth), cover, without=("-y",))

    return Piece(name="armchair", width=width, depth=depth, height=back, draw=draw)


def coffee_table(style: Style, rng: Rng) -> Piece:
    round_top = rng.random() < 0.4
    width = rng.uniform(0.7, 0.85) if round_top else rng.uniform(0.9, 1.2)
    depth = width if round_top else rng.uniform(0.5, 0.65)
    height = rng.uniform(0.36, 0.46)
    wood, vase = style.wood(0), style.pot()

    def draw(b: MeshBuilder) -> None:
        if round_top:
            b.cylinder((width / 2, height - 0.04, depth / 2), width / 2, 0.04, wood, sections=24)
            b.cylinder((width / 2, 0, depth / 2), 0.06, height - 0.04, wood, top_radius=0.05, caps=False)
            b.cylinder((width / 2, 0, depth / 2), width * 0.3, 0.03, wood, sections=20)
        else:
            b.box((0, height - 0.045, 0), (width, height, depth), wood)
            b.box((0.08, 0.12, 0.06), (width - 0.08, 0.14, depth - 0.06), wood)
            legs(b, width, depth, height - 0.045, wood)
        b.cylinder((width * 0.4, height, depth / 2), 0.05, 0.16, vase, top_radius=0.07)

    return Piece(name="coffee table", width=width, depth=depth, height=height + 0.16, draw=draw)


def tv_stand(style: Style, rng: Rng) -> Piece:
    width, depth, height = rng.uniform(1.3, 1.8), rng.uniform(0.38, 0.46), rng.uniform(0.42, 0.58)
    screen_width = min(width - 0.2, rng.uniform(0.95, 1.35))
    body, front, dark, screen = style.wood(0), style.lacquer(0), style.dark_metal(), style.screen()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.05, 0), (width, height, depth), body)
        for k in range(3):
            b.box(
                (k * width / 3 + 0.02, 0.09, depth), ((k + 1) * width / 3 - 0.02, height - 0.04, depth + 0.015), front
            )
        x0, x1, y0 = (width - screen_width) / 2, (width + screen_width) / 2, height + 0.06
        y1 = y0 + screen_width * 0.56
        b.box((width / 2 - 0.18, height, depth * 0.35), (width / 2 + 0.18, y0, depth * 0.65), dark, without=("-y",))
        b.box((x0, y0, depth * 0.45), (x1, y1, depth * 0.45 + 0.04), dark)
        z = depth * 0.45 + 0.042
        b.quad(
            [
                (x0 + 0.02, y0 + 0.02, z),
                (x1 - 0.02, y0 + 0.02, z),
                (x1 - 0.02, y1 - 0.02, z),
                (x0 + 0.02, y1 - 0.02, z),
            ],
            screen,
            fit=True,
        )

    return Piece(name="tv stand", width=width, depth=depth + 0.02, height=1.3, draw=draw)


def bookshelf(style: Style, rng: Rng) -> Piece:
    width, depth, height = rng.uniform(0.8, 1.4), rng.uniform(0.28, 0.34), rng.uniform(1.5, 2.1)
    shelves = int(rng.integers(4, 7))
    wood, pot = style.wood(int(rng.integers(3))), style.pot()
    rows = [style.books(k) for k in range(3)]
    fill = rng.uniform(0.45, 1.0, shelves)

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (width, height, 0.02), wood)
        for x in (0, width - 0.03):
            b.box((x, 0, 0.02), (x + 0.03, height, depth), wood)
        step = (height - 0.08) / shelves
        for k in range(shelves + 1):
            y = 0.04 + k * step
            b.box((0.03, y, 0.02), (width - 0.03, y + 0.03, depth), wood)
        for k in range(shelves):
            y, end = 0.07 + k * step, 0.04 + fill[k] * (width - 0.08)
            top = y + (step - 0.03) * 0.9
            front = depth - 0.05
            # The spines' texture hides the uneven tops against the dark of the shelf.
            b.quad([(0.04, y, front), (end, y, front), (end, top, front), (0.04, top, front)], rows[k % 3], fit=True)
            b.box((0.04, y, 0.02), (end, top - 0.04, front - 0.004), rows[k % 3], without=("-y", "-z"))
            if fill[k] < 0.72:
                b.cylinder((width - 0.16, y, depth * 0.55), 0.05, min(0.18, step * 0.6), pot, top_radius=0.07)

    return Piece(name="bookshelf", width=width, depth=depth, height=height, draw=draw)


def floor_lamp(style: Style, rng: Rng) -> Piece:
    height, radius = rng.uniform(1.35, 1.65), rng.uniform(0.16, 0.22)
    metal, shade_cloth = style.dark_metal(), style.lampshade()

    def draw(b: MeshBuilder) -> None:
        c = radius
        b.cylinder((c, 0, c), 0.14, 0.03, metal)
        b.cylinder((c, 0.03, c), 0.014, height - 0.25, metal, sections=8, caps=False)
        b.cylinder((c, height - 0.28, c), radius, 0.28, shade_cloth, sections=18, top_radius=radius * 0.7)

    return Piece(name="floor lamp", width=2 * radius, depth=2 * radius, height=height, draw=draw)


def plant(style: Style, rng: Rng) -> Piece:
    radius, height = rng.uniform(0.14, 0.2), rng.uniform(0.9, 1.7)
    pot, leaf, stem = style.pot(), style.leaves(), style.wood(1)
    crown = rng.normal(0, 1, (int(rng.integers(8, 14)), 3))
    tall = rng.random() < 0.5

    def draw(b: MeshBuilder) -> None:
        c = radius + 0.06
        b.cylinder((c, 0, c), radius * 0.75, 0.34, pot, top_radius=radius)
        b.cylinder((c, 0.34, c), 0.02, height * 0.45, stem, sections=6, caps=False)
        for dx, dy, dz in crown:
            spread = 0.13 if tall else 0.17
            y = 0.34 + (height - 0.34) * float(np.clip(0.55 + 0.2 * dy, 0.15, 0.95))
            centre = (c + np.clip(dx, -1.2, 1.2) * spread, y, c + np.clip(dz, -1.2, 1.2) * spread)
            b.ellipsoid(centre, (0.13, 0.2, 0.06) if tall else (0.15, 0.09, 0.13), leaf)

    return Piece(name="plant", width=2 * radius + 0.12, depth=2 * radius + 0.12, height=height, draw=draw)


def _draw_chair(b: MeshBuilder, wood: str, seat: str) -> None:
    """A 0.42 m chair whose back is at z = 0."""
    s = 0.42
    legs(b, s, s, 0.42, wood, size=0.035, inset=0.01)
    b.box((0, 0.42, 0), (s, 0.46, s), seat)
    for x in (0.01, s - 0.045):
        b.box((x, 0.46, 0), (x + 0.035, 0.92, 0.03), wood, without=("-y",))
    for y in (0.6, 0.8):
        b.box((0.045, y, 0.005), (s - 0.045, y + 0.1, 0.025), wood)


def dining_set(style: Style, rng: Rng, seats: int = 4) -> Piece:
    """A table with chairs pushed half under it."""
    per_side = max(1, seats // 2)
    width, table_depth, height = 0.35 + per_side * rng.uniform(0.55, 0.65), rng.uniform(0.8, 0.95), 0.75
    out = rng.uniform(0.2, 0.32)
    depth = table_depth + 2 * out
    round_top = per_side == 1 and rng.random() < 0.6
    wood, chair, seat, bowl = style.wood(int(rng.integers(2))), style.chair_wood(), style.fabric(3), style.pot()
    seat = seat if rng.random() < 0.5 else chair

    def draw(b: MeshBuilder) -> None:
        if round_top:
            b.cylinder((width / 2, height - 0.04, depth / 2), min(width, table_depth) / 2, 0.04, wood, sections=24)
            b.cylinder((width / 2, 0, depth / 2), 0.05, height - 0.04, wood, caps=False)
            b.cylinder((width / 2, 0, depth / 2), 0.25, 0.03, wood)
        else:
            b.box((0, height - 0.045, out), (width, height, out + table_depth), wood)
            with b.placed((0, 0, out)):
                legs(b, width, table_depth, height - 0.045, wood, size=0.06)
        b.cylinder((width / 2, height, depth / 2), 0.08, 0.07, bowl, top_radius=0.16)
        for k in range(per_side):
            x = width * (k + 0.5) / per_side
            with b.placed((x - 0.21, 0, 0)):
                _draw_chair(b, chair, seat)
            with b.placed((x + 0.21, 0, depth), np.pi):
                _draw_chair(b, chair, seat)

    return Piece(name="dining set", width=width, depth=depth, height=0.92, draw=draw)


def desk_set(style: Style, rng: Rng) -> Piece:
    width, desk_depth = rng.uniform(1.1, 1.6), rng.uniform(0.58, 0.7)
    depth = desk_depth + 0.3
    wood, dark, screen, front = style.wood(1), style.dark_metal(), style.screen(), style.lacquer(0)
    chair, seat = style.dark_metal(), style.fabric(1)
    left = rng.random() < 0.5

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.71, 0), (width, 0.75, desk_depth), wood)
        x = 0.02 if left else width - 0.42
        b.box((x, 0.05, 0.05), (x + 0.4, 0.71, desk_depth - 0.04), wood, without=("+y",))
        for k in range(3):
            b.box(
                (x + 0.02, 0.08 + k * 0.21, desk_depth - 0.04), (x + 0.38, 0.26 + k * 0.21, desk_depth - 0.025), front
            )
        far = width - 0.07 if left else 0.02
        b.box((far, 0, 0.04), (far + 0.05, 0.71, desk_depth - 0.04), wood)
        m = width / 2
        b.box((m - 0.1, 0.75, 0.14), (m + 0.1, 0.77, 0.3), dark)
        b.box((m - 0.28, 0.84, 0.2), (m + 0.28, 1.18, 0.23), dark)
        b.quad(
            [(m - 0.27, 0.85, 0.232), (m + 0.27, 0.85, 0.232), (m + 0.27, 1.17, 0.232), (m - 0.27, 1.17, 0.232)],
            screen,
            fit=True,
        )
        b.box((m - 0.2, 0.75, 0.36), (m + 0.2, 0.77, 0.5), dark)
        with b.placed((m, 0, desk_depth + 0.02)):
            b.cylinder((0, 0.04, 0), 0.24, 0.03, chair, sections=5)
            b.cylinder((0, 0.07, 0), 0.03, 0.36, chair, sections=8, caps=False)
            b.cushion((-0.23, 0.42, -0.22), (0.23, 0.52, 0.22), seat)
            b.cushion((-0.2, 0.6, 0.17), (0.2, 1.0, 0.26), seat)

    return Piece(name="desk", width=width, depth=depth, height=1.2, draw=draw)


def sideboard(style: Style, rng: Rng) -> Piece:
    width, depth, height = rng.uniform(1.0, 1.7), rng.uniform(0.38, 0.45), rng.uniform(0.72, 0.9)
    doors = int(rng.integers(2, 5))
    body, front, metal, pot = style.wood(2), style.lacquer(int(rng.integers(1, 4))), style.metal(), style.pot()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.08, 0), (width, height, depth), body)
        legs(b, width, depth, 0.08, body)
        for k in range(doors):
            x0, x1 = k * width / doors + 0.015, (k + 1) * width / doors - 0.015
            b.box((x0, 0.11, depth), (x1, height - 0.04, depth + 0.018), front)
            b.box((x1 - 0.05, height * 0.55, depth + 0.018), (x1 - 0.03, height * 0.55 + 0.12, depth + 0.03), metal)
        b.cylinder((width * 0.25, height, depth / 2), 0.06, 0.24, pot, top_radius=0.035)
        b.cylinder((width * 0.72, height, depth / 2), 0.1, 0.06, pot, top_radius=0.15)

    return Piece(name="sideboard", width=width, depth=depth + 0.03, height=height + 0.24, draw=draw)


def console_table(style: Style, rng: Rng) -> Piece:
    width, depth, height = rng.uniform(0.75, 1.1), rng.uniform(0.24, 0.3), rng.uniform(0.75, 0.85)
    wood, shade_cloth, pot = style.wood(1), style.lampshade(), style.pot()

    def draw(b: MeshBuilder) -> None:
        b.box((0, height - 0.04, 0), (width, height, depth), wood)
        b.box((0.03, 0.15, 0.02), (width - 0.03, 0.17, depth - 0.02), wood)
        legs(b, width, depth, height - 0.04, wood, size=0.03, inset=0.01)
        b.cylinder((0.18, height, depth / 2), 0.04, 0.16, pot, top_radius=0.03)
        b.cylinder((0.18, height + 0.16, depth / 2), 0.11, 0.16, shade_cloth, top_radius=0.07)

    return Piece(name="console table", width=width, depth=depth, height=height + 0.32, draw=draw)
