"""Numba kernels for shortest walks over layered floors."""

from __future__ import annotations

import numpy as np
from numba import njit

from avw.sim_bridge.navigation.anchors import GOAL, NO_ANCHOR
from avw.sim_bridge.navigation.layered.walk_kernels import SAME_FLOOR, walk_length


@njit(cache=True)
def _chord(column, row, y, end_column, end_row, end_y, cell):
    """Metres of the straight line in space, a lower bound of every walk between two points."""
    return np.sqrt(cell * cell * ((end_column - column) ** 2 + (end_row - row) ** 2) + (end_y - y) ** 2)


@njit(cache=True, nogil=True)
def fill_anchors(floor, order_N, goal_column, goal_row, goal_y, distance_N, anchor_N):
    """Fill in every node's distance to the goal (metres) and its anchor: a flat node index or GOAL."""
    layers, rows, columns = floor.height_KHW.shape
    plane = rows * columns
    for rank in range(len(order_N)):
        node = order_N[rank]
        k, row, column = node // plane, node % plane // columns, node % columns
        y = floor.height_KHW[k, row, column]
        if rank == 0:
            distance_N[node] = _chord(column, row, y, goal_column, goal_row, goal_y, floor.cell)
            anchor_N[node] = GOAL
            continue
        best, best_anchor = np.inf, NO_ANCHOR
        for r in range(max(0, row - 2), min(rows, row + 3)):
            for c in range(max(0, column - 2), min(columns, column + 3)):
                for other in range(layers):
                    near = (other * rows + r) * columns + c
                    if distance_N[near] == np.inf or abs(floor.height_KHW[other, r, c] - y) > SAME_FLOOR:
                        continue
                    for own in range(2):  # the anchor of the neighbour, then the neighbour itself
                        anchor = anchor_N[near] if own == 0 else near
                        if anchor == best_anchor:
                            continue
                        if anchor == GOAL:
                            end_column, end_row, end_y, rest = goal_column, goal_row, goal_y, 0.0
                        else:
                            end_column, end_row = float(anchor % columns), float(anchor % plane // columns)
                            end_y = floor.height_KHW[anchor // plane, anchor % plane // columns, anchor % columns]
                            rest = distance_N[anchor]
                        if rest + _chord(column, row, y, end_column, end_row, end_y, floor.cell) >= best - 1e-9:
                            continue
                        length = rest + walk_length(floor, float(column), float(row), y, end_column, end_row, end_y)
                        if length < best - 1e-9:
                            best, best_anchor = length, anchor
        distance_N[node] = best
        anchor_N[node] = best_anchor


@njit(cache=True, nogil=True)
def query(floor, distance_N, anchor_N, column, row, y, goal_column, goal_row, goal_y):
    """(metres, anchor) from any free point: the best anchor in sight among those of the spans around it."""
    layers, rows, columns = floor.height_KHW.shape
    plane = rows * columns
    best = walk_length(floor, column, row, y, goal_column, goal_row, goal_y)
    if best < np.inf:
        return best, GOAL
    best_anchor = NO_ANCHOR
    first_row, first_column = int(row) - 1, int(column) - 1
    for through_node in (False, True):
        for r in range(max(0, first_row), min(rows, first_row + 4)):
            for c in range(max(0, first_column), min(columns, first_column + 4)):
                for k in range(layers):
                    near = (k * rows + r) * columns + c
                    if distance_N[near] == np.inf or abs(floor.height_KHW[k, r, c] - y) > SAME_FLOOR:
                        continue
                    anchor = near if through_node else anchor_N[near]
                    if anchor < 0 or anchor == best_anchor:
                        continue
                    end_column, end_row = float(anchor % columns), float(anchor % plane // columns)
                    end_y = floor.height_KHW[anchor // plane, anchor % plane // columns, anchor % columns]
                    rest = distance_N[anchor]
                    if rest + _chord(column, row, y, end_column, end_row, end_y, floor.cell) >= best:
                        continue
                    length = rest + walk_length(floor, column, row, y, end_column, end_row, end_y)
                    if length < best:
                        best, best_anchor = length, anchor
    if best_anchor != NO_ANCHOR:
        return best, best_anchor
    # No node around is in sight, as in a narrow gap: the nearest one is at most a few centimetres away.
    for r in range(int(row), int(row) + 2):
        for c in range(int(column), int(column) + 2):
            for k in range(layers):
                near = (k * rows + r) * columns + c
                if distance_N[near] < np.inf and abs(floor.height_KHW[k, r, c] - y) <= SAME_FLOOR:
                    end_y = floor.height_KHW[k, r, c]
                    length = distance_N[near] + _chord(column, row, y, float(c), float(r), end_y, floor.cell)
                    if length < best:
                        best, best_anchor = length, near
    return best, best_anchor
