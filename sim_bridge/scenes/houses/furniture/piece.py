"""The type of a piece of furniture, and parts that many pieces share.

Local frame of a piece (metres): x from 0 to its width, z from 0 (its back, at the wall) to its depth, y up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style

Rng = np.random.Generator
LIFT = 0.0006  # metres between an item and the surface under it, so that no two faces share a plane


@dataclass(frozen=True, slots=True)
class Top:
    """A level surface for small items, in the frame of its piece (metres). y: height · use: a key of `TOP_ITEMS`"""

    x0: float
    z0: float
    x1: float
    z1: float
    y: float
    use: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A piece of furniture or a small item. `draw` adds it to a builder that is placed at its frame.

    name: its category · width, depth, height: its bounding box (metres)
    front: depth of the floor in front of it that must stay free (metres) · tops: surfaces for small items
    glow: the light of a lamp as (x, y, z, radiant intensity), None without one
    """

    name: str
    width: float
    depth: float
    height: float
    draw: Callable[[MeshBuilder], None]
    front: float = 0.0
    tops: tuple[Top, ...] = ()
    glow: tuple[float, float, float, float] | None = None


Maker = Callable[[Style, Rng], Piece]


def legs(
    b: MeshBuilder, width: float, depth: float, height: float, surface: str, size: float = 0.045, inset: float = 0.04
) -> None:
    """Draw four square legs under a rectangle."""
    for x in (inset, width - inset - size):
        for z in (inset, depth - inset - size):
            b.box((x, 0, z), (x + size, height, z + size), surface, without=("-y", "+y"))


def screen(b: MeshBuilder, x0: float, y0: float, x1: float, y1: float, z: float, body: str, glass: str) -> None:
    """Draw a flat screen that faces +z: a body 3 cm thick with its front at `z`, and the picture on the front."""
    b.box((x0, y0, z - 0.03), (x1, y1, z), body)
    e = 0.012
    corners = [(x0 + e, y0 + e), (x1 - e, y0 + e), (x1 - e, y1 - e), (x0 + e, y1 - e)]
    b.quad([(x, y, z + 0.003) for x, y in corners], glass, fit=True)


def fronts(
    b: MeshBuilder,
    x0: float,
    x1: float,
    y0: float,
    y1: float,
    z: float,
    columns: int,
    rows: int,
    front: str,
    handle: str | None,
) -> None:
    """Draw a grid of doors or drawers on the front of a cabinet at `z`, with handles of surface `handle` if given."""
    wide, high = (x1 - x0) / columns, (y1 - y0) / rows
    for c in range(columns):
        for r in range(rows):
            xa, xb = x0 + c * wide + 0.006, x0 + (c + 1) * wide - 0.006
            ya, yb = y0 + r * high + 0.006, y0 + (r + 1) * high - 0.006
            b.box((xa, ya, z), (xb, yb, z + 0.018), front, without=("-z",))
            if handle is None:
                continue
            if high > 0.45:  # a door: an upright handle on the opening side
                x = xb - 0.05 if c % 2 == 0 else xa + 0.035
                y = min(max((ya + yb) / 2, 0.95), yb - 0.2) if yb > 1.2 else yb - 0.22
                b.box((x, y, z + 0.018), (x + 0.015, y + 0.16, z + 0.04), handle, without=("-z",))
            else:
                x, y = (xa + xb) / 2, yb - min(0.06, high * 0.35)
                half = min(0.08, wide * 0.25)
                b.box((x - half, y, z + 0.018), (x + half, y + 0.012, z + 0.036), handle, without=("-z",))
