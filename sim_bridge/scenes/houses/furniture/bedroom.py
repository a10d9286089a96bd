"""Furniture of bedrooms and children's rooms."""

from __future__ import annotations

import math

from avw.sim_bridge.scenes.houses.furniture.piece import Maker, Piece, Rng, Top, fronts, legs
from avw.sim_bridge.scenes.houses.furniture.storage import carcass, compartments
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style


def bed(width: str) -> Maker:
    """A bed with its head at the wall. width: "single" (one night stand) or "double" (one on each side)"""
    double = width == "double"

    def make(style: Style, rng: Rng) -> Piece:
        mattress, length = (rng.uniform(1.4, 1.8) if double else rng.uniform(0.9, 1.05)), rng.uniform(1.95, 2.1)
        side = 0.5
        total = mattress + side * (2 if double else 1)
        head, design = rng.uniform(0.8, 1.25), int(rng.integers(3))
        wood, cover, linen = style.wood(0), style.bedding(int(rng.integers(4))), style.linen()
        headboard = wood if rng.random() < 0.5 else style.fabric(4)
        throw = rng.random() < 0.5

        def draw(b: MeshBuilder) -> None:
            with b.placed((side, 0, 0)):
                if design == 1:
                    b.cushion((-0.02, 0.25, 0), (mattress + 0.02, head, 0.1), headboard)
                else:
                    b.box((0, 0, 0), (mattress, head, 0.06), headboard)
                b.box((0.02, 0.12, 0.061), (mattress - 0.02, 0.3, length), wood)
                legs(b, mattress, length, 0.12, wood)
                if design == 2:
                    b.box((0, 0, length + 0.001), (mattress, 0.5, length + 0.04), wood)
                b.cushion((0.02, 0.25, 0.06), (mattress - 0.02, 0.52, length), linen)
                b.cushion((-0.02, 0.28, length * 0.34), (mattress + 0.02, 0.57, length + 0.005), cover)
                if throw:
                    b.cushion((-0.03, 0.29, length * 0.74), (mattress + 0.03, 0.585, length * 0.92), style.fabric(2))
                for k in range(2 if double else 1):
                    w = mattress / (2 if double else 1)
                    with b.item("pillow"):
                        b.cushion((k * w + 0.08, 0.48, 0.1), ((k + 1) * w - 0.08, 0.66, 0.52), linen)
            for x in stands:
                with b.item("night stand"):
                    b.box((x, 0.1, 0.02), (x + 0.42, 0.5, 0.4), wood)
                    fronts(b, x, x + 0.42, 0.11, 0.49, 0.4, 1, 2, style.lacquer(0), style.metal())
                    with b.placed((x, 0, 0.02)):
                        legs(b, 0.42, 0.38, 0.1, wood, size=0.03)

        stands = (0.02, side + mattress + 0.06)[: 2 if double else 1]
        tops = tuple(Top(x + 0.03, 0.05, x + 0.39, 0.37, 0.5, "night stand") for x in stands)
        return Piece(name="bed", width=total, depth=length + 0.045, height=head, draw=draw, tops=tops)

    return make


