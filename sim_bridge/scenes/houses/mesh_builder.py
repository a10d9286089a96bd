"""Build a textured mesh from quads, boxes and round shapes, drawn in a local frame that can be placed anywhere."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from avw.sim_bridge.scenes.scene import Surface

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike

Point = tuple[float, float, float]
MAX_EDGE = 1.6  # metres; longer quads are divided, so that lighting and bounding boxes for rays stay local
_BOX_FACES = {  # corners counter-clockwise seen from outside, as (x, y, z) indices into (low, high)
    "-x": ((0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0)),
    "+x": ((1, 0, 1), (1, 0, 0), (1, 1, 0), (1, 1, 1)),
    "-y": ((0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)),
    "+y": ((0, 1, 1), (1, 1, 1), (1, 1, 0), (0, 1, 0)),
    "-z": ((1, 0, 0), (0, 0, 0), (0, 1, 0), (1, 1, 0)),
    "+z": ((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
}


class MeshBuilder:
    """Collects triangles. Positions are metres in the current local frame (see `placed`); faces point outwards.

    A surface is registered once, with the size in metres of one repeat of its texture. Texture coordinates of a shape
    come from a projection along the dominant axis of each face. With `fit=True` a quad shows the whole texture once.
    """

    def __init__(self) -> None:
        self._registered: dict[str, tuple[Surface, float]] = {}
        self._surfaces: list[Surface] = []
        self._index: dict[tuple[str, str], int] = {}
        self._vertices: list[np.ndarray] = []
        self._faces: list[np.ndarray] = []
        # Texture coordinates, or None where they are projected from `_local` (corners in the local frame) and
        # `_repeat` (metres per repeat of the texture).
        self._uv: list[np.ndarray | None] = []
        self._local: list[np.ndarray] = []
        self._repeat: list[np.ndarray] = []
        self._surface: list[np.ndarray] = []
        self._object: list[np.ndarray] = []
        self._category, self._number, self._n_objects = "", 0, 0
        self._n_vertices = 0
        self._axes_33 = np.eye(3)
        self._origin_3 = np.zeros(3)

    def has(self, name: str) -> bool:
        """Whether a surface of this name is registered."""
        return name in self._registered

    def surface(self, surface: Surface, metres_per_repeat: float = 1.0) -> str:
        """Register `surface` and return its name. Shapes refer to the surface by this name."""
        self._registered.setdefault(surface.name, (surface, metres_per_repeat))
        return surface.name

    @contextmanager
    def part(self, category: str) -> Iterator[None]:
        """Draw the shapes inside the block as a part, of this category, of the current object."""
        outer, self._category = self._category, category
        try:
            yield
        finally:
            self._category = outer

    @contextmanager
    def item(self, category: str) -> Iterator[None]:
        """Draw the shapes inside the block as a separate object of this category."""
        outer = self._number
        self._n_objects += 1
        self._number = self._n_objects
        try:
            with self.part(category):
                yield
        finally:
            self._number = outer

    def _surface_index(self, surface: str) -> int:
        """Index of the scene surface for a registered surface in the current category."""
        key = surface, self._category
        if key not in self._index:
            name = f"{self._category}: {surface}" if self._category else surface
            self._index[key] = len(self._surfaces)
            self._surfaces.append(replace(self._registered[surface][0], name=name, category=self._category))
        return self._index[key]

    @contextmanager
    def placed(self, origin_3: ArrayLike, yaw: float = 0.0) -> Iterator[None]:
        """Draw the shapes inside the block in a frame at `origin_3`, turned by `yaw` (radians, about +Y)."""
        outer = self._axes_33, self._origin_3
        # Quarter turns are exact, so that walls and furniture stay exactly in their planes.
        quarter = yaw / (math.pi / 2)
        c, s = (
            ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[round(quarter) % 4]
            if abs(quarter - round(quarter)) < 1e-9
            else (math.cos(yaw), math.sin(yaw))
        )
        turn_33 = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
        self._origin_3 = outer[0] @ np.asarray(origin_3, dtype=np.float64) + outer[1]
        self._axes_33 = outer[0] @ turn_33
        try:
            yield
        finally:
            self._axes_33, self._origin_3 = outer

    def world(self, point_3: ArrayLike) -> tuple[float, float, float]:
        """Convert a point of the current local frame to world coordinates (metres), rounded as vertices are."""
        x, y, z = np.round(self._axes_33 @ np.asarray(point_3, dtype=np.float64) + self._origin_3, 4).tolist()
        return x, y, z

    def triangles(self, vertices: Sequence[Point], faces: Sequence[tuple[int, int, int]], surface: str) -> None:
        """Add flat triangles given as lists. Each face gets its own vertices, so that edges stay sharp."""
        faces_F3 = np.asarray(faces)
        corners_N3 = np.asarray(vertices, dtype=np.float64)[faces_F3.ravel()]
        self.mesh(corners_N3, np.arange(len(corners_N3)).reshape(-1, 3), surface)

    def disc(self, centre_3: ArrayLike, radius: float, depth: float, surface: str, *, sections: int = 20) -> None:
        """Add a round plate that faces +z, from the z of its centre to z + `depth` (metres). It has no back face."""
        angle = np.arange(sections) * (2 * math.pi / sections)
        ring_N3 = np.stack([np.cos(angle) * radius, np.sin(angle) * radius, np.zeros(sections)], axis=1)
        ring_N3 = ring_N3 + np.asarray(centre_3, dtype=np.float64)
        vertices_V3 = np.concatenate([ring_N3, ring_N3 + np.array([0.0, 0.0, depth])])
        k = np.arange(sections)
        n = (k + 1) % sections
        sides = np.concatenate([np.stack([k, n, n + sections], 1), np.stack([k, n + sections, k + sections], 1)])
        self.mesh(vertices_V3, sides, surface)
        fan = np.stack([np.zeros(sections - 2, dtype=int), k[1:-1], k[2:]], axis=1)
        self.mesh(vertices_V3[sections:], fan, surface)

    def mesh(
        self, vertices_V3: np.ndarray, faces_F3: np.ndarray, surface: str, uv_F32: np.ndarray | None = None
    ) -> None:
        """Add triangles. Without `uv_F32`, texture coordinates are projected along the dominant axis of each face."""
        index = self._surface_index(surface)
        vertices_V3 = np.asarray(vertices_V3, dtype=np.float64)
        if uv_F32 is None:
            self._local.append(vertices_V3[faces_F3])
            self._repeat.append(np.full(len(faces_F3), self._registered[surface][1]))
        self._vertices.append(vertices_V3 @ self._axes_33.T + self._origin_3)
        self._faces.append(faces_F3 + self._n_vertices)
        self._uv.append(uv_F32)
        self._surface.append(np.full(len(faces_F3), index, dtype=np.int32))
        self._object.append(np.full(len(faces_F3), self._number, dtype=np.int32))
        self._n_vertices += len(vertices_V3)

    def quad(self, corners_43: ArrayLike, surface: str, *, fit: bool = False, max_edge: float = MAX_EDGE) -> None:
        """Add a parallelogram.

        corners_43: counter-clockwise seen from the visible side; the first is the lower left corner of a fitted texture
        max_edge: longer sides are divided (metres)
        """
        c_43 = np.asarray(corners_43, dtype=np.float64)
        along_3, up_3 = c_43[1] - c_43[0], c_43[3] - c_43[0]
        columns = max(1, math.ceil(np.linalg.norm(along_3) / max_edge - 1e-9))
        rows = max(1, math.ceil(np.linalg.norm(up_3) / max_edge - 1e-9))
        st_V2, faces_F3 = _grid(columns, rows)
        uv_F32 = None
        if fit:
            uv_F32 = np.stack([st_V2[:, 0], 1.0 - st_V2[:, 1]], axis=1)[faces_F3]
        self.mesh(c_43[0] + st_V2[:, :1] * along_3 + st_V2[:, 1:] * up_3, faces_F3, surface, uv_F32)

    def box(self, low_3: ArrayLike, high_3: ArrayLike, surface: str, *, without: tuple[str, ...] = ()) -> None:
        """Add a box aligned with the local axes. `without` names hidden faces to omit, such as ("-y",)."""
        ends_23 = np.array([low_3, high_3], dtype=np.float64)
        names = tuple(name for name in _BOX_FACES if name not in without)
        if not names:
            return
        picks_K3, faces_F3 = _box_parts(names)
        corners_K3 = ends_23[picks_K3, _XYZ]
        if (ends_23[1] - ends_23[0]).max() <= MAX_EDGE:
            self.mesh(corners_K3, faces_F3, surface)
        else:
            for corners_43 in corners_K3.reshape(-1, 4, 3):
                self.quad(corners_43, surface)

    def cylinder(
        self,
        base_3: ArrayLike,
        radius: float,
        height: float,
        surface: str,
        *,
        sections: int = 14,
        top_radius: float | None = None,
        without: tuple[str, ...] = (),
    ) -> None:
        """Add an upright cylinder or cone. `without` names end faces to omit because they are hidden ("-y", "+y")."""
        top_radius = radius if top_radius is None else top_radius
        angle = np.arange(sections + 1) * (2 * math.pi / sections)
        ring_N2 = np.stack([np.cos(angle), -np.sin(angle)], axis=1)
        bottom = np.stack([ring_N2[:, 0] * radius, np.zeros(sections + 1), ring_N2[:, 1] * radius], axis=1)
        top = np.stack([ring_N2[:, 0] * top_radius, np.full(sections + 1, height), ring_N2[:, 1] * top_radius], axis=1)
        vertices = np.concatenate([bottom, top]) + np.asarray(base_3, dtype=np.float64)
        k = np.arange(sections)
        low, high = k, k + sections + 1
        faces = np.concatenate([np.stack([low, low + 1, high + 1], 1), np.stack([low, high + 1, high], 1)])
        repeat = self._registered[surface][1]
        around, up = angle * max(radius, top_radius) / repeat, height / repeat
        uv_V2 = np.concatenate([np.stack([around, np.zeros_like(around)], 1), np.stack([around, around * 0 + up], 1)])
        self.mesh(vertices, faces, surface, uv_V2[faces])
        fan = np.stack([np.zeros(sections - 2, dtype=int), k[1:-1], k[2:]], axis=1)
        if "+y" not in without:
            self.mesh(vertices[sections + 1 : -1], fan, surface)
        if "-y" not in without:
            self.mesh(vertices[:sections], fan[:, ::-1], surface)

    def ellipsoid(self, centre_3: ArrayLike, radii_3: ArrayLike, surface: str, *, detail: int = 1) -> None:
        """Add an ellipsoid of 20 * 4**detail triangles."""
        vertices, faces = _icosphere(detail)
        self.mesh(vertices * np.asarray(radii_3) + np.asarray(centre_3), faces, surface)

    def cushion(self, low_3: ArrayLike, high_3: ArrayLike, surface: str, *, detail: int = 2) -> None:
        """Add a box with round edges: a superellipsoid that touches all six sides of the box."""
        vertices, faces = _icosphere(detail)
        vertices = np.sign(vertices) * np.abs(vertices) ** 0.42
        vertices = vertices / np.abs(vertices).max(axis=0)
        low_3, high_3 = np.asarray(low_3, dtype=np.float64), np.asarray(high_3, dtype=np.float64)
        self.mesh(vertices * (high_3 - low_3) / 2 + (low_3 + high_3) / 2, faces, surface)

    def build(self) -> dict[str, Any]:
        """Return the fields vertices_V3, faces_F3, uv_F32, surface_F, object_F and surfaces of a `Scene`.

        Degenerate triangles and surfaces without faces are omitted. Positions are rounded to 0.1 mm, because the last
        bits of sines differ between machines and houses must not.
        """
        vertices_V3 = np.round(np.concatenate(self._vertices), 4).astype(np.float32)
        faces_F3 = np.concatenate(self._faces).astype(np.int32)
        corners = vertices_V3[faces_F3].astype(np.float64)
        normal_F3 = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        # Undersides of objects on the floor are never visible, and they would lie in the plane of the floor.
        hidden_F = (corners[:, :, 1] == 0.0).all(axis=1) & (normal_F3[:, 1] < 0)
        keep_F = (np.linalg.norm(normal_F3, axis=1) > 1e-8) & ~hidden_F
        # Object numbers have no gaps in the result; an object without faces would leave one.
        object_F = np.unique(np.append(np.concatenate(self._object)[keep_F], 0), return_inverse=True)[1][:-1]
        shown, surface_F = np.unique(np.concatenate(self._surface)[keep_F], return_inverse=True)
        return {
            "vertices_V3": vertices_V3,
            "faces_F3": faces_F3[keep_F],
            "uv_F32": np.round(self._mapped()[keep_F], 4).astype(np.float32),
            "surface_F": surface_F.astype(np.int32),
            "object_F": object_F.astype(np.int32),
            "surfaces": tuple(self._surfaces[k] for k in shown),
        }

    def _mapped(self) -> np.ndarray:
        """Texture coordinates of all faces. Missing ones are projected in one batch, which is much faster."""
        given_F = np.repeat([uv is not None for uv in self._uv], [len(faces) for faces in self._faces])
        uv_F32 = np.empty((len(given_F), 3, 2))
        given = [uv for uv in self._uv if uv is not None]
        if given:
            uv_F32[given_F] = np.concatenate(given)
        if self._local:
            repeat_F = np.concatenate(self._repeat)
            uv_F32[~given_F] = _project(np.concatenate(self._local)) / repeat_F[:, None, None]
        return uv_F32


_XYZ = np.arange(3)


@lru_cache(maxsize=64)
def _box_parts(names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Corners and triangles of n faces of a box: indices (4 n, 3) into its (low, high) ends, and faces (2 n, 3)."""
    picks_K3 = np.array([pick for name in names for pick in _BOX_FACES[name]])
    first = np.arange(len(names))[:, None] * 4
    faces_F3 = np.concatenate([first + np.array([[0, 1, 2]]), first + np.array([[0, 2, 3]])])
    return picks_K3, faces_F3


