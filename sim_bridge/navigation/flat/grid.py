"""Free floor on one level: where the agent fits, how it moves and slides, and how far it has to walk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import ndimage

from avw.sim_bridge.navigation.anchors import KEPT_GEODESICS
from avw.sim_bridge.navigation.flat.clearance import ClearanceMap
from avw.sim_bridge.navigation.flat.geodesic import FlatGeodesic
from avw.sim_bridge.navigation.flat.surface import FlatSurface
from avw.sim_bridge.navigation.flat.walk_kernels import clearance_at, clearances_at, line_is_free, slide
from avw.sim_bridge.navigation.free_space import MAX_DRAWS, Floor
from avw.sim_bridge.navigation.islands import choose_island
from avw.sim_bridge.types import AGENT_RADIUS, Pose

SAME_LEVEL = 0.5  # metres above or below the floor within which a point is on it


class FlatGrid:
    """The largest connected piece of free floor on one level, as clearances on a grid (implements `FreeSpace`).

    surface: the arrays · islands: square metres of every piece of this floor under a roof, the largest first

    Between nodes the clearance is interpolated bilinearly, and a floor point is free where it is at least the radius.
    Moving, lines of sight and geodesics use this same rule, so they never contradict each other.
    """

    def __init__(self, clearance: ClearanceMap, *, radius: float = AGENT_RADIUS, scene_id: str = "") -> None:
        everywhere_HW = clearance.clearance_HW >= radius
        island_HW, count = ndimage.label(everywhere_HW)  # 0: not free, then the islands from 1
        on_island_N, indoors_N = island_HW[everywhere_HW] - 1, island_HW[everywhere_HW & clearance.indoor_HW] - 1
        largest, self.islands = choose_island(on_island_N, indoors_N, count, clearance.frame.cell, scene_id)
        free_HW = island_HW == largest + 1
        self.surface = FlatSurface(
            # Other islands count as obstacles, so that a free point always borders on a node of this island.
            clearance_HW=np.where(everywhere_HW & ~free_HW, 0.0, clearance.clearance_HW),
            free_HW=free_HW,
            frame=clearance.frame,
            floor_y=clearance.floor_y,
            radius=radius,
        )
        self.radius = radius
        self.floor_y = clearance.floor_y
        self.scene_id = scene_id
        self._geodesic = lru_cache(KEPT_GEODESICS)(self.build_geodesic)

    @property
    def area(self) -> float:
        """Square metres of free floor."""
        return float(self.surface.free_HW.sum()) * self.surface.frame.cell**2

    @property
    def floors(self) -> tuple[Floor, ...]:
        """The one storey that can be walked to."""
        return (Floor(self.floor_y, self.area),)

    def near(self, position_3: np.ndarray, radius: float) -> np.ndarray:
        """Free nodes, float64 (N, 3), within `radius` metres of a point seen from above, in the order of the grid."""
        points_N3 = self.surface.free_points_N3
        square_N = (points_N3[:, 0] - position_3[0]) ** 2 + (points_N3[:, 2] - position_3[2]) ** 2
        return points_N3[square_N <= radius**2]

    def settle(self, points_N3: np.ndarray, rise: float) -> np.ndarray:
        """Points (N, 3) moved straight up or down to free floor at most `rise` metres away; NaN where there is none."""
        column_N, row_N = self.surface.frame.all_to_grid(points_N3)
        free_N = clearances_at(self.surface.clearance_HW, column_N, row_N) >= self.radius
        free_N &= np.abs(points_N3[:, 1] - self.floor_y) <= rise
        settled_N3 = np.stack([points_N3[:, 0], np.full(len(points_N3), self.floor_y), points_N3[:, 2]], axis=1)
        settled_N3[~free_N] = np.nan
        return settled_N3

    def clearance(self, position_3: np.ndarray) -> float:
        """Metres from a floor point to the nearest obstacle; 0 outside the island."""
        if not abs(float(position_3[1]) - self.floor_y) < SAME_LEVEL:
            return 0.0
        return float(clearance_at(self.surface.clearance_HW, *self.surface.frame.to_grid(position_3)))

    def is_free(self, position_3: np.ndarray) -> bool:
        """Whether the agent can stand at a floor point (metres) and walk from there over the island."""
        return self.clearance(position_3) >= self.radius

    def sees(self, start_3: np.ndarray, end_3: np.ndarray) -> bool:
        """Whether the agent can walk from one floor point to another in a straight line."""
        frame = self.surface.frame
        ends = (*frame.to_grid(start_3), *frame.to_grid(end_3))
        return bool(line_is_free(self.surface.clearance_HW, self.radius, frame.cell, *ends))

    def move(self, pose: Pose, target: Pose) -> tuple[Pose, bool]:
        """Walk from `pose` straight towards `target`, sliding along obstacles.

        Returns the pose reached (with the target's yaw) and whether the agent met an obstacle.
        """
        if pose.x == target.x and pose.z == target.z:
            return target, False
        frame = self.surface.frame
        ends = (*frame.to_grid((pose.x, pose.y, pose.z)), *frame.to_grid((target.x, target.y, target.z)))
        column, row, collided = slide(self.surface.clearance_HW, self.radius, frame.cell, *ends)
        if not collided:
            return Pose(target.x, pose.y, target.z, target.yaw), False
        x, z = frame.to_plan(column, row)
        return Pose(float(x), pose.y, float(z), target.yaw), True

    def sample(self, rng: np.random.Generator, *, clearance: float = 0.0) -> np.ndarray:
        """A random free floor point, float64 (3,), uniform over the island.

        clearance: metres to keep from obstacles; ignored where the scene has no such place.
        """
        surface = self.surface
        nodes_N2 = surface.free_nodes_N2
        wanted = max(clearance, self.radius)
        roomy_N2 = nodes_N2[surface.clearance_HW[nodes_N2[:, 0], nodes_N2[:, 1]] >= wanted]
        if len(roomy_N2):
            nodes_N2 = roomy_N2
        else:
            wanted = self.radius
        for _ in range(MAX_DRAWS):
            node_2 = nodes_N2[rng.integers(len(nodes_N2))]
            row, column = node_2 + rng.uniform(-0.5, 0.5, size=2)
            position_3 = surface.point(column, row)
            if self.clearance(position_3) >= wanted:
                return position_3
        return surface.point(node_2[1], node_2[0])

    def geodesic(self, goal_3: np.ndarray | Sequence[float]) -> FlatGeodesic:
        """Shortest walks to a goal. The most recently used ones are kept, so each goal is computed once."""
        return self._geodesic(tuple(float(value) for value in goal_3))

    def build_geodesic(self, goal_3: np.ndarray | Sequence[float]) -> FlatGeodesic:
        """Shortest walks to a goal, computed anew."""
        return FlatGeodesic(self, self.surface, np.asarray(goal_3, dtype=np.float64))
