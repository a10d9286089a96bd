"""Numba kernels for motion on a flat floor: clearance, lines of sight, sliding.

A point is (column, row) in grid units, not rounded.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def clearance_at(clearance_HW, column, row):
    """Bilinear clearance (metres) at a point in grid units; 0 off the grid."""
    rows, columns = clearance_HW.shape
    if not (column >= 0.0 and row >= 0.0 and column < columns - 1 and row < rows - 1):
        return 0.0
    c, r = int(column), int(row)
    s, t = column - c, row - r
    upper = clearance_HW[r, c] * (1.0 - s) + clearance_HW[r, c + 1] * s
    lower = clearance_HW[r + 1, c] * (1.0 - s) + clearance_HW[r + 1, c + 1] * s
    return upper * (1.0 - t) + lower * t


@njit(cache=True)
def clearances_at(clearance_HW, column_N, row_N):
    """The same for many points."""
    out_N = np.empty(len(column_N))
    for n in range(len(column_N)):
        out_N[n] = clearance_at(clearance_HW, column_N[n], row_N[n])
    return out_N


@njit(cache=True)
def line_is_free(clearance_HW, radius, cell, column, row, end_column, end_row):
    """Whether a straight walk keeps the clearance. Strides are as long as the clearance allows."""
    dc, dr = end_column - column, end_row - row
    length = np.sqrt(dc * dc + dr * dr)
    if length == 0.0:
        return clearance_at(clearance_HW, column, row) >= radius
    dc, dr = dc / length, dr / length
    walked = 0.0
    while walked < length:
        here = clearance_at(clearance_HW, column + walked * dc, row + walked * dr)
        # A small tolerance: a path may touch the contour on which its own corners lie.
        if here < radius - 1e-9:
            return False
        walked += max(0.25, 0.9 * (here - radius) / cell - 1.0)
    return clearance_at(clearance_HW, end_column, end_row) >= radius - 1e-9


@njit(cache=True)
def slide(clearance_HW, radius, cell, column, row, end_column, end_row):
    """Walk towards the end in strides of a quarter cell; where blocked, keep only the motion along the obstacle.

    Returns (column, row, collided). Never enters a point that is not free, never moves farther than asked.
    """
    straight = line_is_free(clearance_HW, radius, cell, column, row, end_column, end_row)
    # The tolerance of lines of sight must not let the agent leave free space.
    if straight and clearance_at(clearance_HW, end_column, end_row) >= radius:
        return end_column, end_row, False
    dc, dr = end_column - column, end_row - row
    strides = int(np.ceil(4.0 * np.sqrt(dc * dc + dr * dr)))
    dc, dr = dc / strides, dr / strides
    limit = dc * dc + dr * dr
    collided = False
    for _ in range(strides):
        next_column, next_row = column + dc, row + dr
        if clearance_at(clearance_HW, next_column, next_row) < radius:
            collided = True
            # The gradient of the clearance at the desired point is directed away from the obstacle.
            nc = clearance_at(clearance_HW, next_column + 0.5, next_row)
            nc -= clearance_at(clearance_HW, next_column - 0.5, next_row)
            nr = clearance_at(clearance_HW, next_column, next_row + 0.5)
            nr -= clearance_at(clearance_HW, next_column, next_row - 0.5)
            norm = np.sqrt(nc * nc + nr * nr)
            if norm > 0.0:
                nc, nr = nc / norm, nr / norm
                into = min(0.0, dc * nc + dr * nr)
                next_column, next_row = column + dc - into * nc, row + dr - into * nr
                lack = radius - clearance_at(clearance_HW, next_column, next_row)
                if lack > 0.0:
                    push = lack / cell + 1e-6
                    next_column, next_row = next_column + push * nc, next_row + push * nr
            move_c, move_r = next_column - column, next_row - row
            too_far = move_c * move_c + move_r * move_r > 1.0001 * limit
            if too_far or clearance_at(clearance_HW, next_column, next_row) < radius:
                # In a corner only motion along one axis is left, or none.
                if clearance_at(clearance_HW, column + dc, row) >= radius:
                    next_column, next_row = column + dc, row
                elif clearance_at(clearance_HW, column, row + dr) >= radius:
                    next_column, next_row = column, row + dr
                else:
                    next_column, next_row = column, row
        column, row = next_column, next_row
    return column, row, collided
