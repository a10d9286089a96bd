"""Join rectangles into one watertight mesh: where the corner of one lies on the side of another, both get a vertex.

Without the extra vertices there would be T-junctions between differently divided walls, and rays could pass through.
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

_UNIT = 1e-4  # metres; corners are stored as integers in this unit, so that equal points compare as equal

Point = tuple[int, int, int]
Corner = tuple[float, float, float]


class ShellMesh:
    """Collects axis-aligned rectangles in world coordinates (metres) and draws them together."""

    def __init__(self, builder: MeshBuilder) -> None:
        self._builder = builder
        # Per rectangle: corners, surface, category, and the larger rectangle that a fitted texture covers.
        self._rects: list[tuple[list[Point], str, str, list[Point] | None]] = []

    def rect(self, corners: Sequence[Corner], surface: str, category: str, *, fit: bool = False) -> None:
        """Add a rectangle.

        corners: counter-clockwise seen from the visible side; the first is the lower left corner of a fitted texture
        surface: name of a surface registered with the builder · fit: show the whole texture once
        """
        whole = [(round(x / _UNIT), round(y / _UNIT), round(z / _UNIT)) for x, y, z in corners]
        columns = max(1, math.ceil(math.dist(corners[0], corners[1]) / MAX_EDGE - 1e-9))
        rows = max(1, math.ceil(math.dist(corners[0], corners[3]) / MAX_EDGE - 1e-9))
        at = [[_between(whole, i / columns, j / rows) for i in range(columns + 1)] for j in range(rows + 1)]
        for j in range(rows):
            for i in range(columns):
                part = [at[j][i], at[j][i + 1], at[j + 1][i + 1], at[j + 1][i]]
                self._rects.append((part, surface, category, whole if fit else None))

    def draw(self) -> None:
        """Pass all rectangles to the builder, as one mesh per surface and category, and forget them."""
        lines: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for point in {point for rect, *_ in self._rects for point in rect}:
            for axis in range(3):
                lines[_line(axis, point)].append(point[axis])
        for places in lines.values():
            places.sort()
        groups: dict[tuple[str, str], list[tuple[list[Point], list[Point] | None]]] = defaultdict(list)
        for rect, surface, category, whole in self._rects:
            outline = [point for k in range(4) for point in _side(rect[k], rect[(k + 1) % 4], lines)]
            groups[surface, category].append((outline, whole))
        for (surface, category), members in groups.items():
            with self._builder.part(category):
                fitted = [m for m in members if m[1] is not None]
                plain = [m for m in members if m[1] is None]
                for some in (fitted, plain):
                    if some:
                        vertices_V3, faces_F3, uv_F32 = _triangles(some)
                        self._builder.mesh(vertices_V3, faces_F3, surface, uv_F32)
        self._rects.clear()


def _between(whole: list[Point], s: float, t: float) -> Point:
    a, b, d = whole[0], whole[1], whole[3]
    x, y, z = (round(a[k] + s * (b[k] - a[k]) + t * (d[k] - a[k])) for k in range(3))
    return x, y, z


def _line(axis: int, point: Point) -> tuple[int, int, int]:
    """A key for the line along `axis` through a point."""
    return axis, point[(axis + 1) % 3], point[(axis + 2) % 3]


def _side(start: Point, end: Point, lines: dict[tuple[int, int, int], list[int]]) -> list[Point]:
    """`start` and all known points strictly between `start` and `end`, in order from `start`."""
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
    """Triangulate outlines: two triangles if an outline has four points, otherwise a fan around its middle.

    Returns vertices (V, 3) in metres, faces (F, 3), and texture coordinates (F, 3, 2) of fitted textures or None.
    """
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
