"""Squarified treemaps: a rectangle divided among rooms in proportion to their areas, each as square as can be.

M. Bruls, K. Huizing and J. J. van Wijk, "Squarified Treemaps", 2000; F. Marson and S. R. Musse, "Automatic Real-Time
Generation of Floor Plans Based on Squarified Treemaps Algorithm", 2010, use them for houses.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Rect = tuple[float, float, float, float]  # min_x, min_z, max_x, max_z, metres
GRID = 0.05  # metres; every wall and opening lies on it


def snap(value: float) -> float:
    """The nearest multiple of GRID."""
    return round(round(float(value) / GRID) * GRID, 4)


def squarify(rect: Rect, areas: Sequence[float]) -> list[Rect]:
    """One rectangle for each of `areas` (largest first, any unit), which together cover `rect`."""
    x0, z0, x1, z1 = rect
    if len(areas) == 1:
        return [rect]
    width, depth = x1 - x0, z1 - z0
    scale = width * depth / sum(areas)
    short = min(width, depth)
    count = 1
    while count < len(areas) and _worst(areas[: count + 1], short, scale) <= _worst(areas[:count], short, scale):
        count += 1
    # The strip of the first `count` rooms lies along the shorter side.
    row = list(areas[:count])
    thick = sum(row) * scale / short
    rest = list(areas[count:])
    found: list[Rect] = []
    if width >= depth:
        edge = snap(x0 + thick) if rest else x1
        for low, high in _cuts(z0, z1, row):
            found.append((x0, low, edge, high))
        remaining = (edge, z0, x1, z1)
    else:
        edge = snap(z0 + thick) if rest else z1
        for low, high in _cuts(x0, x1, row):
            found.append((low, z0, high, edge))
        remaining = (x0, edge, x1, z1)
    return found + (squarify(remaining, rest) if rest else [])


def _worst(row: Sequence[float], side: float, scale: float) -> float:
    """The largest aspect ratio in a strip along `side` (equation of Bruls et al., section 3)."""
    total = sum(row) * scale
    return max(side**2 * max(row) * scale / total**2, total**2 / (side**2 * min(row) * scale))


def _cuts(low: float, high: float, shares: Sequence[float]) -> list[tuple[float, float]]:
    """`low`..`high` cut in proportion to `shares`."""
    edges, total, passed = [low], sum(shares), 0.0
    for share in shares[:-1]:
        passed += share
        edges.append(snap(low + (high - low) * passed / total))
    edges.append(high)
    return list(pairwise(edges))