def bunk_bed(style: Style, rng: Rng) -> Piece:
    length, deep, height = 2.05, 0.98, rng.uniform(1.55, 1.75)
    wood, covers, linen = style.wood(int(rng.integers(3))), [style.bedding(0), style.bedding(1)], style.linen()

    def draw(b: MeshBuilder) -> None:
        for x in (0, length - 0.07):
            for z in (0, deep - 0.07):
                b.box((x, 0, z), (x + 0.07, height, z + 0.07), wood)
        for level, cover in zip((0.28, height - 0.55), covers, strict=True):
            b.box((0.071, level, 0.02), (length - 0.071, level + 0.09, deep - 0.02), wood)
            b.cushion((0.08, level + 0.06, 0.03), (length - 0.08, level + 0.24, deep - 0.03), linen)
            b.cushion((0.6, level + 0.08, 0.02), (length - 0.08, level + 0.27, deep - 0.015), cover)
            with b.item("pillow"):
                b.cushion((0.12, level + 0.2, 0.14), (0.5, level + 0.34, deep - 0.14), linen)
        b.box((0.071, height - 0.22, deep - 0.05), (length * 0.66, height - 0.14, deep - 0.02), wood)
        for k in range(5):
            y = 0.3 + k * (height - 0.5) / 4
            b.box((length - 0.5, y, deep), (length - 0.1, y + 0.04, deep + 0.03), wood)
        for x in (length - 0.54, length - 0.099):
            b.box((x, 0, deep + 0.001), (x + 0.039, height, deep + 0.035), wood)

    return Piece(name="bunk bed", width=length, depth=deep + 0.04, height=height, draw=draw, front=0.5)


def cot(style: Style, rng: Rng) -> Piece:
    """A cot: a baby's bed with bars."""
    length, deep = 1.25, 0.68
    wood, cover, linen = style.wood(2), style.bedding(2), style.linen()

    def draw(b: MeshBuilder) -> None:
        for x in (0, length - 0.05):
            b.box((x, 0, 0), (x + 0.05, 0.95, 0.05), wood)
            b.box((x, 0, deep - 0.05), (x + 0.05, 0.95, deep), wood)
            b.box((x + 0.01, 0.3, 0.051), (x + 0.04, 0.85, deep - 0.051), wood)
        for z in (0.01, deep - 0.04):
            for y in (0.3, 0.86):
                b.box((0.051, y, z), (length - 0.051, y + 0.04, z + 0.03), wood)
            for k in range(10):
                x = 0.1 + k * (length - 0.2) / 9
                b.box((x - 0.008, 0.34, z + 0.007), (x + 0.008, 0.86, z + 0.023), wood, without=("-y", "+y"))
        b.box((0.052, 0.32, 0.045), (length - 0.052, 0.36, deep - 0.045), wood)
        b.cushion((0.06, 0.34, 0.05), (length - 0.06, 0.46, deep - 0.05), linen)
        b.cushion((0.4, 0.36, 0.05), (length - 0.06, 0.49, deep - 0.05), cover)

    return Piece(name="cot", width=length, depth=deep, height=0.95, draw=draw, front=0.4)


def vanity(style: Style, rng: Rng) -> Piece:
    """A dressing table with a mirror and a stool."""
    width = rng.uniform(0.8, 1.1)
    wood, seat = style.wood(0), style.fabric(2)

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.6, 0), (width, 0.74, 0.42), wood)
        fronts(b, 0.01, width - 0.01, 0.61, 0.73, 0.42, 2, 1, style.lacquer(0), style.metal())
        legs(b, width, 0.42, 0.6, wood, size=0.035)
        with b.item("mirror"):
            m = width / 2
            b.box((m - 0.27, 0.76, 0.02), (m + 0.27, 1.42, 0.045), wood)
            corners = [(m - 0.24, 0.79), (m + 0.24, 0.79), (m + 0.24, 1.39), (m - 0.24, 1.39)]
            b.quad([(x, y, 0.048) for x, y in corners], style.mirror(), fit=True)
        with b.item("stool"), b.placed((width / 2 - 0.19, 0, 0.34)):
            legs(b, 0.38, 0.34, 0.4, wood, size=0.03)
            b.cushion((0, 0.39, 0), (0.38, 0.47, 0.34), seat, detail=1)

    tops = (Top(0.03, 0.08, width - 0.03, 0.38, 0.74, "side"),)
    return Piece(name="dressing table", width=width, depth=0.7, height=1.42, draw=draw, front=0.3, tops=tops)


