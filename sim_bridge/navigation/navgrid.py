"""Free space: where the agent fits, how it moves and slides, and what it could walk to in a straight line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from scipy import ndimage

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.clearance import ClearanceMap, clearance_map, floor_levels
from avw.sim_bridge.navigation.free_space import Floor
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.types import AGENT_HEIGHT, AGENT_RADIUS, Pose

if TYPE_CHECKING:
    from avw.sim_bridge.navigation.geodesic import GeodesicField

CELL = 0.05  # metres between nodes
CLIMB = 0.1  # metres that the agent steps over
HEAD_ROOM = 0.1  # metres free above the agent, so that the ears are never inside a hanging cabinet
MIN_ISLAND_AREA = 0.5  # square metres without which a scene has no floor to stand on
TRY_SAMPLES = 64
OTHER_FLOOR = 5.0  # square metres of another storey that are worth to be missed
STOREY = 1.6  # metres between floors


class NavGrid:
    """The largest connected piece of free floor of a scene, as clearances on a grid of nodes.

    free_HW: bool, row = z and column = x; node [r, c] is at (origin[0] + c * cell, origin[1] + r * cell)
    clearance_HW: float64 metres to the nearest obstacle, 0 on every other island
    origin: (x, z) metres · cell: metres · floor_y: metres · radius: the agent's, metres
    islands: square metres of every piece of this floor under a roof, the largest first

    Between nodes the clearance is interpolated bilinearly, and a floor point is free where it is at least the
    radius: the same rule for moving, for lines of sight and for geodesics, so they never contradict each other.
    """

    def __init__(self, clearance: ClearanceMap, *, radius: float = AGENT_RADIUS, scene_id: str = "") -> None:
        free_HW = clearance.clearance_HW >= radius
        island_HW, count = ndimage.label(free_HW)
        if count == 0:
            raise no_floor(scene_id)
        # Indoors first: the ground around a house is larger than its rooms, but no place to be.
        sizes = np.bincount(island_HW.ravel(), minlength=count + 1)[1:]
        indoors = np.bincount(island_HW[clearance.indoor_HW], minlength=count + 1)[1:]
        largest = int(np.lexsort((sizes, indoors))[-1])
        if sizes[largest] * clearance.cell**2 < MIN_ISLAND_AREA:
            raise no_floor(scene_id)
        self.free_HW = island_HW == largest + 1
        self.islands = tuple(sorted((float(n) * clearance.cell**2 for n in indoors if n), reverse=True))
        # Other islands count as obstacles, so that a free point always borders on a node of this island.
        self.clearance_HW = np.where(free_HW & ~self.free_HW, 0.0, clearance.clearance_HW)
        self.origin = clearance.origin
        self.cell = clearance.cell
        self.floor_y = clearance.floor_y
        self.radius = radius
        self.scene_id = scene_id

    @classmethod
    def from_scene(cls, scene: Scene, *, radius: float = AGENT_RADIUS, cell: float = CELL) -> NavGrid:
        """The free floor of `scene`: of all its levels, the one with the most connected floor under a ceiling.

        Where stairs, ramps or steps lead to other levels it is a `LayeredNavGrid` of all that can be walked to.
        Raises SceneError where nothing is level, or no piece of floor is free enough to stand on.
        """
        triangles_F33 = scene.triangles_F33

        def stand_on(level: float) -> tuple[NavGrid | None, float]:
            try:
                found = clearance_map(triangles_F33, level, cell=cell, climb=CLIMB, height=AGENT_HEIGHT + HEAD_ROOM)
                grid = cls(found, radius=radius, scene_id=scene.scene_id)
            except SceneError:
                return None, 0.0
            return grid, float((grid.free_HW & found.indoor_HW).sum()) * cell**2

        # A flat roof is the largest floor of many a house, but nothing is above it. Meshes that are wound inside
        # out get a second look.
        for facing_up in (True, False):
            best: NavGrid | None = None
            best_indoors = 0.0
            for height, area in floor_levels(triangles_F33, facing_up=facing_up):
                if best_indoors > area:
                    break  # levels come by size: no other can have more free floor than it has surface
                grid, indoors = stand_on(height)
                if indoors > best_indoors:
                    best, best_indoors = grid, indoors
            if best is not None:
                return _with_storeys(best, triangles_F33, facing_up)
        # No ceiling anywhere: the lowest of the large levels is the floor, whatever is free on top of things.
        levels = floor_levels(triangles_F33)
        if levels:
            largest = max(area for _, area in levels)
            grid, _ = stand_on(min(height for height, area in levels if area > 0.5 * largest))
            if grid is not None:
                return _with_storeys(grid, triangles_F33, True)
        raise no_floor(scene.scene_id)

    @cached_property
    def _free_nodes_N2(self) -> np.ndarray:
        return np.argwhere(self.free_HW)

    @property
    def area(self) -> float:
        """Square metres of free floor."""
        return float(self.free_HW.sum()) * self.cell**2

    @property
    def floors(self) -> tuple[Floor, ...]:
        """The storeys that can be walked to, the lowest first."""
        return (Floor(self.floor_y, self.area),)

    def near(self, position_3: np.ndarray, radius: float) -> np.ndarray:
        """Free floor points, float64 (N, 3), within `radius` metres of a point seen from above, in the grid's order."""
        nodes_N2 = self._free_nodes_N2
        x_N = self.origin[0] + nodes_N2[:, 1] * self.cell
        z_N = self.origin[1] + nodes_N2[:, 0] * self.cell
        near_N = (x_N - position_3[0]) ** 2 + (z_N - position_3[2]) ** 2 <= radius**2
        return np.stack([x_N[near_N], np.full(int(near_N.sum()), self.floor_y), z_N[near_N]], axis=1)

    def clearance(self, position_3: np.ndarray) -> float:
        """Metres from a floor point to the nearest obstacle; 0 outside the island."""
        return float(clearance_at(self.clearance_HW, *self._grid(position_3)) if self._level(position_3) else 0.0)

    def is_free(self, position_3: np.ndarray) -> bool:
        """Whether the agent can stand at a floor point (metres) and walk from there over the main island."""
        return self.clearance(position_3) >= self.radius

    def sees(self, start_3: np.ndarray, end_3: np.ndarray) -> bool:
        """Whether the agent can walk from one floor point to another in a straight line."""
        start, end = self._grid(start_3), self._grid(end_3)
        return bool(line_is_free(self.clearance_HW, self.radius, self.cell, *start, *end))

    def move(self, pose: Pose, target: Pose) -> tuple[Pose, bool]:
        """Walk from `pose` straight towards `target`, sliding along what is in the way.

        Returns the pose reached (with the target's yaw) and whether anything was met.
        """
        if pose.x == target.x and pose.z == target.z:
            return target, False
        start, end = self._grid((pose.x, pose.y, pose.z)), self._grid((target.x, target.y, target.z))
        column, row, collided = slide(self.clearance_HW, self.radius, self.cell, *start, *end)
        if not collided:
            return Pose(target.x, pose.y, target.z, target.yaw), False
        x, z = self.origin[0] + column * self.cell, self.origin[1] + row * self.cell
        return Pose(float(x), pose.y, float(z), target.yaw), True

    def sample(self, rng: np.random.Generator, *, clearance: float = 0.0) -> np.ndarray:
        """A random free floor point, float64 (3,), uniform over the island.

        clearance: metres that it should keep from obstacles; given up where the scene has no such place.
        """
        nodes_N2 = self._free_nodes_N2
        wanted = max(clearance, self.radius)
        roomy_N2 = nodes_N2[self.clearance_HW[nodes_N2[:, 0], nodes_N2[:, 1]] >= wanted]
        if len(roomy_N2):
            nodes_N2 = roomy_N2
        else:
            wanted = self.radius
        for _ in range(TRY_SAMPLES):
            node_2 = nodes_N2[rng.integers(len(nodes_N2))]
            position_3 = self.position(node_2 + rng.uniform(-0.5, 0.5, size=2))
            if self.clearance(position_3) >= wanted:
                return position_3
        return self.position(node_2)

    def geodesic(self, goal_3: np.ndarray | Sequence[float]) -> GeodesicField:
        """The field of shortest walks to a goal; of the last few goals, each is worked out once a process."""
        from avw.sim_bridge.navigation.geodesic import GeodesicField

        return GeodesicField.to(self, goal_3)

    def position(self, node_2: Sequence[float] | np.ndarray) -> np.ndarray:
        """The floor point, float64 (3,), of a (row, column) that need not be whole."""
        row, column = float(node_2[0]), float(node_2[1])
        return np.array([self.origin[0] + column * self.cell, self.floor_y, self.origin[1] + row * self.cell])

    def on_floor(self, position_3: Sequence[float] | np.ndarray) -> np.ndarray:
        """The point, float64 (3,), of the floor that a position is on, at the floor's height."""
        return np.array([position_3[0], self.floor_y, position_3[2]], dtype=np.float64)

    def node_position(self, index: int) -> np.ndarray:
        """The floor point of a node by its flat index."""
        return self.position(divmod(index, self.free_HW.shape[1]))

    def nearest_free(self, position_3: np.ndarray) -> tuple[np.ndarray, float, float]:
        """The free node nearest to a point (3,), its horizontal distance, and the vertical one, metres."""
        nodes_N2 = self._free_nodes_N2
        x_N = self.origin[0] + nodes_N2[:, 1] * self.cell
        z_N = self.origin[1] + nodes_N2[:, 0] * self.cell
        square_N = (x_N - position_3[0]) ** 2 + (z_N - position_3[2]) ** 2
        best = int(np.argmin(square_N))
        rise = abs(float(position_3[1]) - self.floor_y)
        return np.array([x_N[best], self.floor_y, z_N[best]]), float(np.sqrt(square_N[best])), rise

    def _grid(self, position_3: Sequence[float] | np.ndarray) -> tuple[float, float]:
        """(column, row), not rounded, of a floor point."""
        x, z = float(position_3[0]), float(position_3[2])
        return (x - self.origin[0]) / self.cell, (z - self.origin[1]) / self.cell

    def _level(self, position_3: np.ndarray) -> bool:
        return abs(float(position_3[1]) - self.floor_y) < 0.5


