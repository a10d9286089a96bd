"""Habitat's navigation mesh as `FreeSpace`: where an agent can stand, how it slides along obstacles, and distances."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.free_space import Floor
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.simulators.habitat.session import Session, Stage
from avw.sim_bridge.types import AGENT_HEIGHT, AGENT_RADIUS, Pose

SETTINGS: dict[str, float | bool] = {
    "cell_size": 0.05,
    "cell_height": 0.05,  # Habitat's default of 0.2 puts the floor up to 0.2 m too high
    "agent_radius": AGENT_RADIUS,
    "agent_height": AGENT_HEIGHT + 0.1,
    "agent_max_climb": 0.2,
}
"""For a navigation mesh that is computed because the scene has none: the agent of the embedded simulator."""
MIN_ISLAND_AREA = 0.5  # square metres; with less floor a scene cannot be used
MAX_GOAL_OFFSET = 0.5  # metres that a goal may be away from the free floor
TRY_SAMPLES = 64
KEPT_GEODESICS = 32
STOREY = 1.6  # metres between floors
_SPREAD = 0.02  # square metres of floor per point of those that `near` chooses from
_REACH = 2.0  # metres; the distance to an obstacle is not needed beyond
_ARRIVED = 5e-5  # metres: less than Habitat moves an agent away from an edge, more than its rounding errors
_ROOF = 0.5  # metres above the floor point from where the search for a roof starts


class NavMesh:
    """`avw.sim_bridge.navigation.free_space.FreeSpace` on Habitat's pathfinder: one island of its navigation mesh.

    It is the island with the most floor under a roof: a closed house has another island on its roof, and scans have
    tiny ones. Points are on the navigation mesh, which Recast places up to one voxel above the floor: 0.1 to 0.2 m for
    a mesh that comes with the scene, 0.05 m for one that AVW has computed. Raises SceneError if there is no floor.
    """

    def __init__(self, session: Session, stage: Stage, ray_scene: RayScene) -> None:
        self.scene_id = stage.scene_id
        self._session, self._stage = session, stage
        self.origin = str(session.open(stage)["navmesh"])
        """How it was obtained: "loaded" or "computed"."""
        self.radius = float(session.opened["radius"])
        triangles_N33, island_N = self._ask("floor", arrays=True)
        area_N = 0.5 * np.linalg.norm(
            np.cross(triangles_N33[:, 1] - triangles_N33[:, 0], triangles_N33[:, 2] - triangles_N33[:, 0]), axis=1
        )
        above_N3 = triangles_N33.mean(axis=1, dtype=np.float64) + np.array([0.0, _ROOF, 0.0])
        up_N3 = np.tile(np.array([0.0, 1.0, 0.0]), (len(triangles_N33), 1))
        roofed_N = ray_scene.occluded(above_N3, up_N3)
        if float(area_N[ray_scene.occluded(above_N3, -up_N3, 2.0 * _ROOF)].sum()) < 0.5 * float(area_N.sum()):
            raise SceneError(
                f"scene {self.scene_id!r}: there is no floor under most of its navigation mesh "
                f"({stage.navmesh or 'computed'}). Most likely the .navmesh belongs to another scene: delete it, "
                "and one is computed"
            )
        islands = {int(i): float(area_N[(island_N == i) & roofed_N].sum()) for i in np.unique(island_N) if i >= 0}
        everything = {int(i): float(area_N[island_N == i].sum()) for i in islands}
        if not islands or max(everything.values()) < MIN_ISLAND_AREA:
            raise SceneError(
                f"scene {self.scene_id!r}: Habitat's navigation mesh has no island of {MIN_ISLAND_AREA} m² to stand "
                "on. Most likely the mesh is not upright or not in metres (`avw info SCENE`), or its .navmesh is wrong"
            )
        # The largest one if none has a roof, as in a scan without ceilings.
        chosen = max(islands, key=lambda i: (islands[i], everything[i]))
        self.islands = tuple(sorted((area for area in islands.values() if area > 0.0), reverse=True)) or (
            everything[chosen],
        )
        kept_N = (island_N == chosen) & (area_N > 0.0)
        self._triangles_N33 = triangles_N33[kept_N].astype(np.float64)
        self._area_N = area_N[kept_N].astype(np.float64)
        self._share_N = np.cumsum(self._area_N)
        self._anchor = [float(v) for v in self._triangles_N33[int(np.argmax(self._area_N))].mean(axis=0)]
        self.floors = self._floors()
        self.floor_y = max(self.floors, key=lambda floor: floor.area).y
        self._geodesics: OrderedDict[tuple[float, ...], NavMeshGeodesic] = OrderedDict()

    @property
    def area(self) -> float:
        """Square metres of free floor."""
        return float(self._area_N.sum())

    def near(self, position_3: np.ndarray, radius: float) -> np.ndarray:
        """Free floor points, float64 (N, 3), within `radius` metres of a point seen from above. Deterministic."""
        offset_N2 = self._spread_N3[:, [0, 2]] - np.asarray(position_3, dtype=np.float64)[[0, 2]]
        return self._spread_N3[np.square(offset_N2).sum(axis=1) <= radius**2]

    def settle(self, points_N3: np.ndarray, rise: float) -> np.ndarray:
        """Points (N, 3) moved straight up or down to free floor at most `rise` metres away; NaN where there is none.

        Of several floors it is the highest one. Habitat is not asked: this takes microseconds for each point.
        """
        raised_N3 = np.asarray(points_N3, dtype=np.float64) + np.array([0.0, rise, 0.0])
        down_N3 = np.tile(np.array([0.0, -1.0, 0.0]), (len(raised_N3), 1))
        depth_N = self._floor_rays.closest(raised_N3, down_N3)[1].astype(np.float64)
        settled_N3 = raised_N3 - np.outer(np.minimum(depth_N, 2.0 * rise), np.array([0.0, 1.0, 0.0]))
        settled_N3[depth_N > 2.0 * rise] = np.nan
        return settled_N3

    def clearance(self, position_3: np.ndarray) -> float:
        """Metres from a floor point to the nearest obstacle (at most 2 m plus the radius); 0 outside the free floor."""
        return self._clearance(position_3) if self.is_free(position_3) else 0.0

    def is_free(self, position_3: np.ndarray) -> bool:
        """Whether the agent can stand at a floor point and walk from there on the island."""
        return bool(self._ask("standing", position=_numbers(position_3), anchor=self._anchor)["standing"])

    def move(self, pose: Pose, target: Pose) -> tuple[Pose, bool]:
        """Walk straight towards `target`, sliding along obstacles: (pose reached, whether it hit any)."""
        if pose.x == target.x and pose.z == target.z:
            return target, False
        start_3, end_3 = _numbers(pose.position_3), [float(target.x), float(pose.y), float(target.z)]
        x, y, z = self._ask("step", start=start_3, end=end_3)["position"]
        # Not by the length of the step, as in Habitat-Lab: a slide around a corner may be as long as the step.
        if math.hypot(target.x - x, target.z - z) < _ARRIVED:
            return Pose(target.x, y, target.z, target.yaw), False
        return Pose(x, y, z, target.yaw), True

    def sample(self, rng: np.random.Generator, *, clearance: float = 0.0) -> np.ndarray:
        """A random free floor point, float64 (3,), uniform over the floor. Habitat's own generator is not used.

        clearance: metres to the nearest obstacle; ignored if no draw satisfies it.
        """
        first_3: np.ndarray | None = None
        for _ in range(TRY_SAMPLES):
            position_3 = self._draw(rng)
            if not self.is_free(position_3):
                continue
            first_3 = position_3 if first_3 is None else first_3
            if clearance <= self.radius or self._clearance(position_3) >= clearance:
                return position_3
        return np.array(self._anchor) if first_3 is None else first_3

    def geodesic(self, goal_3: np.ndarray | Sequence[float]) -> NavMeshGeodesic:
        """Shortest paths to a goal. Raises SceneError for a goal more than 0.5 m away from the island."""
        key = tuple(float(value) for value in goal_3)
        if key not in self._geodesics:
            self._geodesics[key] = NavMeshGeodesic(self, np.asarray(goal_3, dtype=np.float64))
            if len(self._geodesics) > KEPT_GEODESICS:
                self._geodesics.popitem(last=False)
        self._geodesics.move_to_end(key)
        return self._geodesics[key]

    def path(self, start_3: np.ndarray, end_3: np.ndarray) -> tuple[float, np.ndarray]:
        """(metres, corners float64 (N, 3)) of Habitat's shortest path; (inf, (0, 3)) if there is none."""
        reply = self._ask("path", start=_numbers(start_3), end=_numbers(end_3))
        if reply["distance"] is None:
            return math.inf, np.zeros((0, 3))
        return float(reply["distance"]), np.array(reply["corners"], dtype=np.float64).reshape(-1, 3)

    def snap(self, position_3: np.ndarray) -> np.ndarray | None:
        """The nearest point of the navigation mesh, float64 (3,); None if none is nearby."""
        position = self._ask("snap", position=_numbers(position_3))["position"]
        return None if position is None else np.array(position)

    @cached_property
    def _floor_rays(self) -> RayScene:
        """The free floor alone, for vertical rays."""
        faces = len(self._triangles_N33)
        floor = Scene(
            scene_id=self.scene_id,
            vertices_V3=self._triangles_N33.reshape(-1, 3).astype(np.float32),
            faces_F3=np.arange(3 * faces, dtype=np.int32).reshape(-1, 3),
            uv_F32=np.zeros((faces, 3, 2), dtype=np.float32),
            surface_F=np.zeros(faces, dtype=np.int32),
            surfaces=(),
        )
        return RayScene(floor)

    @cached_property
    def _spread_N3(self) -> np.ndarray:
        rng = keyed_rng("navmesh", "near", self.scene_id)
        return np.array([self._draw(rng) for _ in range(max(64, int(self.area / _SPREAD)))])

    def _draw(self, rng: np.random.Generator) -> np.ndarray:
        place = rng.random() * self._share_N[-1]
        corners_33 = self._triangles_N33[int(np.searchsorted(self._share_N, place, side="right"))]
        a, b = rng.random(2)
        if a + b > 1.0:
            a, b = 1.0 - a, 1.0 - b
        point_3: np.ndarray = corners_33[0] + a * (corners_33[1] - corners_33[0]) + b * (corners_33[2] - corners_33[0])
        return point_3

    def _clearance(self, position_3: np.ndarray) -> float:
        # The mesh limits the agent's centre, so its edge is one agent radius away from the obstacle.
        return self.radius + float(self._ask("obstacle", points=[_numbers(position_3)], reach=_REACH)["distances"][0])

    def _floors(self) -> tuple[Floor, ...]:
        """Heights with most of the floor, at least one storey apart; stairs count to the nearest one."""
        height_N = self._triangles_N33[:, :, 1].mean(axis=1)
        left_N, found = np.ones(len(height_N), dtype=bool), list[float]()
        while left_N.any():
            bins = np.round(height_N[left_N] / 0.1).astype(int)
            best = int(np.argmax(np.bincount(bins - bins.min(), self._area_N[left_N]))) + bins.min()
            y = float(np.average(height_N[left_N][bins == best], weights=self._area_N[left_N][bins == best]))
            found.append(y)
            left_N &= np.abs(height_N - y) > 0.5 * STOREY
        nearest_N = np.abs(height_N[:, None] - np.array(found)).argmin(axis=1)
        floors = [Floor(y, float(self._area_N[nearest_N == i].sum())) for i, y in enumerate(found)]
        large = [floor for floor in floors if floor.area >= 0.05 * self.area]
        return tuple(sorted(large or floors, key=lambda floor: floor.y))

    def _ask(self, do: str, *, arrays: bool = False, **fields: Any) -> Any:
        reply, answer = self._session.ask(self._stage, do, **fields)
        return answer if arrays else reply


