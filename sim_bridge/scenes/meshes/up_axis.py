"""Find the up axis of a mesh from its geometry: only upright can a house be walked through.

For each candidate axis, horizontal layers of surface are taken as possible floors. The measure is the area of the
largest connected patch that is free up to body height, and that has either something overhead or walls around it. A
house on its side has only strips of wall, divided by its floors; an upright house has whole storeys, because doors
connect its rooms. Unlike the proportions of the bounding box or the area of level faces, this does not depend on the
number of storeys, and a flat without a ceiling stays upright. The outside of a wall that lies on its side is level and
free too, but it has no walls around it.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from avw.sim_bridge.randomness import keyed_rng

SAMPLES = 200_000  # points on the surface; a fixed number keeps the cost independent of the number of triangles
ROOM = 3.3  # metres; wider than the strips between the storeys of a house that lies on its side
DECISIVE = 1.5  # if another axis gives this many times as much floor, geometry overrules the file format
SLABS = 4  # layers tried per axis
BODY = (0.25, 1.7)  # range above the floor that must be free, metres
LEVEL = 0.92  # least |component| of the unit normal along an axis for a face to count as level
WALLED = 0.6  # share of the rim of a patch without a roof that must be wall
_BIN = 0.1  # thickness of a layer, metres
_MAX_SIZE = 5_000.0  # metres; a larger mesh is not a house, or its unit is wrong
_SIDES = ((1, 2), (2, 0), (0, 1))  # the other two axes


def walkable_patches(triangles_F33: np.ndarray) -> np.ndarray:
    """Area (m²) of the largest walkable patch if +x, +y or +z were up: float64 (3,).

    triangles_F33: metres, any frame. The result is deterministic.
    """
    return measure_patches(triangles_F33)[:, 0]


def measure_patches(triangles_F33: np.ndarray) -> np.ndarray:
    """As `walkable_patches`, with widths: float64 (3, 2), area (m²) and diameter of the largest disc inside (m)."""
    points_N3, normals_N3, density = _points(triangles_F33)
    if len(points_N3) == 0 or np.ptp(points_N3, axis=0).max() > _MAX_SIZE:
        return np.zeros((3, 2))
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


def _patch(
    points_N3: np.ndarray, normals_N3: np.ndarray, axis: int, cell: float, density: float
) -> tuple[float, float]:
    height_N = points_N3[:, axis]
    level_N = np.abs(normals_N3[:, axis]) > LEVEL
    if not level_N.any():
        return 0.0, 0.0
    low_2 = points_N3[:, _SIDES[axis]].min(axis=0)
    cells_N2 = ((points_N3[:, _SIDES[axis]] - low_2) / cell).astype(np.int64)
    shape = tuple(int(n) + 1 for n in cells_N2.max(axis=0))
    if shape[0] * shape[1] > 4_000_000:
        return 0.0, 0.0  # large and nearly empty: not a house at this scale
    bins_N = np.floor((height_N[level_N] - height_N.min()) / _BIN).astype(np.int64)
    count = np.bincount(bins_N)
    best_HW = np.zeros(shape, dtype=bool)
    tried: list[int] = []
    for index in np.argsort(-count, kind="stable"):
        if len(tried) == SLABS or count[index] / density <= best_HW.sum() * cell**2:
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
        free_HW = floor_HW & ~blocked_HW
        roofed_HW = _largest(free_HW & overhead_HW)
        best_HW = max(best_HW, roofed_HW, key=np.sum)
        open_HW = _largest(free_HW & ~overhead_HW)
        if open_HW.sum() > best_HW.sum() and _is_walled(open_HW, blocked_HW | overhead_HW):
            best_HW = open_HW
    width = 2.0 * ndimage.distance_transform_edt(np.pad(best_HW, 1)).max() * cell
    return float(best_HW.sum()) * cell**2, float(width)


def _largest(cells_HW: np.ndarray) -> np.ndarray:
    """The cells of the largest connected patch."""
    patch_HW, patches = ndimage.label(cells_HW)
    if not patches:
        return np.zeros_like(cells_HW)
    largest_HW: np.ndarray = patch_HW == 1 + int(np.bincount(patch_HW.ravel())[1:].argmax())
    return largest_HW


def _is_walled(patch_HW: np.ndarray, wall_HW: np.ndarray) -> bool:
    """Whether most of the rim of a patch is wall. A patch may reach the border of the image, so that is extended."""
    patch_HW, wall_HW = np.pad(patch_HW, 2), np.pad(wall_HW, 2)
    rim_HW = ndimage.binary_dilation(patch_HW, iterations=2) & ~patch_HW
    inner_HW = ndimage.binary_dilation(patch_HW) & rim_HW
    return bool(ndimage.binary_dilation(wall_HW & rim_HW)[inner_HW].mean() >= WALLED)
