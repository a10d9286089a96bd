"""Items that hang on walls. Frame: x along the wall, y up from the floor, z into the room (metres)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from avw.sim_bridge.scenes.houses.furniture.piece import Rng, Top, screen
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style


@dataclass(frozen=True, kw_only=True, slots=True)
class WallItem:
    """An item on a wall. `draw` adds it to a builder that is placed at its frame.

    name: its category · width, depth: metres · low, high: lower and upper edge, metres above the floor
    tops: surfaces for small items, as in `Piece`
    """

    name: str
    width: float
    low: float
    high: float
    depth: float
    draw: Callable[[MeshBuilder], None]
    tops: tuple[Top, ...] = ()


WallItemMaker = Callable[[Style, Rng], WallItem]


def picture(style: Style, rng: Rng) -> WallItem:
    """One picture, or a row of two or three small ones."""
    count = int(rng.choice([1, 1, 1, 2, 3]))
    wide, tall = (rng.uniform(0.4, 1.1), rng.uniform(0.4, 0.85)) if count == 1 else (rng.uniform(0.28, 0.42), 0.45)
    gap, low = 0.09, 1.6 - tall / 2
    frame = style.dark_metal() if rng.random() < 0.5 else style.wood(int(rng.integers(3)))
    surfaces = [style.picture(int(rng.integers(8))) for _ in range(count)]

    def draw(b: MeshBuilder) -> None:
        for k, surface in enumerate(surfaces):
            x0, x1, e = k * (wide + gap), k * (wide + gap) + wide, 0.02
            b.box((x0, low, 0), (x1, low + tall, 0.022), frame, without=("-z",))
            corners = [(x0 + e, low + e), (x1 - e, low + e), (x1 - e, low + tall - e), (x0 + e, low + tall - e)]
            b.quad([(x, y, 0.025) for x, y in corners], surface, fit=True)

    width = count * wide + (count - 1) * gap
    return WallItem(name="picture", width=width, low=low, high=low + tall, depth=0.03, draw=draw)


def mirror(style: Style, rng: Rng) -> WallItem:
    wide, low, high = rng.uniform(0.4, 0.7), rng.uniform(0.5, 1.0), rng.uniform(1.75, 1.95)
    frame = style.wood(int(rng.integers(3)))

    def draw(b: MeshBuilder) -> None:
        b.box((0, low, 0), (wide, high, 0.025), frame, without=("-z",))
        e = 0.03
        corners = [(e, low + e), (wide - e, low + e), (wide - e, high - e), (e, high - e)]
        b.quad([(x, y, 0.028) for x, y in corners], style.mirror(), fit=True)

    return WallItem(name="mirror", width=wide, low=low, high=high, depth=0.03, draw=draw)


def clock(style: Style, rng: Rng) -> WallItem:
    size, y, face = rng.uniform(0.26, 0.36), 1.85, style.clock_face()
    dark = style.dark_metal()

    def draw(b: MeshBuilder) -> None:
        b.disc((size / 2, y, 0.0), size / 2, 0.03, dark)
        e = size * 0.17
        b.quad([(e, y - size / 2 + e, 0.033), (size - e, y - size / 2 + e, 0.033), (size - e, y + size / 2 - e, 0.033),
                (e, y + size / 2 - e, 0.033)], face, fit=True)  # fmt: skip

    return WallItem(name="clock", width=size, low=y - size / 2, high=y + size / 2, depth=0.035, draw=draw)


def wall_shelf(style: Style, rng: Rng) -> WallItem:
    width, count = rng.uniform(0.6, 1.1), int(rng.integers(1, 3))
    wood, low = style.wood(int(rng.integers(3))), rng.uniform(1.25, 1.45)

    def draw(b: MeshBuilder) -> None:
        for k in range(count):
            y = low + 0.38 * k
            b.box((0, y, 0), (width, y + 0.025, 0.25), wood, without=("-z",))
            for x in (0.1, width - 0.12):
                b.box((x, y - 0.1, 0), (x + 0.02, y, 0.02), style.dark_metal(), without=("-z", "+y"))

    tops = tuple(Top(0.03, 0.015, width - 0.03, 0.245, low + 0.38 * k + 0.025, "shelf") for k in range(count))
    high = low + 0.38 * count
    return WallItem(name="wall shelf", width=width, low=low - 0.1, high=high, depth=0.25, draw=draw, tops=tops)


def whiteboard(style: Style, rng: Rng) -> WallItem:
    width = rng.uniform(1.2, 2.2)

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.95, 0), (width, 2.0, 0.02), style.metal(), without=("-z",))
        corners = [(0.02, 0.97), (width - 0.02, 0.97), (width - 0.02, 1.98), (0.02, 1.98)]
        b.quad([(x, y, 0.023) for x, y in corners], style.board(), fit=True)
        b.box((0.1, 0.955, 0.021), (width - 0.1, 0.97, 0.08), style.metal())

    return WallItem(name="whiteboard", width=width, low=0.95, high=2.0, depth=0.08, draw=draw)


def notice_board(style: Style, rng: Rng) -> WallItem:
    width, count = rng.uniform(0.8, 1.3), int(rng.integers(3, 8))
    spots, sorts = rng.random((count, 2)), rng.integers(0, 3, count)

    def draw(b: MeshBuilder) -> None:
        b.box((0, 1.15, 0), (width, 1.85, 0.02), style.cork(), without=("-z",))
        for k, ((s, t), sort) in enumerate(zip(spots, sorts, strict=True)):
            x, y, z = 0.04 + s * (width - 0.3), 1.19 + t * 0.33, 0.0225 + 0.0006 * k
            b.quad(
                [(x, y, z), (x + 0.21, y, z), (x + 0.21, y + 0.29, z), (x, y + 0.29, z)],
                style.paper(int(sort)),
                fit=True,
            )

    return WallItem(name="notice board", width=width, low=1.15, high=1.85, depth=0.03, draw=draw)


def wall_tv(style: Style, rng: Rng) -> WallItem:
    width = rng.uniform(1.1, 1.6)
    low = 1.1

    def draw(b: MeshBuilder) -> None:
        b.box(
            (width / 2 - 0.15, low + 0.2, 0),
            (width / 2 + 0.15, low + 0.5, 0.03),
            style.dark_metal(),
            without=("-z", "+z"),
        )
        screen(b, 0, low, width, low + width * 0.56, 0.061, style.dark_metal(), style.screen())

    return WallItem(name="tv", width=width, low=low, high=low + width * 0.56, depth=0.07, draw=draw)


def acoustic_panel(style: Style, rng: Rng) -> WallItem:
    """Two or three acoustic panels in a row (felt over mineral wool)."""
    count = int(rng.integers(2, 4))

    def draw(b: MeshBuilder) -> None:
        for k in range(count):
            b.box((k * 0.64, 0.9, 0), (k * 0.64 + 0.6, 2.1, 0.05), style.fabric(k % 2 + 3), without=("-z",))

    return WallItem(name="acoustic panel", width=count * 0.64 - 0.04, low=0.9, high=2.1, depth=0.05, draw=draw)


def towel_rail(style: Style, rng: Rng) -> WallItem:
    """A heated towel rail with a towel over it."""
    metal, towel = style.metal(), style.fabric(int(rng.integers(3)))

    def draw(b: MeshBuilder) -> None:
        for x in (0.0, 0.47):
            b.box((x, 0.7, 0.05), (x + 0.03, 1.65, 0.08), metal)
            b.box((x, 1.5, 0), (x + 0.03, 1.53, 0.05), metal, without=("-z", "+z"))
        for k in range(9):
            y = 0.74 + 0.1 * k
            b.box((0.031, y, 0.055), (0.469, y + 0.025, 0.075), metal)
        with b.item("towel"):
            b.box((0.08, 0.95, 0.081), (0.42, 1.6, 0.1), towel)

    return WallItem(name="radiator", width=0.5, low=0.7, high=1.65, depth=0.1, draw=draw)


def wall_lamp(style: Style, rng: Rng) -> WallItem:
    cloth = style.lampshade()

    def draw(b: MeshBuilder) -> None:
        b.box((0.06, 1.6, 0), (0.14, 1.72, 0.02), style.dark_metal(), without=("-z",))
        b.box((0.09, 1.64, 0.02), (0.11, 1.66, 0.1), style.dark_metal(), without=("-z",))
        b.cylinder((0.1, 1.62, 0.1), 0.09, 0.16, cloth, sections=14, top_radius=0.065)

    return WallItem(name="wall lamp", width=0.2, low=1.6, high=1.8, depth=0.2, draw=draw)


def radiator(style: Style, rng: Rng, width: float) -> WallItem:
    """A radiator with ribs, `width` metres wide, for the wall under a window."""
    enamel, ribs = style.enamel(), max(4, round(width / 0.09))

    def draw(b: MeshBuilder) -> None:
        b.box((0, 0.14, 0.03), (width, 0.6, 0.06), enamel)
        for k in range(ribs):
            x = 0.02 + (width - 0.04) * (k + 0.5) / ribs
            b.box((x - 0.025, 0.16, 0.06), (x + 0.025, 0.58, 0.085), enamel, without=("-z",))
        for x in (0.06, width - 0.08):
            b.box((x, 0, 0.035), (x + 0.02, 0.14, 0.055), enamel, without=("-y", "+y"))

    return WallItem(name="radiator", width=width, low=0.0, high=0.62, depth=0.1, draw=draw)


def light_switch(style: Style, rng: Rng) -> WallItem:
    def draw(b: MeshBuilder) -> None:
        b.box((0, 1.05, 0), (0.08, 1.13, 0.008), style.enamel(), without=("-z",))
        b.box((0.02, 1.07, 0.008), (0.06, 1.11, 0.013), style.panel_white(), without=("-z",))

    return WallItem(name="light switch", width=0.08, low=1.05, high=1.13, depth=0.013, draw=draw)


def draw_curtain(b: MeshBuilder, style: Style, width: float, top: float, bottom: float) -> None:
    """Draw a curtain from x = 0 to `width` and from `bottom` to `top` (metres), folded as a closed zigzag sheet."""
    folds = max(2, round(width / 0.075))
    x = [width * k / folds for k in range(folds + 1)]
    z = [0.05 + 0.045 * (k % 2) for k in range(folds + 1)]
    t = 0.012
    vertices = [(x[k], y, z[k] + d) for k in range(folds + 1) for y in (bottom, top) for d in (0.0, t)]
    faces: list[tuple[int, int, int]] = []
    for k in range(folds):
        a, n = 4 * k, 4 * (k + 1)
        for p, q, r, s in (
            (a + 1, n + 1, n + 3, a + 3),
            (n, a, a + 2, n + 2),
            (a, n, n + 1, a + 1),
            (n + 2, a + 2, a + 3, n + 3),
        ):
            faces += [(p, q, r), (p, r, s)]
    for p, q, r, s in ((0, 1, 3, 2), (4 * folds + 1, 4 * folds, 4 * folds + 2, 4 * folds + 3)):
        faces += [(p, q, r), (p, r, s)]
    b.triangles(vertices, faces, style.curtain())


def draw_rod(b: MeshBuilder, style: Style, x0: float, x1: float, y: float) -> None:
    """Draw a curtain rod from x0 to x1 at height `y` (metres)."""
    b.box((x0, y, 0.06), (x1, y + 0.025, 0.085), style.dark_metal())
    for x in (x0 + 0.02, x1 - 0.04):
        b.box((x, y + 0.003, 0), (x + 0.02, y + 0.022, 0.06), style.dark_metal(), without=("-z", "+z"))


def draw_blind(b: MeshBuilder, style: Style, width: float, top: float, bottom: float) -> None:
    """Draw the slats of a blind, from `top` down to about `bottom` (metres above the floor)."""
    slats = max(3, int((top - bottom) / 0.06))
    b.box((0, top - 0.05, 0.01), (width, top, 0.06), style.enamel())
    for k in range(slats):
        y = top - 0.1 - 0.05 * k
        b.box((0.01, y, 0.012), (width - 0.01, y + 0.012, 0.055), style.enamel())