def toy_shelf(style: Style, rng: Rng) -> Piece:
    columns, rows = int(rng.integers(2, 4)), int(rng.integers(2, 4))
    width, height, depth = columns * 0.42, rows * 0.38 + 0.04, 0.36
    boxes = rng.integers(0, 6, columns * rows)
    slots = compartments(width, depth, height, columns, rows)

    def draw(b: MeshBuilder) -> None:
        carcass(b, width, depth, height, columns, rows, style.wood(2))
        for (x0, x1, y0, y1), k in zip(slots, boxes, strict=True):
            if k < 4:
                with b.item("toy box"):
                    b.box((x0 + 0.02, y0 + 0.001, 0.04), (x1 - 0.02, y1 - 0.07, depth + 0.01), style.toy(int(k)))

    free = [s for s, k in zip(slots, boxes, strict=True) if k >= 4]
    tops = [Top(x0 + 0.03, 0.05, x1 - 0.03, depth - 0.04, y0, "toys") for x0, x1, y0, _ in free]
    tops.append(Top(0.04, 0.04, width - 0.04, depth - 0.04, height, "toys"))
    return Piece(
        name="toy shelf", width=width, depth=depth + 0.02, height=height, draw=draw, front=0.4, tops=tuple(tops)
    )


def toy_blocks(style: Style, rng: Rng) -> Piece:
    cells = rng.permutation(16)[:6]
    turns = rng.uniform(-0.4, 0.4, 6)

    def draw(b: MeshBuilder) -> None:
        for k, (cell, turn) in enumerate(zip(cells, turns, strict=True)):
            with b.item("toy"), b.placed((0.12 + 0.2 * (cell % 4), 0, 0.12 + 0.2 * (cell // 4)), float(turn)):
                if k % 3 == 2:
                    b.ellipsoid((0, 0.08, 0), (0.08, 0.08, 0.08), style.toy(k), detail=2)
                else:
                    b.box((-0.055, 0, -0.055), (0.055, 0.11, 0.055), style.toy(k))

    return Piece(name="toy", width=0.84, depth=0.84, height=0.16, draw=draw)


def play_table(style: Style, rng: Rng) -> Piece:
    """A low table with two stools."""
    wood = style.wood(2)

    def draw(b: MeshBuilder) -> None:
        with b.placed((0, 0, 0.3)):
            b.box((0, 0.46, 0), (0.75, 0.49, 0.55), wood)
            legs(b, 0.75, 0.55, 0.46, style.toy(0))
        for k, z in enumerate((0.14, 1.0)):
            with b.item("stool"), b.placed((0.22 + 0.3 * k, 0, z)):
                b.cylinder((0, 0.25, 0), 0.14, 0.03, style.toy(k + 1), sections=16)
                for turn in range(3):
                    with b.placed((0, 0, 0), turn * 2 * math.pi / 3):
                        b.box((0.07, 0, -0.015), (0.1, 0.25, 0.015), wood, without=("+y",))

    tops = (Top(0.06, 0.36, 0.69, 0.79, 0.49, "toys"),)
    return Piece(name="play table", width=0.75, depth=1.14, height=0.5, draw=draw, tops=tops)


def tent(style: Style, rng: Rng) -> Piece:
    """A play tent: cloth over four poles."""
    size, height = rng.uniform(0.95, 1.15), rng.uniform(1.35, 1.5)
    cloth, wood = style.bedding(1), style.wood(1)

    def draw(b: MeshBuilder) -> None:
        c = size / 2
        with b.placed((c, 0, c), math.pi / 4):
            # A pyramid with four sides, visible from outside and (as its lining) from inside.
            b.cylinder((0, 0, 0), c * 1.4142, height, cloth, sections=4, top_radius=0.05, without=("-y", "+y"))
        for dx, dz in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
            x, z = c + dx * 0.03, c + dz * 0.03
            b.box((x - 0.012, height - 0.02, z - 0.012), (x + 0.012, height + 0.18, z + 0.012), wood)

    return Piece(name="tent", width=size, depth=size, height=height + 0.18, draw=draw)
