"""From triangles to clearance: how far every point of the floor plan is from what an agent would bump into.

Distances near obstacles are exact (point to clipped triangle, not cell to cell), so the contour "clearance equals
the agent's radius" is smooth and an agent slides along slanted walls instead of climbing stairs of cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import ndimage

from avw.sim_bridge.errors import SceneError

REACH = 0.25  # metres within which distances are exact; farther ones come from a distance transform of cells
MOST_NODES = 40_000_000  # 316 x 316 m at 5 cm: no house is larger
LEVEL_BIN = 0.05  # metres, resolution of the search for floors
MIN_FLOOR_AREA = 1.0  # square metres of level surface that can be a floor
SKY = 1e6  # metres, above everything
FLATNESS = 0.7  # |vertical part of a unit normal| of a face that one can stand on


@dataclass(frozen=True, kw_only=True, slots=True)
class ClearanceMap:
    """One floor seen from above.

    clearance_HW: float64 metres to the nearest obstacle or edge of the floor; row = z, column = x
    origin: (x, z) of node [0, 0] · cell: metres between nodes · floor_y: metres
    indoor_HW: bool, something is overhead (a roof's upper side is a floor too, but not indoors)
    """

    clearance_HW: np.ndarray
    indoor_HW: np.ndarray
    origin: tuple[float, float]
    cell: float
    floor_y: float


def floor_levels(triangles_F33: np.ndarray, *, facing_up: bool = True, limit: int = 4) -> list[tuple[float, float]]:
    """(height, square metres) where level faces gather, the largest area first; desks and roofs may be among them.

    facing_up: count only faces whose normal points up, as a floor's does where a mesh is wound consistently.
    """
    edge_a = triangles_F33[:, 1] - triangles_F33[:, 0]
    edge_b = triangles_F33[:, 2] - triangles_F33[:, 0]
    normal = np.cross(edge_a.astype(np.float64), edge_b.astype(np.float64))
    double_area = np.linalg.norm(normal, axis=1)
    upward = normal[:, 1] if facing_up else np.abs(normal[:, 1])
    level = upward > FLATNESS * np.maximum(double_area, 1e-12)
    if not level.any():
        return []
    height = triangles_F33[level, :, 1].mean(axis=1, dtype=np.float64)
    area = 0.5 * double_area[level]
    # Bins are centred on multiples of LEVEL_BIN, so that a floor at exactly y = 0 does not straddle two of them.
    bins, inverse = np.unique(np.round(height / LEVEL_BIN).astype(np.int64), return_inverse=True)
    area_of_bin = np.bincount(inverse, weights=area)
    found: list[tuple[float, float]] = []
    taken: list[int] = []
    for index in np.argsort(-area_of_bin, kind="stable"):
        if area_of_bin[index] < MIN_FLOOR_AREA or len(found) == limit:
            break
        if any(abs(int(bins[index]) - other) <= 2 for other in taken):
            continue
        taken.append(int(bins[index]))
        inside = inverse == index
        found.append((float(np.average(height[inside], weights=area[inside])), float(area_of_bin[index])))
    return found


def clearance_map(
    triangles_F33: np.ndarray, floor_y: float, *, cell: float, climb: float, height: float
) -> ClearanceMap:
    """Measure the clearance on the floor at `floor_y` (metres) for an agent `height` metres tall.

    climb: metres; what rises less above the floor (rugs, sills) is walked over.
    """
    triangles_F33 = np.ascontiguousarray(triangles_F33, dtype=np.float64)
    lowest_y, highest_y = triangles_F33[:, :, 1].min(axis=1), triangles_F33[:, :, 1].max(axis=1)
    walkable = triangles_F33[(lowest_y >= floor_y - climb) & (highest_y <= floor_y + climb)]
    if len(walkable) == 0:
        raise SceneError(f"nothing lies level at y = {floor_y:.2f} m: the faces around it are slopes")
    margin = 2 * cell
    low_x, low_z = walkable[:, :, 0].min() - margin, walkable[:, :, 2].min() - margin
    width = int(np.ceil((walkable[:, :, 0].max() + margin - low_x) / cell)) + 1
    depth = int(np.ceil((walkable[:, :, 2].max() + margin - low_z) / cell)) + 1

    check_extent(depth, width, cell)

    def distance(faces: np.ndarray, bottom: float, top: float, reach: float) -> np.ndarray:
        out_HW = np.full((depth, width), np.inf)
        _splat(faces, bottom, top, low_x, low_z, cell, reach, out_HW)
        return out_HW

    obstacles = triangles_F33[(highest_y > floor_y + climb) & (lowest_y < floor_y + height)]
    overhead = triangles_F33[highest_y > floor_y + height]
    near_HW = distance(obstacles, floor_y + climb, floor_y + height, REACH)
    touch = 0.3 * cell  # closes the hairline gaps between a floor's neighbouring faces
    floor_HW = distance(walkable, floor_y - climb, floor_y + climb, touch) <= touch
    indoor_HW = distance(overhead, floor_y + height, SKY, touch) <= touch

    blocked_HW = ~floor_HW | (near_HW <= 0.5 * cell)
    # Half a diagonal less: the nearest obstacle may reach that far out of its cell.
    far_HW = ndimage.distance_transform_edt(~blocked_HW, sampling=cell) - 0.71 * cell
    clearance_HW = np.where(near_HW < REACH, near_HW, np.maximum(far_HW, REACH))
    edge_HW = ndimage.distance_transform_edt(floor_HW, sampling=cell) - 0.5 * cell
    clearance_HW = np.maximum(np.minimum(clearance_HW, edge_HW), 0.0)
    return ClearanceMap(
        clearance_HW=clearance_HW,
        indoor_HW=indoor_HW,
        origin=(float(low_x), float(low_z)),
        cell=cell,
        floor_y=floor_y,
    )


def check_extent(rows: int, columns: int, cell: float) -> None:
    """Raises SceneError for a grid that no house needs, before it fills the memory."""
    if rows * columns > MOST_NODES:
        raise SceneError(
            f"a floor of {columns * cell:,.0f} x {rows * cell:,.0f} m is too large to walk on: it takes more than "
            f"{MOST_NODES:,} nodes. Most likely the mesh is not in metres; check it with `avw info FILE`"
        )


@njit(cache=True)
def clip(polygon_P3, count, height, keep_above, out_P3):
    """Sutherland-Hodgman against one horizontal plane; returns the number of corners kept."""
    kept = 0
    for index in range(count):
        after = index + 1 if index + 1 < count else 0
        signed_here = polygon_P3[index, 1] - height
        signed_after = polygon_P3[after, 1] - height
        if not keep_above:
            signed_here, signed_after = -signed_here, -signed_after
        if signed_here >= 0.0:
            for axis in range(3):  # element by element: assigning rows takes Numba seconds to compile
                out_P3[kept, axis] = polygon_P3[index, axis]
            kept += 1
        if (signed_here >= 0.0) != (signed_after >= 0.0):
            share = signed_here / (signed_here - signed_after)
            for axis in range(3):
                here = polygon_P3[index, axis]
                out_P3[kept, axis] = here + share * (polygon_P3[after, axis] - here)
            kept += 1
    return kept


@njit(cache=True)
def distance_to_polygon(x, z, polygon_P3, count):
    """From (x, z) to a convex polygon seen from above: 0 inside, else metres to its nearest edge."""
    best = np.inf
    positive = True
    negative = True
    for index in range(count):
        ax, az = polygon_P3[index, 0], polygon_P3[index, 2]
        other = (index + 1) % count
        ux, uz = polygon_P3[other, 0] - ax, polygon_P3[other, 2] - az
        px, pz = x - ax, z - az
        turn = ux * pz - uz * px
        if turn <= 0.0:
            positive = False
        if turn >= 0.0:
            negative = False
        length = ux * ux + uz * uz
        share = 0.0
        if length > 0.0:
            share = min(1.0, max(0.0, (px * ux + pz * uz) / length))
        dx, dz = px - share * ux, pz - share * uz
        best = min(best, dx * dx + dz * dz)
    if positive or negative:
        return 0.0
    return np.sqrt(best)


@njit(cache=True, nogil=True)
def _splat(triangles_F33, bottom, top, low_x, low_z, cell, reach, out_HW):
    """Lower `out_HW` to the distance of every node to the parts of the triangles between two heights."""
    rows, columns = out_HW.shape
    triangle_P3 = np.empty((8, 3))
    above_P3 = np.empty((8, 3))
    within_P3 = np.empty((8, 3))
    for face in range(triangles_F33.shape[0]):
        for corner in range(3):
            for axis in range(3):
                triangle_P3[corner, axis] = triangles_F33[face, corner, axis]
        count = clip(triangle_P3, 3, bottom, True, above_P3)
        count = clip(above_P3, count, top, False, within_P3)
        if count == 0:
            continue
        min_x, max_x, min_z, max_z = np.inf, -np.inf, np.inf, -np.inf
        for index in range(count):
            min_x, max_x = min(min_x, within_P3[index, 0]), max(max_x, within_P3[index, 0])
            min_z, max_z = min(min_z, within_P3[index, 2]), max(max_z, within_P3[index, 2])
        first_row = max(0, int(np.ceil((min_z - reach - low_z) / cell)))
        last_row = min(rows - 1, int(np.floor((max_z + reach - low_z) / cell)))
        first_column = max(0, int(np.ceil((min_x - reach - low_x) / cell)))
        last_column = min(columns - 1, int(np.floor((max_x + reach - low_x) / cell)))
        for row in range(first_row, last_row + 1):
            for column in range(first_column, last_column + 1):
                distance = distance_to_polygon(low_x + column * cell, low_z + row * cell, within_P3, count)
                if distance < out_HW[row, column] and distance <= reach:
                    out_HW[row, column] = distance
