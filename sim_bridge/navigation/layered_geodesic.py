"""The geodesic over several floors: the same construction as on one, along the walked surface.

Lengths follow the floor: a flight of stairs counts as the ramp over it, as on Habitat's navigation meshes. A string is
pulled taut wherever a straight line seen from above can be walked, which on a flight and on a ramp is the shortest way;
where a flight turns, the corners in between are the grid's.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy.sparse.csgraph import dijkstra

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.geodesic import GOAL, NOWHERE, GeodesicField, place_goal
from avw.sim_bridge.navigation.layered_kernels import SAME_FLOOR, walk_length
from avw.sim_bridge.navigation.layered_navgrid import LayeredNavGrid
from avw.sim_bridge.navigation.navgrid import NavGrid


class LayeredGeodesicField(GeodesicField):
    """Shortest walks from anywhere to one goal, stairs included. Raises SceneError as GeodesicField does."""

    def __init__(self, navgrid: NavGrid, goal_3: np.ndarray) -> None:
        assert isinstance(navgrid, LayeredNavGrid)
        self.navgrid: LayeredNavGrid = navgrid
        self.goal_3, self.offset = place_goal(navgrid, np.asarray(goal_3, dtype=np.float64))
        column, row = navgrid._grid(self.goal_3)
        self._end = (column, row, float(self.goal_3[1]))
        start = self._nearest_node()
        field_N = dijkstra(navgrid.graph, directed=False, indices=start)
        order_N = np.argsort(field_N, kind="stable")
        order_N = order_N[: int(np.isfinite(field_N).sum())]
        self._distance_N = np.full(navgrid.height_KHW.size, np.inf)
        self._anchor_HW = np.full(navgrid.height_KHW.size, NOWHERE, dtype=np.int64)
        _anchors(*self._floor(), order_N, *self._end, self._distance_N, self._anchor_HW)

    def _towards(self, position_3: np.ndarray) -> tuple[float, int]:
        grid = self.navgrid
        if not grid.is_free(position_3):
            return np.inf, NOWHERE
        column, row = grid._grid(position_3)
        place = (float(column), float(row), float(position_3[1]))
        distance, anchor = _query(*self._floor(), self._distance_N, self._anchor_HW, *place, *self._end)
        return float(distance) + self.offset, int(anchor)

    def _floor(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
        grid = self.navgrid
        return grid.height_KHW, grid.clearance_KHW, grid.flat_KHW, grid.radius, grid.cell

    def _nearest_node(self) -> int:
        """Flat index of the free span, nearest to the goal, of the cell around it."""
        column, row, y = self._end
        height_KHW = self.navgrid.height_KHW
        best, nearest = -1, np.inf
        for r in (int(row), int(row) + 1):
            for c in (int(column), int(column) + 1):
                for k in range(len(height_KHW)):
                    if self.navgrid.free_KHW[k, r, c] and abs(height_KHW[k, r, c] - y) < SAME_FLOOR:
                        gap = (r - row) ** 2 + (c - column) ** 2
                        if gap < nearest:
                            best, nearest = int(np.ravel_multi_index((k, r, c), height_KHW.shape)), gap
        if best < 0:
            raise SceneError(
                f"the goal ({self.goal_3[0]:.2f}, {y:.2f}, {self.goal_3[2]:.2f}) in scene {self.navgrid.scene_id!r} "
                "borders on no free floor: choose it with `NavGrid.sample`"
            )
        return best


@njit(cache=True)
def _chord(column, row, y, end_column, end_row, end_y, cell):
    """No walk is shorter than this."""
    return np.sqrt(cell * cell * ((end_column - column) ** 2 + (end_row - row) ** 2) + (end_y - y) ** 2)


@njit(cache=True, nogil=True)
def _anchors(
    height_KHW, clearance_KHW, flat_KHW, radius, cell, order_N, goal_column, goal_row, goal_y, distance_N, anchor_N
):
    """Fill in every node's distance to the goal (metres) and its anchor: a flat node index or GOAL."""
    layers, rows, columns = height_KHW.shape
    plane = rows * columns
    for rank in range(len(order_N)):
        node = order_N[rank]
        k, row, column = node // plane, node % plane // columns, node % columns
        y = height_KHW[k, row, column]
        if rank == 0:
            distance_N[node] = _chord(column, row, y, goal_column, goal_row, goal_y, cell)
            anchor_N[node] = GOAL
            continue
        best, best_anchor = np.inf, NOWHERE
        for r in range(max(0, row - 2), min(rows, row + 3)):
            for c in range(max(0, column - 2), min(columns, column + 3)):
                for other in range(layers):
                    near = (other * rows + r) * columns + c
                    if distance_N[near] == np.inf or abs(height_KHW[other, r, c] - y) > SAME_FLOOR:
                        continue
                    for own in range(2):  # the anchor of the neighbour, then the neighbour itself
                        anchor = anchor_N[near] if own == 0 else near
                        if anchor == best_anchor:
                            continue
                        if anchor == GOAL:
                            end_column, end_row, end_y, rest = goal_column, goal_row, goal_y, 0.0
                        else:
                            end_column, end_row = float(anchor % columns), float(anchor % plane // columns)
                            end_y = height_KHW[anchor // plane, anchor % plane // columns, anchor % columns]
                            rest = distance_N[anchor]
                        if rest + _chord(column, row, y, end_column, end_row, end_y, cell) >= best - 1e-9:
                            continue
                        length = rest + walk_length(
                            height_KHW, clearance_KHW, flat_KHW, radius, cell,
                            float(column), float(row), y, end_column, end_row, end_y,
                        )  # fmt: skip
                        if length < best - 1e-9:
                            best, best_anchor = length, anchor
        distance_N[node] = best
        anchor_N[node] = best_anchor


@njit(cache=True, nogil=True)
def _query(
    height_KHW,
    clearance_KHW,
    flat_KHW,
    radius,
    cell,
    distance_N,
    anchor_N,
    column,
    row,
    y,
    goal_column,
    goal_row,
    goal_y,
):
    """(metres, anchor) from any free point: the best anchor in sight among those of the spans around it."""
    layers, rows, columns = height_KHW.shape
    plane = rows * columns
    best = walk_length(height_KHW, clearance_KHW, flat_KHW, radius, cell, column, row, y, goal_column, goal_row, goal_y)
    if best < np.inf:
        return best, GOAL
    best_anchor = NOWHERE
    first_row, first_column = int(row) - 1, int(column) - 1
    for through_node in (False, True):
        for r in range(max(0, first_row), min(rows, first_row + 4)):
            for c in range(max(0, first_column), min(columns, first_column + 4)):
                for k in range(layers):
                    near = (k * rows + r) * columns + c
                    if distance_N[near] == np.inf or abs(height_KHW[k, r, c] - y) > SAME_FLOOR:
                        continue
                    anchor = near if through_node else anchor_N[near]
                    if anchor < 0 or anchor == best_anchor:
                        continue
                    end_column, end_row = float(anchor % columns), float(anchor % plane // columns)
                    end_y = height_KHW[anchor // plane, anchor % plane // columns, anchor % columns]
                    rest = distance_N[anchor]
                    if rest + _chord(column, row, y, end_column, end_row, end_y, cell) >= best:
                        continue
                    length = rest + walk_length(
                        height_KHW, clearance_KHW, flat_KHW, radius, cell,
                        column, row, y, end_column, end_row, end_y,
                    )  # fmt: skip
                    if length < best:
                        best, best_anchor = length, anchor
    if best_anchor != NOWHERE:
        return best, best_anchor
    # Squeezed between nodes none of which is in sight: the nearest corner is a few centimetres off at most.
    for r in range(int(row), int(row) + 2):
        for c in range(int(column), int(column) + 2):
            for k in range(layers):
                near = (k * rows + r) * columns + c
                if distance_N[near] < np.inf and abs(height_KHW[k, r, c] - y) <= SAME_FLOOR:
                    length = distance_N[near] + _chord(column, row, y, float(c), float(r), height_KHW[k, r, c], cell)
                    if length < best:
                        best, best_anchor = length, near
    return best, best_anchor
