"""Shortest walks over several levels: the same construction as on one level, along the walked surface.

Lengths follow the floor: a flight of stairs counts as the ramp over it, as on Habitat's navigation meshes. A string is
pulled taut wherever a line that is straight seen from above can be walked, which is the shortest way on a flight and on
a ramp. Where a flight turns, the corners in between are nodes of the grid.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse.csgraph import dijkstra

from avw.sim_bridge.navigation.anchors import NO_ANCHOR, path_corners, place_goal
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.navigation.layered.geodesic_kernels import fill_anchors, query
from avw.sim_bridge.navigation.layered.surface import LayeredSurface


class LayeredGeodesic:
    """Shortest walks, stairs included, from anywhere to one goal (implements `Geodesic`).

    goal_3: metres, float64; a goal off the free floor is moved to its nearest free span, and its offset from there
    counts as part of every distance. Raises SceneError for a goal more than 0.5 m off the floor that can be reached.
    """

    def __init__(self, navgrid: FreeSpace, surface: LayeredSurface, goal_3: np.ndarray) -> None:
        self.navgrid = navgrid
        self.goal_3, self.offset = place_goal(navgrid, surface, np.asarray(goal_3, dtype=np.float64))
        self._surface = surface
        self._goal = self._point(self.goal_3)
        field_N = dijkstra(surface.graph, directed=False, indices=surface.nearest_corner(*self._goal))
        order_N = np.argsort(field_N, kind="stable")
        order_N = order_N[: int(np.isfinite(field_N).sum())]
        self._distance_N = np.full(surface.free_KHW.size, np.inf)
        self._anchor_N = np.full(surface.free_KHW.size, NO_ANCHOR, dtype=np.int64)
        fill_anchors(surface.arrays, order_N, *self._goal, self._distance_N, self._anchor_N)

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
        return path_corners(start_3, anchor, self._anchor_N, self._surface.node_position, self.goal_3)

    def _towards(self, position_3: np.ndarray) -> tuple[float, int]:
        """(metres, flat index of the first corner or GOAL) from a floor point."""
        if not self.navgrid.is_free(position_3):
            return np.inf, NO_ANCHOR
        point, arrays = self._point(position_3), self._surface.arrays
        distance, anchor = query(arrays, self._distance_N, self._anchor_N, *point, *self._goal)
        return float(distance) + self.offset, int(anchor)

    def _point(self, position_3: np.ndarray) -> tuple[float, float, float]:
        """(column, row, y) of a floor point."""
        column, row = self._surface.frame.to_grid(position_3)
        return column, row, float(position_3[1])
