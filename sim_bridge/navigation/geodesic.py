"""The one geodesic of AVW: rewards, success, SPL, scripts and the oracle all measure with it.

A 16-neighbour Dijkstra (SciPy) orders the nodes by distance from the goal. One pass in that order then gives
every node its *anchor*, the last corner of its taut string to the goal, as Theta* does (Nash et al. 2007): the
anchor of a neighbour if it is in sight, else the neighbour itself. A distance is therefore a sum of straight
lines, free of the grid's preferred directions, and smooth in the position: a 5 cm cell is a third of a step's reward.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.navgrid import NavGrid, line_is_free

MAX_GOAL_OFFSET = 0.5  # metres that a goal may lie off the free floor (a source on a shelf) before it is an error
GOAL = -1  # the anchor of whatever sees the goal itself
NOWHERE = -2
_HALF_OF_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1), (1, 2), (2, 1), (2, -1), (1, -2))  # (row, column) steps

KEPT_FIELDS = 32  # a field of a house is about 0.4 MB

_fields: WeakKeyDictionary[NavGrid, OrderedDict[tuple[float, ...], GeodesicField]] = WeakKeyDictionary()
_graphs: WeakKeyDictionary[NavGrid, csr_matrix] = WeakKeyDictionary()


class GeodesicField:
    """Shortest walks over `navgrid` from anywhere to one goal.

    goal_3: metres, float64; a goal off the free floor is moved to its nearest free point, and its offset there
    counts as part of every distance. Building costs some 30 ms, a distance some microseconds.
    Raises SceneError for a goal more than 0.5 m off the floor that the agent can reach.
    """

    def __init__(self, navgrid: NavGrid, goal_3: np.ndarray) -> None:
        self.navgrid = navgrid
        self.goal_3, self.offset = place_goal(navgrid, np.asarray(goal_3, dtype=np.float64))
        self._goal = navgrid._grid(self.goal_3)
        start = _nearest_node(navgrid, self._goal)
        field_N = dijkstra(_graph(navgrid), directed=False, indices=start)
        order_N = np.argsort(field_N, kind="stable")
        order_N = order_N[: int(np.isfinite(field_N).sum())]
        self._distance_HW = np.full(navgrid.free_HW.shape, np.inf)
        self._anchor_HW = np.full(navgrid.free_HW.shape, NOWHERE, dtype=np.int32)
        _anchors(
            navgrid.clearance_HW,
            navgrid.radius,
            navgrid.cell,
            order_N,
            self._goal[0],
            self._goal[1],
            self._distance_HW,
            self._anchor_HW,
        )

    @classmethod
    def to(cls, navgrid: NavGrid, goal_3: np.ndarray | Sequence[float]) -> GeodesicField:
        """The field to a goal, kept with the grid: of the last few goals, each is worked out once a process."""
        fields = _fields.setdefault(navgrid, OrderedDict())
        key = tuple(float(value) for value in goal_3)
        if key not in fields:
            fields[key] = _field_class(navgrid)(navgrid, np.asarray(goal_3, dtype=np.float64))
            if len(fields) > KEPT_FIELDS:
                fields.popitem(last=False)
        fields.move_to_end(key)
        return fields[key]

    def distance(self, position_3: np.ndarray) -> float:
        """Metres of the shortest walk from a floor point to the goal; inf where the agent cannot stand."""
        return self._towards(position_3)[0]

    def towards(self, position_3: np.ndarray) -> tuple[float, np.ndarray]:
        """(metres to the goal, the first corner (3,) on the way, in sight of `position_3`)."""
        distance, anchor = self._towards(position_3)
        if anchor < 0:
            return distance, self.goal_3
        return distance, self.navgrid.node_position(anchor)

    def path(self, position_3: np.ndarray) -> np.ndarray:
        """Corners of the shortest walk, float64 (N, 3), from `position_3` to the goal; (0, 3) if there is none."""
        distance, anchor = self._towards(position_3)
        if not np.isfinite(distance):
            return np.zeros((0, 3))
        corners = [self.navgrid.on_floor(position_3)]
        while anchor >= 0:
            corners.append(self.navgrid.node_position(anchor))
            anchor = int(self._anchor_HW.flat[anchor])
        corners.append(self.goal_3.copy())
        return np.stack(corners)

    def _towards(self, position_3: np.ndarray) -> tuple[float, int]:
        """(metres, node index of the first corner or GOAL) from a floor point."""
        grid = self.navgrid
        if not grid.is_free(position_3):
            return np.inf, NOWHERE
        column, row = grid._grid(position_3)
        distance, anchor = _query(
            grid.clearance_HW,
            grid.radius,
            grid.cell,
            self._distance_HW,
            self._anchor_HW,
            column,
            row,
            self._goal[0],
            self._goal[1],
        )
        return float(distance) + self.offset, int(anchor)


def _field_class(navgrid: NavGrid) -> type[GeodesicField]:
    from avw.sim_bridge.navigation.layered_geodesic import LayeredGeodesicField
    from avw.sim_bridge.navigation.layered_navgrid import LayeredNavGrid

    return LayeredGeodesicField if isinstance(navgrid, LayeredNavGrid) else GeodesicField


def place_goal(navgrid: NavGrid, goal_3: np.ndarray) -> tuple[np.ndarray, float]:
    """The free floor point nearest to a goal, and its horizontal distance from it."""
    if navgrid.is_free(goal_3):
        return navgrid.on_floor(goal_3), 0.0
    nearest_3, offset, rise = navgrid.nearest_free(goal_3)
    if offset > MAX_GOAL_OFFSET or rise >= MAX_GOAL_OFFSET:
        raise SceneError(
            f"the goal ({goal_3[0]:.2f}, {goal_3[1]:.2f}, {goal_3[2]:.2f}) in scene {navgrid.scene_id!r} is "
            f"{offset:.2f} m off the floor that the agent can reach (floor height {navgrid.floor_y:.2f} m): no walk "
            "leads there. Choose a goal with `NavGrid.sample`, or one within 0.5 m of the free floor"
        )
    return nearest_3, offset


def _nearest_node(navgrid: NavGrid, point: tuple[float, float]) -> int:
    """Flat index of the free corner, nearest to a free point (column, row), of the cell around it."""
    column, row = int(point[0]), int(point[1])
    corners = [(r, c) for r in (row, row + 1) for c in (column, column + 1) if navgrid.free_HW[r, c]]
    r, c = min(corners, key=lambda node: (node[0] - point[1]) ** 2 + (node[1] - point[0]) ** 2)
    return r * navgrid.free_HW.shape[1] + c


def _graph(navgrid: NavGrid) -> csr_matrix:
    """The 16-neighbour graph over all nodes (each edge once), weights in metres; built once a grid."""
    graph = _graphs.get(navgrid)
    if graph is not None:
        return graph
    free_HW = navgrid.free_HW
    rows, columns = free_HW.shape
    index_HW = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    heads, tails, weights = [], [], []
    for dr, dc in _HALF_OF_NEIGHBOURS:
        here = (slice(0, rows - dr), slice(max(0, -dc), columns - max(0, dc)))
        there = (slice(dr, rows), slice(max(0, dc), columns - max(0, -dc)))
        both = free_HW[here] & free_HW[there]
        head_N, tail_N = index_HW[here][both], index_HW[there][both]
        if abs(dr) + abs(dc) > 1:  # between neighbours along an axis the clearance is linear: free ends are enough
            free_N = _edges_are_free(navgrid.clearance_HW, navgrid.radius, navgrid.cell, head_N, tail_N)
            head_N, tail_N = head_N[free_N], tail_N[free_N]
        heads.append(head_N)
        tails.append(tail_N)
        weights.append(np.full(len(head_N), navgrid.cell * np.hypot(dr, dc)))
    graph = csr_matrix(
        (np.concatenate(weights), (np.concatenate(heads), np.concatenate(tails))), shape=(free_HW.size, free_HW.size)
    )
    _graphs[navgrid] = graph
    return graph


@njit(cache=True)
def _edges_are_free(clearance_HW, radius, cell, head_N, tail_N):
    columns = clearance_HW.shape[1]
    free_N = np.empty(len(head_N), dtype=np.bool_)
    for edge in range(len(head_N)):
        r, c = head_N[edge] // columns, head_N[edge] % columns
        er, ec = tail_N[edge] // columns, tail_N[edge] % columns
        free_N[edge] = line_is_free(clearance_HW, radius, cell, float(c), float(r), float(ec), float(er))
    return free_N


@njit(cache=True)
def _straight(column, row, end_column, end_row, cell):
    return cell * np.sqrt((end_column - column) ** 2 + (end_row - row) ** 2)


@njit(cache=True, nogil=True)
def _anchors(clearance_HW, radius, cell, order_N, goal_column, goal_row, distance_HW, anchor_HW):
    """Fill in every node's distance to the goal (metres) and its anchor: a flat node index or GOAL."""
    rows, columns = clearance_HW.shape
    for rank in range(len(order_N)):
        row, column = order_N[rank] // columns, order_N[rank] % columns
        if rank == 0:
            distance_HW[row, column] = _straight(column, row, goal_column, goal_row, cell)
            anchor_HW[row, column] = GOAL
            continue
        best, best_anchor = np.inf, NOWHERE
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
def _query(clearance_HW, radius, cell, distance_HW, anchor_HW, column, row, goal_column, goal_row):
    """(metres, anchor) from any free point: the best anchor in sight among those of the nodes around it."""
    rows, columns = clearance_HW.shape
    if line_is_free(clearance_HW, radius, cell, column, row, goal_column, goal_row):
        return _straight(column, row, goal_column, goal_row, cell), GOAL
    best, best_anchor = np.inf, NOWHERE
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
    if best_anchor != NOWHERE:
        return best, best_anchor
    # Squeezed between nodes none of which is in sight: the nearest corner is a few centimetres off at most.
    for r in range(int(row), int(row) + 2):
        for c in range(int(column), int(column) + 2):
            if distance_HW[r, c] < np.inf:
                length = distance_HW[r, c] + _straight(column, row, float(c), float(r), cell)
                if length < best:
                    best, best_anchor = length, r * columns + c
    return best, best_anchor
