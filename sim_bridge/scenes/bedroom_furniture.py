"""Furniture of bedrooms, playrooms and halls; frame and conventions as in `furniture`."""

from __future__ import annotations

from sim_bridge.scenes.furniture import Piece, Rng, legs
from sim_bridge.scenes.mesh_builder import MeshBuilder
from sim_bridge.scenes.style import Style


def bed(style: Style, rng: Rng) -> Piece:
    """A single or double bed, its head at the wall, with a night stand on each side where there is room for two."""
    double = rng.random() < 0.65
    mattress, length = (rng.uniform(1.4, 1.7) if double else rng.uniform(0.9, 1.05)), rng.uniform(1.95, 2.1)
    side = 0.5
    width = mattress + side * (2 if double else 1)
    head = rng.uniform(0.8, 1.2)
    wood, cover, linen, shade_cloth = (
        style.wood(0),
        style.bedding(int(rng.integers(4))),
        style.linen(),
        style.lampshade(),
    )
    headboard = wood if rng.random() < 0.6 else style.fabric(4)
    pot = style.pot()

    def draw(b: MeshBuilder) -> None:
        with b.placed((side, 0, 0)):
            b.box((0, 0, 0), (mattress, head, 0.06), headboard)
            b.box((0.02, 0.1, 0.06), (mattress - 0.02, 0.3, length), wood)
            legs(b, mattress, length, 0.1, wood)
            b.cushion((0.02, 0.25, 0.06), (mattress - 0.02, 0.52, length), linen)
            b.cushion((-0.02, 0.3, length * 0.34), (mattress + 0.02, 0.57, length + 0.02), cover)
            for k in range(2 if double else 1):
                w = mattress / (2 if double else 1)
                b.cushion((k * w + 0.1, 0.48, 0.1), ((k + 1) * w - 0.1, 0.66, 0.5), linen)
        for x in (0.02, side + mattress + 0.04)[: 2 if double else 1]:
            b.box((x, 0.08, 0.02), (x + 0.42, 0.5, 0.4), wood)
            b.cylinder((x + 0.21, 0.5, 0.2), 0.05, 0.14, pot, top_radius=0.03)
            b.cylinder((x + 0.21, 0.64, 0.2), 0.13, 0.17, shade_cloth, top_radius=0.08)

    return Piece(name="bed", width=width, depth=length + 0.02, height=head, draw=draw)


def wardrobe(style: Style, rng: Rng) -> Piece:
    doors = int(rng.integers(2, 5))
    width, depth, height = doors * rng.uniform(0.45, 0.55), rng.uniform(0.55, 0.62), rng.uniform(1.95, 2.25)
    body, metal = style.wood(int(rng.integers(3))), style.metal()
    front = body if rng.random() < 0.4 else style.lacquer(int(rng.integers(4)))
    mirrored = int(rng.integers(doors)) if rng.random() < 0.35 else -1
    glass = style.mirror()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (width, height, depth - 0.02), body)
        for k in range(doors):
            x0, x1 = k * width / doors + 0.006, (k + 1) * width / doors - 0.006
            b.box((x0, 0.07, depth - 0.02), (x1, height - 0.03, depth), front)
            if k == mirrored:
                corners = [(x0 + 0.05, 0.15), (x1 - 0.05, 0.15), (x1 - 0.05, height - 0.1), (x0 + 0.05, height - 0.1)]
                b.quad([(x, y, depth + 0.003) for x, y in corners], glass, fit=True)
            handle = x1 - 0.05 if k % 2 == 0 else x0 + 0.03
            b.box((handle, 0.95, depth), (handle + 0.02, 1.2, depth + 0.025), metal)

    return Piece(name="wardrobe", width=width, depth=depth + 0.03, height=height, draw=draw)


