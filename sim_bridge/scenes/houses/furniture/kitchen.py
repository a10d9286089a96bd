"""Kitchen furniture: rows of cupboards with appliances, and what stands alone."""

from __future__ import annotations

from avw.sim_bridge.scenes.houses.furniture.piece import Maker, Piece, Rng, Top, fronts
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style

DEPTH, HEIGHT = 0.62, 0.91


def kitchen_run(width_range: tuple[float, float], *, cooking: bool = True) -> Maker:
    """A row of base cupboards under a worktop, with cupboards or a shelf on the wall above.

    width_range: metres · cooking: with a sink, a hob and an oven; otherwise for storage only
    """

    def make(style: Style, rng: Rng) -> Piece:
        units = max(2, round(float(rng.uniform(*width_range)) / 0.6))
        width = units * 0.6
        front, top, metal, dark = style.kitchen_front(), style.worktop(), style.metal(), style.dark_metal()
        hob = int(rng.integers(units)) if cooking else -1
        sink = (hob + 1 + int(rng.integers(units - 1))) % units if cooking else -1
        dishwasher = (sink + 1) % units if cooking and units > 3 and (sink + 1) % units != hob else -1
        low = rng.random() < 0.45  # nothing above the worktop, so that it fits under a window
        upper = (rng.random(units) < 0.75) & (not low)
        shelf = not low and rng.random() < 0.4  # an open shelf in place of the wall cupboards
        drawers = rng.random(units) < 0.4

        def draw(b: MeshBuilder) -> None:
            with b.part("cupboard"):
                b.box((0.01, 0, 0), (width - 0.01, 0.1, DEPTH - 0.08), dark, without=("+y",))
                b.box((0, 0.1, 0), (width, HEIGHT - 0.04, DEPTH - 0.03), front)
            with b.part("worktop"):
                b.box((0, HEIGHT - 0.039, 0), (width, HEIGHT, DEPTH), top)
            for k in range(units):
                x0, x1, z = k * 0.6, (k + 1) * 0.6, DEPTH - 0.03
                if k == hob:
                    _hob_and_oven(b, style, x0, x1, z, hood=not low)
                elif k == dishwasher:
                    with b.item("dishwasher"):
                        b.box((x0 + 0.004, 0.12, z), (x1 - 0.004, HEIGHT - 0.05, z + 0.02), metal, without=("-z",))
                        b.box((x0 + 0.1, 0.76, z + 0.02), (x1 - 0.1, 0.78, z + 0.04), dark, without=("-z",))
                else:
                    with b.part("cupboard"):
                        fronts(b, x0, x1, 0.11, HEIGHT - 0.05, z, 1, 3 if drawers[k] else 1, front, metal)
                if k == sink:
                    _sink(b, style, x0, x1, 0.11 if low else 0.25)
                if upper[k] and k != hob and not shelf:
                    with b.part("wall cupboard"):
                        b.box((x0, 1.45, 0), (x1, 2.12, 0.33), front)
                        fronts(b, x0, x1, 1.455, 2.115, 0.33, 1, 1, front, metal)
            if shelf:
                with b.item("wall shelf"):
                    for start, end in ((0.0, hob * 0.6), ((hob + 1) * 0.6, width)):
                        if end - start > 0.5:
                            b.box((start + 0.02, 1.5, 0), (end - 0.02, 1.53, 0.24), style.wood(0))

        free = [k for k in range(units) if k not in (hob, sink)]
        tops = [Top(k * 0.6 + 0.04, 0.06, (k + 1) * 0.6 - 0.04, DEPTH - 0.1, HEIGHT, "counter") for k in free]
        if shelf:
            reach = [(0.0, hob * 0.6), ((hob + 1) * 0.6, width)]
            tops += [Top(a + 0.06, 0.03, e - 0.06, 0.21, 1.53, "crockery") for a, e in reach if e - a > 0.5]
        return Piece(
            name="kitchen run",
            width=width,
            depth=DEPTH,
            height=1.04 if low else 2.3,
            draw=draw,
            front=0.7,
            tops=tuple(tops),
        )

    return make


