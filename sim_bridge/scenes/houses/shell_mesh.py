"""Rectangles that become one watertight mesh: where the corner of one meets the side of another, both get a vertex.

Without that, walls of differently divided neighbours would touch in T-junctions, through which rays slip.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from avw.sim_bridge.scenes.houses.mesh_builder import MAX_EDGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder

_UNIT = 1e-4  # metres; corners are whole numbers of it, so that equal points are equal numbers

Point = tuple[int, int, int]
Corner = tuple[float, float, float]


class ShellMesh:
    """Collects axis-aligned rectangles in world coordinates (metres) and draws them together."""

    def __init__(self, builder: MeshBuilder) -> None:
        self._builder = builder
        # Corners, look and category of every rectangle, and the rectangle whose texture it shows a part of.
        self._rects: list[tuple[list[Point], str, str, list[Point] | None]] = []

    def rect(self, corners: Sequence[Corner], look: str, category: str, *, fit: bool = False) -> None:
        """Corners counter-clockwise seen from the side it shows, the first the lower left of a fitted texture."""
        whole = [(round(x / _UNIT), round(y / _UNIT), round(z / _UNIT)) for x, y, z in corners]
        columns = max(1, math.ceil(math.dist(corners[0], corners[1]) / MAX_EDGE - 1e-9))
        rows = max(1, math.ceil(math.dist(corners[0], corners[3]) / MAX_EDGE - 1e-9))
        at = [[_between(whole, i / columns, j / rows) for i in range(columns + 1)] for j in range(rows + 1)]
        for j in range(rows):
            for i in range(columns):
                part = [at[j][i], at[j][i + 1], at[j + 1][i + 1], at[j + 1][i]]
                self._rects.append((part, look, category, whole if fit else None))

    def draw(self) -> None:
        """Hand everything to the builder, one mesh for each look in each category."""
        lines: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for point in {point for rect, *_ in self._rects for point in rect}:
            for axis in range(3):
                lines[_line(axis, point)].append(point[axis])
        for places in lines.values():
            places.sort()
        groups: dict[tuple[str, str], list[tuple[list[Point], list[Point] | None]]] = defaultdict(list)
        for rect, look, category, whole in self._rects:
            outline = [point for k in range(4) for point in _side(rect[k], rect[(k + 1) % 4], lines)]
            groups[look, category].append((outline, whole))
        for (look, category), members in groups.items():
            with self._builder.part(category):
                fitted = [m for m in members if m[1] is not None]
                plain = [m for m in members if m[1] is None]
                for some in (fitted, plain):
                    if some:
                        vertices_V3, faces_F3, uv_F32 = _triangles(some)
                        self._builder.mesh(vertices_V3, faces_F3, look, uv_F32)
        self._rects.clear()


def _between(whole: list[Point], s: float, t: float) -> Point:
    a, b, d = whole[0], whole[1], whole[3]
    x, y, z = (round(a[k] + s * (b[k] - a[k]) + t * (d[k] - a[k])) for k in range(3))
    return x, y, z


def _line(axis: int, point: Point) -> tuple[int, int, int]:
    """The line along `axis` through a point."""
    return axis, point[(axis + 1) % 3], point[(axis + 2) % 3]


def _side(start: Point, end: Point, lines: dict[tuple[int, int, int], list[int]]) -> list[Point]:
    """`start` and every known point strictly between it and `end`, in that order."""
    axis = next(k for k in range(3) if start[k] != end[k])
    places = lines[_line(axis, start)]
    low, high = sorted((start[axis], end[axis]))
    inner = places[bisect_right(places, low) : bisect_left(places, high)]
    if start[axis] > end[axis]:
        inner = inner[::-1]
    points = [start]
    for place in inner:
        point = list(start)
        point[axis] = place
        points.append((point[0], point[1], point[2]))
    return points


def _triangles(
    members: list[tuple[list[Point], list[Point] | None]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Two triangles for a plain rectangle, a fan around its middle for one with vertices on its sides."""
    vertices: list[tuple[float, float, float]] = []
    faces: list[tuple[int, int, int]] = []
    uv: list[tuple[float, float]] = []
    for outline, whole in members:
        first, count = len(vertices), len(outline)
        vertices += [(p[0] * _UNIT, p[1] * _UNIT, p[2] * _UNIT) for p in outline]
        if count == 4:
            faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
        else:
            low, high = np.min(outline, axis=0), np.max(outline, axis=0)
            x, y, z = ((low + high) * (_UNIT / 2)).tolist()
            vertices.append((x, y, z))
            faces += [(first + count, first + k, first + (k + 1) % count) for k in range(count)]
        if whole is not None:
            a, along, up = (np.array(whole[k], dtype=np.float64) for k in (0, 1, 3))
            along, up = along - a, up - a
            offset = np.array(vertices[first:]) / _UNIT - a
            s, t = offset @ along / (along @ along), offset @ up / (up @ up)
            uv += zip(s.tolist(), (1.0 - t).tolist(), strict=True)
    faces_F3 = np.array(faces)
    return np.array(vertices), faces_F3, np.array(uv)[faces_F3] if uv else None
