"""Squarified treemaps: divide a rectangle into rooms in proportion to their areas, each as square as possible.

M. Bruls, K. Huizing and J. J. van Wijk, "Squarified Treemaps", 2000. Used for houses by F. Marson and S. R. Musse,
"Automatic Real-Time Generation of Floor Plans Based on Squarified Treemaps Algorithm", 2010.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Rect = tuple[float, float, float, float]  # min_x, min_z, max_x, max_z, metres
GRID = 0.05  # metres; walls and openings lie on multiples of it


def snap(value: float) -> float:
    """Round to the nearest multiple of GRID (metres)."""
    return round(round(float(value) / GRID) * GRID, 4)


def squarify(rect: Rect, areas: Sequence[float]) -> list[Rect]:
    """Divide `rect` into one rectangle per area, in the order of `areas` (largest first; any unit)."""
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
    """The largest aspect ratio of the rectangles in a strip along `side` (Bruls et al., section 3)."""
    total = sum(row) * scale
    return max(side**2 * max(row) * scale / total**2, total**2 / (side**2 * min(row) * scale))


def _cuts(low: float, high: float, shares: Sequence[float]) -> list[tuple[float, float]]:
    """Divide the interval from `low` to `high` in proportion to `shares`."""
    edges, total, running = [low], sum(shares), 0.0
    for share in shares[:-1]:
        running += share
        edges.append(snap(low + (high - low) * running / total))
    edges.append(high)
    return list(pairwise(edges))