def _hob_and_oven(b: MeshBuilder, style: Style, x0: float, x1: float, z: float, *, hood: bool) -> None:
    metal, dark = style.metal(), style.dark_metal()
    with b.item("oven"):
        b.box((x0 + 0.004, 0.12, z), (x1 - 0.004, HEIGHT - 0.17, z + 0.02), dark, without=("-z",))
        b.box((x0 + 0.004, HEIGHT - 0.165, z), (x1 - 0.004, HEIGHT - 0.05, z + 0.02), metal, without=("-z",))
        corners = [(x0 + 0.08, 0.2), (x1 - 0.08, 0.2), (x1 - 0.08, 0.6), (x0 + 0.08, 0.6)]
        b.quad([(x, y, z + 0.023) for x, y in corners], style.screen(), fit=True)
        b.box((x0 + 0.06, 0.66, z + 0.02), (x1 - 0.06, 0.685, z + 0.05), metal, without=("-z",))
    with b.item("hob"):
        b.box((x0 + 0.02, HEIGHT, 0.08), (x1 - 0.02, HEIGHT + 0.008, 0.56), dark, without=("-y",))
        for n in range(4):
            x, zz, r = x0 + 0.18 + 0.25 * (n % 2), 0.2 + 0.24 * (n // 2), 0.09 if n in (0, 3) else 0.07
            b.cylinder((x, HEIGHT + 0.009, zz), r, 0.012, metal, sections=14)
    if not hood:
        return
    with b.item("extractor hood"):
        b.box((x0 + 0.02, 1.6, 0), (x1 - 0.02, 1.7, 0.46), metal)
        b.box((x0 + 0.17, 1.701, 0), (x1 - 0.17, 2.3, 0.26), metal)


def _sink(b: MeshBuilder, style: Style, x0: float, x1: float, tap: float) -> None:
    """tap: height of the spout above the worktop (metres)"""
    metal, m = style.metal(), (x0 + x1) / 2
    with b.item("sink"):
        low, high = (x0 + 0.06, HEIGHT, 0.14), (x1 - 0.06, HEIGHT + 0.006, 0.54)
        b.box(low, high, metal, without=("-y",))
        b.box((x0 + 0.1, HEIGHT + 0.007, 0.18), (x1 - 0.1, HEIGHT + 0.009, 0.5), style.dark_metal(), without=("-y",))
        b.cylinder((m, HEIGHT + 0.001, 0.09), 0.016, tap + 0.01, metal, sections=8)
        b.box((m - 0.012, HEIGHT + tap - 0.01, 0.1), (m + 0.012, HEIGHT + tap + 0.014, 0.27), metal)


def fridge(style: Style, rng: Rng) -> Piece:
    height = rng.uniform(1.6, 1.98)
    body, handle = (style.metal() if rng.random() < 0.5 else style.enamel()), style.dark_metal()

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.02, 0), (0.6, height, 0.6), body)
        for low, high in ((0.06, height * 0.36), (height * 0.37, height - 0.01)):
            b.box((0.005, low, 0.6), (0.595, high, 0.65), body, without=("-z",))
            b.box(
                (0.06, (low + high) / 2 - 0.15, 0.65), (0.085, (low + high) / 2 + 0.15, 0.68), handle, without=("-z",)
            )

    return Piece(name="fridge", width=0.6, depth=0.68, height=height, draw=draw, front=0.6)


def pantry(style: Style, rng: Rng) -> Piece:
    """A tall cupboard with a built-in oven or plain doors."""
    front, metal, built_in = style.kitchen_front(), style.metal(), rng.random() < 0.5

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.1, 0), (0.6, 2.12, 0.59), front)
        b.box((0.01, 0, 0), (0.59, 0.1, 0.54), style.dark_metal(), without=("+y",))
        if built_in:
            fronts(b, 0, 0.6, 0.11, 0.84, 0.59, 1, 1, front, metal)
            with b.item("oven"):
                b.box((0.004, 0.86, 0.59), (0.596, 1.44, 0.61), style.dark_metal(), without=("-z",))
                b.box((0.06, 1.3, 0.61), (0.54, 1.325, 0.64), metal, without=("-z",))
            fronts(b, 0, 0.6, 1.46, 2.11, 0.59, 1, 1, front, metal)
        else:
            fronts(b, 0, 0.6, 0.11, 1.1, 0.59, 1, 1, front, metal)
            fronts(b, 0, 0.6, 1.11, 2.11, 0.59, 1, 1, front, metal)

    return Piece(name="cupboard", width=0.6, depth=0.64, height=2.12, draw=draw, front=0.6)


def vending_machine(style: Style, rng: Rng) -> Piece:
    body = style.toy(int(rng.integers(3)))

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.03, 0), (0.9, 1.83, 0.75), body)
        corners = [(0.06, 0.5), (0.6, 0.5), (0.6, 1.7), (0.06, 1.7)]
        b.quad([(x, y, 0.754) for x, y in corners], style.goods(), fit=True)
        b.box((0.66, 0.9, 0.75), (0.84, 1.5, 0.765), style.dark_metal(), without=("-z",))
        b.box((0.1, 0.18, 0.75), (0.56, 0.36, 0.765), style.dark_metal(), without=("-z",))

    return Piece(name="vending machine", width=0.9, depth=0.77, height=1.83, draw=draw, front=0.6)


def bin_(style: Style, rng: Rng) -> Piece:
    radius, height = rng.uniform(0.12, 0.17), rng.uniform(0.3, 0.6)
    metal = style.metal() if rng.random() < 0.5 else style.plastic()

    def draw(b: MeshBuilder) -> None:
        b.cylinder((radius, 0, radius), radius * 0.85, height, metal, top_radius=radius)
        b.cylinder((radius, height + 0.001, radius), radius * 1.02, 0.03, style.dark_metal())

    return Piece(name="bin", width=2.04 * radius, depth=2.04 * radius, height=height + 0.03, draw=draw)