@lru_cache(maxsize=256)
def _grid(columns: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A unit square of columns x rows cells: vertices (V, 2) in 0..1 and counter-clockwise faces (F, 3)."""
    i, j = np.meshgrid(np.arange(columns + 1), np.arange(rows + 1))
    st_V2 = np.stack([i.ravel() / columns, j.ravel() / rows], axis=1)
    a = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    b, c, d = a + 1, a + columns + 2, a + columns + 1
    return st_V2, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def _project(corners_F33: np.ndarray) -> np.ndarray:
    """Project each face along its dominant axis: (F, 3, 2) metres. On walls v points down, as in images."""
    normal_F3 = np.cross(corners_F33[:, 1] - corners_F33[:, 0], corners_F33[:, 2] - corners_F33[:, 0])
    axis_F = np.argmax(np.abs(normal_F3), axis=1)
    x, y, z = corners_F33[..., 0], corners_F33[..., 1], corners_F33[..., 2]
    by_axis = np.stack([np.stack([z, -y], -1), np.stack([x, z], -1), np.stack([x, -y], -1)])
    return by_axis[axis_F, np.arange(len(axis_F))]


@lru_cache(maxsize=4)
def _icosphere(detail: int) -> tuple[np.ndarray, np.ndarray]:
    """A unit sphere of 20 * 4**detail triangles: an icosahedron, its triangles divided into four `detail` times."""
    golden = (1 + math.sqrt(5)) / 2
    flat = [(-1, golden, 0), (1, golden, 0), (-1, -golden, 0), (1, -golden, 0)]
    vertices = [np.array(p) for shift in range(3) for p in (np.roll(q, shift) for q in flat)]
    vertices_V3 = np.array(vertices) / math.sqrt(1 + golden**2)
    # Neighbours are one edge apart; a triangle is three mutual neighbours.
    near = np.linalg.norm(vertices_V3[:, None] - vertices_V3, axis=2) < 1.1
    faces = [
        (i, j, k)
        for i in range(12)
        for j in range(i + 1, 12)
        for k in range(j + 1, 12)
        if near[i, j] and near[j, k] and near[i, k]
    ]
    faces_F3 = np.array([f if np.linalg.det(vertices_V3[list(f)]) > 0 else f[::-1] for f in faces])
    for _ in range(detail):
        edges = np.sort(np.concatenate([faces_F3[:, [0, 1]], faces_F3[:, [1, 2]], faces_F3[:, [2, 0]]]), axis=1)
        unique, inverse = np.unique(edges, axis=0, return_inverse=True)
        middle = vertices_V3[unique].sum(axis=1)
        ab, bc, ca = (inverse.reshape(3, -1) + len(vertices_V3))[:3]
        a, b, c = faces_F3.T
        vertices_V3 = np.concatenate([vertices_V3, middle / np.linalg.norm(middle, axis=1, keepdims=True)])
        faces_F3 = np.concatenate([np.stack(t, axis=1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return vertices_V3, faces_F3
