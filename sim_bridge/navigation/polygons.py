"""Numba kernels for convex polygons: clip them at a height, and measure distances to them seen from above."""

from __future__ import annotations

import numpy as np
from numba import njit

REACH = 0.25  # metres within which clearances are exact; farther ones come from distances between nodes


@njit(cache=True)
def clip(polygon_P3, count, height, keep_above, out_P3):
    """Sutherland-Hodgman clipping at one horizontal plane; returns the number of corners that are kept."""
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
    """Metres from (x, z) to the nearest edge of a convex polygon seen from above; 0 inside it."""
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
def lower_to_distances(triangles_F33, bottom, top, low_x, low_z, cell, reach, out_HW):
    """Lower `out_HW` to each node's distance to the parts of the triangles between two heights, up to `reach`."""
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
