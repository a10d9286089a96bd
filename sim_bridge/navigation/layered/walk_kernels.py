"""Numba kernels for motion over layered floors: clearance, lines of sight, sliding.

A point is (column, row, y), where y selects the floor: of each of the four nodes around a point, the span nearest in
height counts. Links between floors are not stored: y follows the floor, and so a walk leads up the stairs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

SAME_FLOOR = 0.45  # metres within which a height selects a span
FINE = 0.25  # cells; strides near obstacles
STEADY = 2.0  # cells; strides up and down, short enough that y stays on its floor


class SpanArrays(NamedTuple):
    """A layered floor as the kernels take it.

    height_KHW, clearance_KHW: float64 metres · to_steep_KHW: float64 metres to the nearest span that is steep
    radius: of the agent, metres · cell: metres between nodes
    """

    height_KHW: np.ndarray
    clearance_KHW: np.ndarray
    to_steep_KHW: np.ndarray
    radius: float
    cell: float


@njit(cache=True)
def look(floor, column, row, y):
    """(clearance, height of the floor, metres to anything steep) at a point; clearance 0 off the floor."""
    layers, rows, columns = floor.height_KHW.shape
    if not (column >= 0.0 and row >= 0.0 and column < columns - 1 and row < rows - 1):
        return 0.0, y, 0.0
    c, r = int(column), int(row)
    s, t = column - c, row - r
    clearance, total, weights, to_steep = 0.0, 0.0, 0.0, np.inf
    for dr in range(2):
        for dc in range(2):
            weight = (t if dr == 1 else 1.0 - t) * (s if dc == 1 else 1.0 - s)
            best, gap = -1, SAME_FLOOR
            for k in range(layers):
                apart = abs(floor.height_KHW[k, r + dr, c + dc] - y)
                if apart < gap:
                    best, gap = k, apart
            if best < 0:
                to_steep = 0.0
                continue
            clearance += weight * floor.clearance_KHW[best, r + dr, c + dc]
            to_steep = min(to_steep, floor.to_steep_KHW[best, r + dr, c + dc])
            total += weight * floor.height_KHW[best, r + dr, c + dc]
            weights += weight
    if weights <= 0.0:
        return 0.0, y, 0.0
    return clearance, total / weights, to_steep


@njit(cache=True)
def walk_length(floor, column, row, y, end_column, end_row, end_y):
    """Metres of a straight walk over the floor, up and down included; inf if it is blocked or ends on another floor."""
    dc, dr = end_column - column, end_row - row
    length = np.sqrt(dc * dc + dr * dr)
    here, y, to_steep = look(floor, column, row, y)
    if length > 0.0:
        dc, dr = dc / length, dr / length
    walked, metres = 0.0, 0.0
    while True:
        # A small tolerance: a path may touch the contour on which its own corners lie.
        if here < floor.radius - 1e-9:
            return np.inf
        if walked >= length:
            break
        level = max(STEADY, 0.9 * to_steep / floor.cell - 1.0)
        stride = max(FINE, min(0.9 * (here - floor.radius) / floor.cell - 1.0, level))
        after = min(length, walked + stride)
        before_y = y
        here, y, to_steep = look(floor, column + after * dc, row + after * dr, y)
        metres += np.sqrt(((after - walked) * floor.cell) ** 2 + (y - before_y) ** 2)
        walked = after
    return metres if abs(y - end_y) < SAME_FLOOR else np.inf


@njit(cache=True)
def settle(floor, free_KHW, column_N, row_N, y_N, rise):
    """Height of the free floor nearest in height to each point, at most `rise` metres away; NaN where there is none."""
    layers, rows, columns = floor.height_KHW.shape
    out_N = np.full(len(column_N), np.nan)
    for n in range(len(column_N)):
        column, row = column_N[n], row_N[n]
        if not (column >= 0.0 and row >= 0.0 and column < columns - 1 and row < rows - 1):
            continue
        c, r = int(column + 0.5), int(row + 0.5)
        best, gap = -1, rise + SAME_FLOOR
        for k in range(layers):
            apart = abs(floor.height_KHW[k, r, c] - y_N[n])
            if free_KHW[k, r, c] and apart < gap:
                best, gap = k, apart
        if best >= 0:
            clearance, y, _ = look(floor, column, row, floor.height_KHW[best, r, c])
            if clearance >= floor.radius and abs(y - y_N[n]) <= rise:
                out_N[n] = y
    return out_N


@njit(cache=True)
def slide(floor, column, row, y, end_column, end_row):
    """Walk towards the end in strides of a quarter cell; where blocked, keep only the motion along the obstacle.

    Returns (column, row, y, collided). Never enters a point that is not free, never moves farther than asked.
    """
    dc, dr = end_column - column, end_row - row
    strides = int(np.ceil(np.sqrt(dc * dc + dr * dr) / FINE))
    dc, dr = dc / strides, dr / strides
    limit = dc * dc + dr * dr
    collided = False
    for stride in range(strides):
        next_column, next_row = column + dc, row + dr
        if not collided and stride == strides - 1:
            next_column, next_row = end_column, end_row  # without the rounding of the strides
        here, next_y, _ = look(floor, next_column, next_row, y)
        if here < floor.radius:
            collided = True
            # The gradient of the clearance at the desired point is directed away from the obstacle.
            nc = look(floor, next_column + 0.5, next_row, y)[0]
            nc -= look(floor, next_column - 0.5, next_row, y)[0]
            nr = look(floor, next_column, next_row + 0.5, y)[0]
            nr -= look(floor, next_column, next_row - 0.5, y)[0]
            norm = np.sqrt(nc * nc + nr * nr)
            if norm > 0.0:
                nc, nr = nc / norm, nr / norm
                into = min(0.0, dc * nc + dr * nr)
                next_column, next_row = column + dc - into * nc, row + dr - into * nr
                lack = floor.radius - look(floor, next_column, next_row, y)[0]
                if lack > 0.0:
                    push = lack / floor.cell + 1e-6
                    next_column, next_row = next_column + push * nc, next_row + push * nr
            move_c, move_r = next_column - column, next_row - row
            here, next_y, _ = look(floor, next_column, next_row, y)
            if move_c * move_c + move_r * move_r > 1.0001 * limit or here < floor.radius:
                # In a corner only motion along one axis is left, or none.
                next_column, next_row = column + dc, row
                here, next_y, _ = look(floor, next_column, next_row, y)
                if here < floor.radius:
                    next_column, next_row = column, row + dr
                    here, next_y, _ = look(floor, next_column, next_row, y)
                if here < floor.radius:
                    next_column, next_row, next_y = column, row, y
        column, row, y = next_column, next_row, next_y
    return column, row, y, collided