def dresser(style: Style, rng: Rng) -> Piece:
    width, depth, height = rng.uniform(0.8, 1.2), rng.uniform(0.42, 0.5), rng.uniform(0.75, 1.0)
    rows = int(rng.integers(3, 5))
    body, front, metal, glass = style.wood(2), style.lacquer(int(rng.integers(4))), style.metal(), style.mirror()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.04, 0), (width, height, depth), body)
        step = (height - 0.1) / rows
        for r in range(rows):
            for c in range(2):
                x0, x1 = c * width / 2 + 0.015, (c + 1) * width / 2 - 0.015
                y = 0.07 + r * step
                b.box((x0, y, depth), (x1, y + step - 0.025, depth + 0.018), front)
                b.box(
                    ((x0 + x1) / 2 - 0.05, y + step / 2 - 0.02, depth + 0.018),
                    ((x0 + x1) / 2 + 0.05, y + step / 2, depth + 0.03),
                    metal,
                )
        b.box((width * 0.2, height + 0.02, 0.02), (width * 0.8, height + 0.62, 0.045), body)
        z = 0.047
        b.quad(
            [
                (width * 0.23, height + 0.05, z),
                (width * 0.77, height + 0.05, z),
                (width * 0.77, height + 0.59, z),
                (width * 0.23, height + 0.59, z),
            ],
            glass,
            fit=True,
        )

    return Piece(name="dresser", width=width, depth=depth + 0.03, height=height + 0.62, draw=draw)


def toy_shelf(style: Style, rng: Rng) -> Piece:
    width, rows = rng.uniform(0.9, 1.4), int(rng.integers(2, 4))
    columns = 3
    wood = style.wood(2)
    boxes = rng.integers(0, 5, (rows, columns))
    toys = [style.toy(k) for k in range(4)]
    height = rows * 0.38 + 0.04

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (width, height, 0.02), wood)
        for c in range(columns + 1):
            x = c * (width - 0.03) / columns
            b.box((x, 0, 0.02), (x + 0.03, height, 0.36), wood)
        for r in range(rows + 1):
            b.box((0, r * 0.38, 0.02), (width, r * 0.38 + 0.03, 0.36), wood)
            for c in range(columns):
                if r < rows and boxes[r, c] < 4:
                    x = c * (width - 0.03) / columns + 0.05
                    b.box(
                        (x, r * 0.38 + 0.03, 0.04), (x + width / columns - 0.1, r * 0.38 + 0.3, 0.37), toys[boxes[r, c]]
                    )

    return Piece(name="toy shelf", width=width, depth=0.38, height=height, draw=draw)


def toy_blocks(style: Style, rng: Rng) -> Piece:
    toys = [style.toy(k) for k in range(4)]
    spots = rng.uniform(0.0, 0.45, (7, 2))

    def draw(b: MeshBuilder) -> None:
        for k, (x, z) in enumerate(spots):
            b.box((x, 0, z), (x + 0.13, 0.13, z + 0.13), toys[k % 4], without=("-y",))
        b.ellipsoid((0.5, 0.12, 0.5), (0.12, 0.12, 0.12), toys[0], detail=2)

    return Piece(name="toy blocks", width=0.62, depth=0.62, height=0.25, draw=draw)


def beanbag(style: Style, rng: Rng) -> Piece:
    size = rng.uniform(0.6, 0.8)
    cover = style.fabric(int(rng.integers(5, 9)))

    def draw(b: MeshBuilder) -> None:
        b.ellipsoid((size / 2, 0.24, size / 2), (size / 2, 0.24, size / 2), cover, detail=2)
        b.ellipsoid((size / 2, 0.45, size * 0.36), (size * 0.36, 0.24, size * 0.3), cover, detail=2)

    return Piece(name="beanbag", width=size, depth=size, height=0.68, draw=draw)


def coat_rack(style: Style, rng: Rng) -> Piece:
    width = rng.uniform(0.7, 1.0)
    wood, metal = style.wood(0), style.metal()
    coats = [style.curtain(), style.fabric(1), style.fabric(2)]
    order = rng.permutation(3)

    def draw(b: MeshBuilder) -> None:
        b.box((0, 1.62, 0), (width, 1.74, 0.03), wood)
        b.box((0, 0.12, 0), (width, 0.42, 0.3), wood)
        for k in range(3):
            x = width * (k + 0.5) / 3
            b.box((x - 0.01, 1.65, 0.03), (x + 0.01, 1.67, 0.1), metal)
            b.cushion((x - 0.15, 0.75, 0.02), (x + 0.15, 1.64, 0.16), coats[order[k]])

    return Piece(name="coat rack", width=width, depth=0.3, height=1.75, draw=draw)
