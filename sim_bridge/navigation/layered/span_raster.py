"""Triangles on the grid of the floor plan: which nodes they cover, and at what height."""

from __future__ import annotations

import numpy as np
from numba import njit

from avw.sim_bridge.navigation.polygons import distance_to_polygon


def floor_samples(
    triangles_F33: np.ndarray, low_x: float, low_z: float, cell: float, touch: float, rows: int, columns: int
) -> tuple[np.ndarray, np.ndarray]:
    """(flat node index, height in metres) of every pair of a node and a face at most `touch` metres apart."""
    out_HW = np.empty((0, 0))
    count = _visit(triangles_F33, low_x, low_z, cell, touch, rows, columns, np.empty(0, np.int64), np.empty(0), out_HW)
    node_N, height_N = np.empty(count, dtype=np.int64), np.empty(count)
    _visit(triangles_F33, low_x, low_z, cell, touch, rows, columns, node_N, height_N, out_HW)
    return node_N, height_N


def tops(
    triangles_F33: np.ndarray, low_x: float, low_z: float, cell: float, touch: float, rows: int, columns: int
) -> np.ndarray:
    """float64 (H, W): the height of the highest face over every node, -inf where there is none."""
    top_HW = np.full((rows, columns), -np.inf)
    nothing = np.empty(0, np.int64), np.empty(0)
    _visit(triangles_F33, low_x, low_z, cell, touch, rows, columns, *nothing, top_HW)
    return top_HW


@njit(cache=True, nogil=True)
def _visit(triangles_F33, low_x, low_z, cell, touch, rows, columns, node_N, height_N, top_HW):
    """Count the pairs of nodes and faces; also record them, or raise `top_HW`, where these arrays are not empty."""
    polygon_P3 = np.empty((3, 3))
    count = 0
    for face in range(triangles_F33.shape[0]):
        for corner in range(3):
            for axis in range(3):
                polygon_P3[corner, axis] = triangles_F33[face, corner, axis]
        ax, ay, az = polygon_P3[0, 0], polygon_P3[0, 1], polygon_P3[0, 2]
        ux, uy, uz = polygon_P3[1, 0] - ax, polygon_P3[1, 1] - ay, polygon_P3[1, 2] - az
        vx, vy, vz = polygon_P3[2, 0] - ax, polygon_P3[2, 1] - ay, polygon_P3[2, 2] - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        if abs(ny) < 1e-3 * np.sqrt(nx * nx + ny * ny + nz * nz):
            continue  # vertical: seen from above it is a line
        low_y = min(ay, polygon_P3[1, 1], polygon_P3[2, 1])
        high_y = max(ay, polygon_P3[1, 1], polygon_P3[2, 1])
        min_x, max_x = min(ax, ax + ux, ax + vx), max(ax, ax + ux, ax + vx)
        min_z, max_z = min(az, az + uz, az + vz), max(az, az + uz, az + vz)
        for row in range(
            max(0, int(np.ceil((min_z - touch - low_z) / cell))),
            min(rows - 1, int(np.floor((max_z + touch - low_z) / cell))) + 1,
        ):
            z = low_z + row * cell
            for column in range(
                max(0, int(np.ceil((min_x - touch - low_x) / cell))),
                min(columns - 1, int(np.floor((max_x + touch - low_x) / cell))) + 1,
            ):
                x = low_x + column * cell
                if distance_to_polygon(x, z, polygon_P3, 3) > touch:
                    continue
                height = min(high_y, max(low_y, ay - (nx * (x - ax) + nz * (z - az)) / ny))
                if len(node_N) > 0:
                    node_N[count] = row * columns + column
                    height_N[count] = height
                if top_HW.shape[0] > 0:
                    top_HW[row, column] = max(top_HW[row, column], height)
                count += 1
    return count
