"""Find the up axis of a mesh from its geometry: only upright can a house be walked through.

For each candidate axis, horizontal layers of surface are taken as possible floors. The measure is the area of the
largest connected patch that is free up to body height and has something overhead. A house on its side has only strips
of wall, divided by its floors; an upright house has whole storeys, because doors connect its rooms. Unlike the
proportions of the bounding box or the area of level faces, this does not depend on the number of storeys.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from avw.sim_bridge.randomness import keyed_rng

SAMPLES = 200_000  # points on the surface; a fixed number keeps the cost independent of the number of triangles
DECISIVE = 1.5  # if another axis gives this many times as much floor, geometry overrules the file format
SLABS = 4  # layers tried per axis
BODY = (0.25, 1.7)  # range above the floor that must be free, metres
LEVEL = 0.92  # least |component| of the unit normal along an axis for a face to count as level
_BIN = 0.1  # thickness of a layer, metres
_MAX_SIZE = 5_000.0  # metres; a larger mesh is not a house, or its unit is wrong
_SIDES = ((1, 2), (2, 0), (0, 1))  # the other two axes


def walkable_patches(triangles_F33: np.ndarray) -> np.ndarray:
    """Area (m²) of the largest walkable patch if +x, +y or +z were up: float64 (3,).

    triangles_F33: metres, any frame. The result is deterministic.
    """
    points_N3, normals_N3, density = _points(triangles_F33)
    if len(points_N3) == 0 or np.ptp(points_N3, axis=0).max() > _MAX_SIZE:
        return np.zeros(3)
    # Large enough that few floor cells are empty by chance, small enough to pass through doors.
    cell = float(np.clip(np.sqrt(6.0 / density), 0.1, 0.4))
    return np.array([_patch(points_N3, normals_N3, axis, cell, density) for axis in range(3)])


def _points(triangles_F33: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Points spread evenly over the surface, their unit normals, and the number of points per m²."""
    corners = np.asarray(triangles_F33, dtype=np.float64)
    edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(edge_a, edge_b)
    length = np.linalg.norm(normal, axis=1)
    total = float(length.sum())
    if not total > 0:
        return np.zeros((0, 3)), np.zeros((0, 3)), 1.0
    rng = keyed_rng("up-axis")
    # Stratified sampling, one point per equal share of the area: no face of that size is missed.
    place_N = (np.arange(SAMPLES) + rng.random(SAMPLES)) / SAMPLES * total
    face_N = np.minimum(np.searchsorted(np.cumsum(length), place_N), len(corners) - 1)
    a_N, b_N = rng.random((2, SAMPLES))
    over = a_N + b_N > 1.0
    a_N[over], b_N[over] = 1.0 - a_N[over], 1.0 - b_N[over]
    points_N3 = corners[face_N, 0] + a_N[:, None] * edge_a[face_N] + b_N[:, None] * edge_b[face_N]
    return points_N3, normal[face_N] / np.maximum(length[face_N], 1e-30)[:, None], SAMPLES / (0.5 * total)


def _patch(points_N3: np.ndarray, normals_N3: np.ndarray, axis: int, cell: float, density: float) -> float:
    height_N = points_N3[:, axis]
    level_N = np.abs(normals_N3[:, axis]) > LEVEL
    if not level_N.any():
        return 0.0
    low_2 = points_N3[:, _SIDES[axis]].min(axis=0)
    cells_N2 = ((points_N3[:, _SIDES[axis]] - low_2) / cell).astype(np.int64)
    shape = tuple(int(n) + 1 for n in cells_N2.max(axis=0))
    if shape[0] * shape[1] > 4_000_000:
        return 0.0  # large and nearly empty: not a house at this scale
    bins_N = np.floor((height_N[level_N] - height_N.min()) / _BIN).astype(np.int64)
    count = np.bincount(bins_N)
    best = 0.0
    tried: list[int] = []
    for index in np.argsort(-count, kind="stable"):
        if len(tried) == SLABS or count[index] / density <= best:
            break
        if any(abs(int(index) - other) <= 2 for other in tried):
            continue
        tried.append(int(index))
        floor = height_N.min() + (index + 0.5) * _BIN

        def top_view(chosen_N: np.ndarray) -> np.ndarray:
            out = np.zeros(shape, dtype=bool)
            out[cells_N2[chosen_N, 0], cells_N2[chosen_N, 1]] = True
            return out

        floor_HW = ndimage.binary_closing(top_view(level_N & (np.abs(height_N - floor) <= 1.5 * _BIN)))
        blocked_HW = top_view((height_N > floor + BODY[0]) & (height_N < floor + BODY[1]))
        overhead_HW = top_view(height_N >= floor + BODY[1])
        overhead_HW = ndimage.binary_closing(overhead_HW, iterations=2)
        patch_HW, patches = ndimage.label(floor_HW & ~blocked_HW & overhead_HW)
        if patches:
            best = max(best, float(np.bincount(patch_HW.ravel())[1:].max()) * cell**2)
    return best
