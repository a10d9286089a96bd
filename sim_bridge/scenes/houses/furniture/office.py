"""Furniture found only in offices."""

from __future__ import annotations

from avw.sim_bridge.scenes.houses.furniture.piece import Piece, Rng, Top, fronts
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style


def filing_cabinet(style: Style, rng: Rng) -> Piece:
    rows, columns = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    width, height = columns * 0.46, rows * 0.33 + 0.06
    metal, front = style.metal(), style.steel(int(rng.integers(3)))

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (width, height, 0.5), front)
        fronts(b, 0.005, width - 0.005, 0.05, height - 0.01, 0.5, columns, rows, front, metal)

    tops = (Top(0.05, 0.05, width - 0.05, 0.45, height, "cabinet"),) if height < 1.2 else ()
    return Piece(name="filing cabinet", width=width, depth=0.54, height=height, draw=draw, front=0.45, tops=tops)


def lockers(style: Style, rng: Rng) -> Piece:
    columns = int(rng.integers(2, 5))
    width, front, metal = columns * 0.32, style.steel(int(rng.integers(3))), style.metal()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.08, 0), (width, 1.82, 0.46), front)
        b.box((0.02, 0, 0.02), (width - 0.02, 0.08, 0.42), style.dark_metal(), without=("+y",))
        fronts(b, 0, width, 0.1, 1.8, 0.46, columns, 2, front, metal)

    return Piece(name="locker", width=width, depth=0.51, height=1.82, draw=draw, front=0.45)


def printer(style: Style, rng: Rng) -> Piece:
    """A floor-standing copier."""
    body, dark = style.enamel(), style.dark_metal()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.03, 0), (0.58, 0.78, 0.6), body)
        for k in range(3):
            b.box((0.02, 0.08 + k * 0.2, 0.6), (0.56, 0.26 + k * 0.2, 0.615), body, without=("-z",))
            b.box((0.22, 0.2 + k * 0.2, 0.615), (0.36, 0.22 + k * 0.2, 0.625), dark, without=("-z",))
        b.box((0.02, 0.781, 0.04), (0.56, 0.86, 0.44), dark)
        b.box((0, 0.861, 0), (0.58, 1.06, 0.56), body)
        b.box((0.36, 0.9, 0.56), (0.56, 1.02, 0.6), dark, without=("-z",))

    return Piece(name="printer", width=0.58, depth=0.63, height=1.06, draw=draw, front=0.5)


def water_cooler(style: Style, rng: Rng) -> Piece:
    body, water = style.enamel(), style.glass()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (0.32, 0.98, 0.34), body)
        b.box((0.07, 0.6, 0.34), (0.25, 0.8, 0.345), style.dark_metal(), without=("-z",))
        b.cylinder((0.16, 0.981, 0.17), 0.06, 0.06, water)
        b.cylinder((0.16, 1.042, 0.17), 0.13, 0.32, water)

    return Piece(name="water cooler", width=0.32, depth=0.36, height=1.36, draw=draw, front=0.35)


def server_rack(style: Style, rng: Rng) -> Piece:
    dark, lights = style.dark_metal(), style.leds()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0, 0), (0.6, 1.9, 0.8), dark)
        b.quad([(0.04, 0.1, 0.804), (0.56, 0.1, 0.804), (0.56, 1.84, 0.804), (0.04, 1.84, 0.804)], lights, fit=True)

    return Piece(name="server rack", width=0.6, depth=0.82, height=1.9, draw=draw, front=0.5)


def flip_chart(style: Style, rng: Rng) -> Piece:
    metal, paper = style.metal(), style.paper(int(rng.integers(3)))

    def draw(b: MeshBuilder) -> None:
        for x in (0.03, 0.64):
            b.box((x, 0, 0.3), (x + 0.03, 0.95, 0.33), metal)
        b.box((0.335, 0, 0.02), (0.365, 1.2, 0.05), metal)
        b.box((0.0, 0.9, 0.26), (0.7, 1.85, 0.28), style.enamel())
        corners = [(0.03, 0.95), (0.67, 0.95), (0.67, 1.8), (0.03, 1.8)]
        b.quad([(x, y, 0.284) for x, y in corners], paper, fit=True)

    return Piece(name="flip chart", width=0.7, depth=0.4, height=1.85, draw=draw, front=0.4)


def partition(style: Style, rng: Rng) -> Piece:
    """A free-standing screen covered with sound-absorbing cloth; it divides large rooms."""
    width, height = rng.uniform(1.2, 1.8), rng.uniform(1.3, 1.6)
    cloth, metal = style.fabric(4), style.metal()

    def draw(b: MeshBuilder) -> None:
        b.box((0.03, 0.06, 0.16), (width - 0.03, height, 0.2), cloth)
        for x in (0, width - 0.03):
            b.box((x, 0.03, 0.165), (x + 0.03, height + 0.01, 0.195), metal)
            b.box((x, 0, 0.0), (x + 0.03, 0.03, 0.36), metal)

    return Piece(name="partition", width=width, depth=0.36, height=height, draw=draw)
