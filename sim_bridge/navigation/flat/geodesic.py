"""Shortest walks on one level. Rewards, success, SPL, scripts and the oracle all measure with geodesics.

A 16-neighbour Dijkstra (SciPy) orders the nodes by distance from the goal. One pass in that order then gives every
node its anchor, the last corner of its taut string to the goal: the anchor of a neighbour if it is in sight, else the
neighbour itself. A distance is therefore a sum of straight lines. It does not favour the directions of the grid, and it
is smooth in the position, which matters because a cell of 5 cm is a third of a step's reward.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import dijkstra

from avw.sim_bridge.navigation.anchors import NO_ANCHOR, path_corners, place_goal
from avw.sim_bridge.navigation.flat.geodesic_kernels import fill_anchors, query
from avw.sim_bridge.navigation.flat.surface import FlatSurface
from avw.sim_bridge.navigation.free_space import FreeSpace


class FlatGeodesic:
    """Shortest walks over the surface of `navgrid` from anywhere to one goal (implements `Geodesic`).

    goal_3: metres, float64; a goal off the free floor is moved to its nearest free point, and its offset from there
    counts as part of every distance. Building takes some 30 ms, a distance some microseconds.
    Raises SceneError for a goal more than 0.5 m off the floor that the agent can reach.
    """

    def __init__(self, navgrid: FreeSpace, surface: FlatSurface, goal_3: np.ndarray) -> None:
        self.navgrid = navgrid
        self.goal_3, self.offset = place_goal(navgrid, surface, np.asarray(goal_3, dtype=np.float64))
        self._surface = surface
        self._goal = surface.frame.to_grid(self.goal_3)
        field_N = dijkstra(surface.graph, directed=False, indices=surface.nearest_corner(*self._goal))
        order_N = np.argsort(field_N, kind="stable")
        order_N = order_N[: int(np.isfinite(field_N).sum())]
        self._distance_HW = np.full(surface.free_HW.shape, np.inf)
        self._anchor_HW = np.full(surface.free_HW.shape, NO_ANCHOR, dtype=np.int32)
        fill_anchors(*self._floor(), order_N, *self._goal, self._distance_HW, self._anchor_HW)

    def distance(self, position_3: np.ndarray) -> float:
        """Metres of the shortest walk from a floor point to the goal; inf where the agent cannot stand."""
        return self._towards(position_3)[0]

    def towards(self, position_3: np.ndarray) -> tuple[float, np.ndarray]:
        """(metres to the goal, the first corner (3,) on the way, in sight of `position_3`)."""
        distance, anchor = self._towards(position_3)
        return distance, self.goal_3 if anchor < 0 else self._surface.node_position(anchor)

    def path(self, position_3: np.ndarray) -> np.ndarray:
        """Corners of the shortest walk, float64 (N, 3), from `position_3` to the goal; (0, 3) if there is none."""
        distance, anchor = self._towards(position_3)
        if not np.isfinite(distance):
            return np.zeros((0, 3))
        start_3 = self._surface.on_floor(position_3)
        return path_corners(start_3, anchor, self._anchor_HW.ravel(), self._surface.node_position, self.goal_3)

    def _towards(self, position_3: np.ndarray) -> tuple[float, int]:
        """(metres, node index of the first corner or GOAL) from a floor point."""
        if not self.navgrid.is_free(position_3):
            return np.inf, NO_ANCHOR
        point = self._surface.frame.to_grid(position_3)
        distance, anchor = query(*self._floor(), self._distance_HW, self._anchor_HW, *point, *self._goal)
        return float(distance) + self.offset, int(anchor)

    def _floor(self) -> tuple[np.ndarray, float, float]:
        return self._surface.clearance_HW, self._surface.radius, self._surface.frame.cell