def other_floors(scene: Scene, grid: NavGrid) -> tuple[Floor, ...]:
    """Storeys of `scene` under a roof, of 5 m² and more, that no walk over `grid` reaches; the lowest first."""
    triangles_F33 = scene.triangles_F33
    found: list[Floor] = []
    for height, area in floor_levels(triangles_F33, limit=8):
        if area < OTHER_FLOOR or any(abs(height - floor.y) < STOREY for floor in (*grid.floors, *found)):
            continue
        try:
            seen = clearance_map(triangles_F33, height, cell=grid.cell, climb=CLIMB, height=AGENT_HEIGHT + HEAD_ROOM)
            level = NavGrid(seen, radius=grid.radius, scene_id=scene.scene_id)
        except SceneError:
            continue
        indoors = float((level.free_HW & seen.indoor_HW).sum()) * grid.cell**2
        if indoors >= OTHER_FLOOR:
            found.append(Floor(height, indoors))
    return tuple(sorted(found, key=lambda floor: floor.y))


def _with_storeys(grid: NavGrid, triangles_F33: np.ndarray, facing_up: bool) -> NavGrid:
    from avw.sim_bridge.navigation.layered_navgrid import storeys

    return storeys(grid, triangles_F33, facing_up=facing_up) or grid


def no_floor(scene_id: str) -> SceneError:
    return SceneError(
        f"scene {scene_id or '(unnamed)'} has no free floor: nowhere within it can an agent of {AGENT_RADIUS} m radius "
        f"and {AGENT_HEIGHT} m height stand on a level surface. Most likely the mesh is not Y-up, is not in metres, or "
        "is a single object; check it with `avw info FILE`"
    )


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
def line_is_free(clearance_HW, radius, cell, column, row, end_column, end_row):
    """Whether a straight walk keeps the clearance. Strides as far as the clearance itself vouches for."""
    dc, dr = end_column - column, end_row - row
    length = np.sqrt(dc * dc + dr * dr)
    if length == 0.0:
        return clearance_at(clearance_HW, column, row) >= radius
    dc, dr = dc / length, dr / length
    walked = 0.0
    while walked < length:
        here = clearance_at(clearance_HW, column + walked * dc, row + walked * dr)
        # A hair of tolerance: a path may touch the contour that its own corner points lie on.
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
    # The tolerance of lines of sight must not let the agent creep out of free space.
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
            # Away from the obstacle points the gradient of the clearance, taken where we want to go.
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
                # In a corner: what is left is motion along one axis, or none.
                if clearance_at(clearance_HW, column + dc, row) >= radius:
                    next_column, next_row = column + dc, row
                elif clearance_at(clearance_HW, column, row + dr) >= radius:
                    next_column, next_row = column, row + dr
                else:
                    next_column, next_row = column, row
        column, row = next_column, next_row
    return column, row, collided