class NavMeshGeodesic:
    """`avw.sim_bridge.navigation.free_space.Geodesic` by Habitat's find_path: 4 µs in its process, 60 in another."""

    def __init__(self, navgrid: NavMesh, goal_3: np.ndarray) -> None:
        self.navgrid = navgrid
        snapped_3 = navgrid.snap(goal_3)
        if snapped_3 is None or not navgrid.is_free(snapped_3):
            raise SceneError(_unreachable(navgrid, goal_3, "there is no floor near it that the agent can reach"))
        across = math.hypot(snapped_3[0] - goal_3[0], snapped_3[2] - goal_3[2])
        if across > MAX_GOAL_OFFSET or abs(snapped_3[1] - goal_3[1]) > MAX_GOAL_OFFSET:
            gap = float(np.linalg.norm(snapped_3 - goal_3))
            raise SceneError(
                _unreachable(navgrid, goal_3, f"the nearest floor that the agent can reach is {gap:.2f} m away")
            )
        self.goal_3 = snapped_3
        self.offset = across if across > 1e-3 else 0.0
        self._last: tuple[tuple[float, ...], float, np.ndarray] | None = None

    def distance(self, position_3: np.ndarray) -> float:
        """Metres of the shortest path from a floor point to the goal; inf if the agent cannot stand at the point."""
        return self._walk(position_3)[0]

    def towards(self, position_3: np.ndarray) -> tuple[float, np.ndarray]:
        """(metres to the goal, the first corner (3,) of the path, visible from `position_3`)."""
        distance, corners_N3 = self._walk(position_3)
        for corner_3 in corners_N3[1:-1]:
            # Detour repeats the start where the path enters another polygon.
            if math.hypot(corner_3[0] - position_3[0], corner_3[2] - position_3[2]) > 1e-3:
                return distance, corner_3
        return distance, self.goal_3

    def path(self, position_3: np.ndarray) -> np.ndarray:
        """Corners of the shortest path, float64 (N, 3), from `position_3` to the goal; (0, 3) if there is none."""
        return self._walk(position_3)[1].copy()

    def _walk(self, position_3: np.ndarray) -> tuple[float, np.ndarray]:
        key = tuple(float(value) for value in position_3)
        if self._last is None or self._last[0] != key:  # `distance` and `towards` are often called for the same point
            distance, corners_N3 = self.navgrid.path(np.asarray(position_3), self.goal_3)
            if math.isfinite(distance):
                # Habitat moves a point to the nearest floor; a point that was not on the floor has no path.
                off = math.hypot(corners_N3[0, 0] - key[0], corners_N3[0, 2] - key[2])
                if off > 0.01 or abs(corners_N3[0, 1] - key[1]) > MAX_GOAL_OFFSET:
                    distance, corners_N3 = math.inf, np.zeros((0, 3))
            self._last = (key, distance + self.offset, corners_N3)
        return self._last[1], self._last[2]


def _unreachable(navgrid: NavMesh, goal_3: np.ndarray, why: str) -> str:
    x, y, z = goal_3
    return (
        f"the goal ({x:.2f}, {y:.2f}, {z:.2f}) in scene {navgrid.scene_id!r} cannot be walked to: {why}. Choose a goal "
        "with `navgrid.sample`, or one within 0.5 m of the free floor"
    )


def _numbers(point_3: np.ndarray | Sequence[float]) -> list[float]:
    return [float(value) for value in point_3]
