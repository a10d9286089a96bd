"""Numba kernels for shortest walks on a flat floor."""

from __future__ import annotations

import numpy as np
from numba import njit

from avw.sim_bridge.navigation.anchors import GOAL, NO_ANCHOR
from avw.sim_bridge.navigation.flat.walk_kernels import line_is_free


@njit(cache=True)
def edges_are_free(clearance_HW, radius, cell, head_N, tail_N):
    """Whether the agent can walk straight between two nodes, for every pair of flat indices."""
    columns = clearance_HW.shape[1]
    free_N = np.empty(len(head_N), dtype=np.bool_)
    for edge in range(len(head_N)):
        r, c = head_N[edge] // columns, head_N[edge] % columns
        er, ec = tail_N[edge] // columns, tail_N[edge] % columns
        free_N[edge] = line_is_free(clearance_HW, radius, cell, float(c), float(r), float(ec), float(er))
    return free_N


@njit(cache=True)
def _straight(column, row, end_column, end_row, cell):
    """Metres between two points in grid units."""
    return cell * np.sqrt((end_column - column) ** 2 + (end_row - row) ** 2)


@njit(cache=True, nogil=True)
def fill_anchors(clearance_HW, radius, cell, order_N, goal_column, goal_row, distance_HW, anchor_HW):
    """Fill in every node's distance to the goal (metres) and its anchor: a flat node index or GOAL."""
    rows, columns = clearance_HW.shape
    for rank in range(len(order_N)):
        row, column = order_N[rank] // columns, order_N[rank] % columns
        if rank == 0:
            distance_HW[row, column] = _straight(column, row, goal_column, goal_row, cell)
            anchor_HW[row, column] = GOAL
            continue
        best, best_anchor = np.inf, NO_ANCHOR
        for r in range(max(0, row - 2), min(rows, row + 3)):
            for c in range(max(0, column - 2), min(columns, column + 3)):
                if distance_HW[r, c] == np.inf:
                    continue
                anchor = anchor_HW[r, c]
                if anchor != best_anchor:
                    if anchor == GOAL:
                        end_column, end_row, rest = goal_column, goal_row, 0.0
                    else:
                        end_column, end_row = float(anchor % columns), float(anchor // columns)
                        rest = distance_HW[anchor // columns, anchor % columns]
                    length = rest + _straight(column, row, end_column, end_row, cell)
                    if length < best - 1e-9 and line_is_free(
                        clearance_HW, radius, cell, float(column), float(row), end_column, end_row
                    ):
                        best, best_anchor = length, anchor
                length = distance_HW[r, c] + _straight(column, row, float(c), float(r), cell)
                if length < best - 1e-9 and line_is_free(
                    clearance_HW, radius, cell, float(column), float(row), float(c), float(r)
                ):
                    best, best_anchor = length, r * columns + c
        distance_HW[row, column] = best
        anchor_HW[row, column] = best_anchor


@njit(cache=True, nogil=True)
def query(clearance_HW, radius, cell, distance_HW, anchor_HW, column, row, goal_column, goal_row):
    """(metres, anchor) from any free point: the best anchor in sight among those of the nodes around it."""
    rows, columns = clearance_HW.shape
    if line_is_free(clearance_HW, radius, cell, column, row, goal_column, goal_row):
        return _straight(column, row, goal_column, goal_row, cell), GOAL
    best, best_anchor = np.inf, NO_ANCHOR
    first_row, first_column = int(row) - 1, int(column) - 1
    for through_node in (False, True):
        for r in range(max(0, first_row), min(rows, first_row + 4)):
            for c in range(max(0, first_column), min(columns, first_column + 4)):
                if distance_HW[r, c] == np.inf:
                    continue
                anchor = r * columns + c if through_node else anchor_HW[r, c]
                if anchor < 0 or anchor == best_anchor:
                    continue
                end_column, end_row = float(anchor % columns), float(anchor // columns)
                length = distance_HW[anchor // columns, anchor % columns]
                length += _straight(column, row, end_column, end_row, cell)
                if length < best and line_is_free(clearance_HW, radius, cell, column, row, end_column, end_row):
                    best, best_anchor = length, anchor
    if best_anchor != NO_ANCHOR:
        return best, best_anchor
    # No node around is in sight, as in a narrow gap: the nearest one is at most a few centimetres away.
    for r in range(int(row), int(row) + 2):
        for c in range(int(column), int(column) + 2):
            if distance_HW[r, c] < np.inf:
                length = distance_HW[r, c] + _straight(column, row, float(c), float(r), cell)
                if length < best:
                    best, best_anchor = length, r * columns + c
    return best, best_anchor
