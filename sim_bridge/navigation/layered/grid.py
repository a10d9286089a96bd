"""Free floor on several levels: where the agent fits, how it moves up and down, and how far it has to walk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache

import numpy as np

from avw.sim_bridge.navigation.anchors import KEPT_GEODESICS
from avw.sim_bridge.navigation.free_space import MAX_DRAWS, Floor
from avw.sim_bridge.navigation.layered.geodesic import LayeredGeodesic
from avw.sim_bridge.navigation.layered.spans import ANOTHER_AREA, Spans
from avw.sim_bridge.navigation.layered.surface import layered_surface
from avw.sim_bridge.navigation.layered.walk_kernels import settle, slide, walk_length
from avw.sim_bridge.types import AGENT_RADIUS, Pose

_LEVEL = 0.1  # metres, bins of the search for storeys


class LayeredGrid:
    """The largest piece of free floor that can be walked through, over all its storeys (implements `FreeSpace`).

    surface: the arrays · islands: square metres of every piece of floor under a roof, the largest first
    floor_y: of the storey with the largest area
    """

    def __init__(self, spans: Spans, *, radius: float = AGENT_RADIUS, scene_id: str = "") -> None:
        self.surface, self.islands = layered_surface(spans, radius=radius, scene_id=scene_id)
        self.radius = radius
        self.scene_id = scene_id
        self.floor_y = max(self.floors, key=lambda floor: floor.area).y
        self._geodesic = lru_cache(KEPT_GEODESICS)(self.build_geodesic)

    @property
    def area(self) -> float:
        """Square metres of free floor on all storeys, seen from above."""
        return float(self.surface.free_KHW.sum()) * self.surface.frame.cell**2

    @cached_property
    def floors(self) -> tuple[Floor, ...]:
        """The storeys that can be walked to, the lowest first; stairs and ramps belong to the nearest."""
        free_KHW, arrays, cell = self.surface.free_KHW, self.surface.arrays, self.surface.frame.cell
        y_N = arrays.height_KHW[free_KHW]
        level_N = arrays.height_KHW[free_KHW & (arrays.to_steep_KHW > 0.0)]
        level_N = level_N if len(level_N) else y_N
        bin_N = np.round((level_N - level_N.min()) / _LEVEL).astype(np.int64)
        count = np.bincount(bin_N)
        levels: list[float] = []
        for index in np.argsort(-count, kind="stable"):
            if count[index] * cell**2 < ANOTHER_AREA and levels:
                break
            level = float(np.median(level_N[bin_N == index]))
            if all(abs(level - other) > 0.5 for other in levels):
                levels.append(level)
        levels.sort()
        nearest_N = np.abs(y_N[:, None] - np.array(levels)).argmin(axis=1)
        area_L = np.bincount(nearest_N, minlength=len(levels)) * cell**2
        return tuple(Floor(level, float(area)) for level, area in zip(levels, area_L, strict=True))

    def near(self, position_3: np.ndarray, radius: float) -> np.ndarray:
        """Free spans, float64 (N, 3), within `radius` metres seen from above, on the floor below a point."""
        points_N3 = self.surface.free_points_N3
        x_N, y_N, z_N = points_N3.T
        near_N = (x_N - position_3[0]) ** 2 + (z_N - position_3[2]) ** 2 <= radius**2
        near_N &= (y_N < position_3[1] + 0.5) & (y_N > position_3[1] - 3.0)
        return points_N3[near_N]

    def settle(self, points_N3: np.ndarray, rise: float) -> np.ndarray:
        """Points (N, 3) moved straight up or down to free floor at most `rise` metres away; NaN where there is none."""
        column_N, row_N = self.surface.frame.all_to_grid(points_N3)
        y_N = settle(self.surface.arrays, self.surface.free_KHW, column_N, row_N, points_N3[:, 1], rise)
        settled_N3 = np.stack([points_N3[:, 0], y_N, points_N3[:, 2]], axis=1)
        settled_N3[np.isnan(y_N)] = np.nan
        return settled_N3

    def clearance(self, position_3: np.ndarray) -> float:
        """Metres from a floor point to the nearest obstacle; 0 outside the island."""
        return self.surface.look(*self.surface.frame.to_grid(position_3), float(position_3[1]))[0]

    def is_free(self, position_3: np.ndarray) -> bool:
        """Whether the agent can stand at a floor point (metres) and walk from there over the island."""
        return self.clearance(position_3) >= self.radius

    def walk_length(self, start_3: np.ndarray, end_3: np.ndarray) -> float:
        """Metres of the straight walk over the floor from one floor point to another; inf where it is blocked."""
        start, end = self.surface.frame.to_grid(start_3), self.surface.frame.to_grid(end_3)
        return float(walk_length(self.surface.arrays, *start, float(start_3[1]), *end, float(end_3[1])))

    def move(self, pose: Pose, target: Pose) -> tuple[Pose, bool]:
        """Walk from `pose` straight towards `target`, sliding along obstacles, up and down with the floor.

        Returns the pose reached (with the target's yaw) and whether the agent met an obstacle.
        """
        if pose.x == target.x and pose.z == target.z:
            return target, False
        frame = self.surface.frame
        start, end = frame.to_grid((pose.x, pose.y, pose.z)), frame.to_grid((target.x, target.y, target.z))
        column, row, y, collided = slide(self.surface.arrays, *start, pose.y, *end)
        if not collided:
            return Pose(target.x, float(y), target.z, target.yaw), False
        x, z = frame.to_plan(column, row)
        return Pose(float(x), float(y), float(z), target.yaw), True

    def sample(self, rng: np.random.Generator, *, clearance: float = 0.0) -> np.ndarray:
        """A random free floor point, float64 (3,), uniform over the floors of the island.

        clearance: metres to keep from obstacles; ignored where the scene has no such place.
        """
        surface = self.surface
        nodes_N3 = surface.free_nodes_N3
        wanted = max(clearance, self.radius)
        roomy_N3 = nodes_N3[surface.arrays.clearance_KHW[tuple(nodes_N3.T)] >= wanted]
        if len(roomy_N3):
            nodes_N3 = roomy_N3
        else:
            wanted = self.radius
        for _ in range(MAX_DRAWS):
            node_3 = nodes_N3[rng.integers(len(nodes_N3))]
            row, column = node_3[1:] + rng.uniform(-0.5, 0.5, size=2)
            found, y, _ = surface.look(column, row, surface.arrays.height_KHW[tuple(node_3)])
            if found >= wanted:
                return surface.point(column, row, y)
        return surface.node_position(int(np.ravel_multi_index(tuple(node_3), surface.free_KHW.shape)))

    def geodesic(self, goal_3: np.ndarray | Sequence[float]) -> LayeredGeodesic:
        """Shortest walks to a goal. The most recently used ones are kept, so each goal is computed once."""
        return self._geodesic(tuple(float(value) for value in goal_3))

    def build_geodesic(self, goal_3: np.ndarray | Sequence[float]) -> LayeredGeodesic:
        """Shortest walks to a goal, computed anew."""
        return LayeredGeodesic(self, self.surface, np.asarray(goal_3, dtype=np.float64))
