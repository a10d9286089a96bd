"""Free space over several floors that stairs, ramps or steps connect."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.clearance import FLATNESS
from avw.sim_bridge.navigation.free_space import Floor
from avw.sim_bridge.navigation.layered_kernels import look, slide, walk_length
from avw.sim_bridge.navigation.navgrid import CLIMB, HEAD_ROOM, MIN_ISLAND_AREA, TRY_SAMPLES, NavGrid, no_floor
from avw.sim_bridge.navigation.spans import (
    ANOTHER_AREA,
    ANOTHER_LEVEL,
    NOWHERE,
    SMOOTHING,
    STEP,
    Spans,
    link_graph,
    links,
    smoothed,
    spans_above,
)
from avw.sim_bridge.types import AGENT_HEIGHT, AGENT_RADIUS, Pose

STEEP = 0.05  # slope from which a floor is no storey, and strides over it are short
_MIN_TREADS = 0.1  # square metres of something to step onto without which nothing leads up or down
_LEVEL = 0.1  # metres, bins of the search for storeys


class LayeredNavGrid(NavGrid):
    """The largest piece of free floor that can be walked through, over as many storeys as it has.

    height_KHW: float64 metres that the agent walks at, NOWHERE where there is no span; stairs are the ramp over them
    clearance_KHW, free_KHW: as NavGrid has them, for every span · floor_y: of the storey with the largest area
    """

    def __init__(self, spans: Spans, *, radius: float = AGENT_RADIUS, scene_id: str = "") -> None:
        exists_KHW = spans.height_KHW < NOWHERE
        free_KHW = exists_KHW & (spans.clearance_KHW >= radius)
        piece_KHW = _pieces(spans.height_KHW, free_KHW)
        pieces = int(piece_KHW.max()) + 1
        if pieces == 0:
            raise no_floor(scene_id)
        sizes = np.bincount(piece_KHW[free_KHW], minlength=pieces)
        indoors = np.bincount(piece_KHW[free_KHW & spans.indoor_KHW], minlength=pieces)
        largest = int(np.lexsort((sizes, indoors))[-1])
        if sizes[largest] * spans.cell**2 < MIN_ISLAND_AREA:
            raise no_floor(scene_id)
        on_island_KHW = free_KHW & (piece_KHW == largest)
        # Spans around the island stay, blocked, because clearances are interpolated between nodes.
        surface_KHW = _pieces(spans.height_KHW, exists_KHW)
        kept_KHW = surface_KHW == surface_KHW[on_island_KHW][0]
        walked_KHW = smoothed(spans.height_KHW, kept_KHW, SMOOTHING)
        clearance_KHW = np.where(free_KHW & ~on_island_KHW, 0.0, spans.clearance_KHW)
        order = np.argsort(~kept_KHW, axis=0, kind="stable")[: int(kept_KHW.sum(axis=0).max())]

        def lowered(values_KHW: np.ndarray, empty: float) -> np.ndarray:
            return np.ascontiguousarray(np.take_along_axis(np.where(kept_KHW, values_KHW, empty), order, axis=0))

        self.height_KHW = lowered(walked_KHW, NOWHERE)
        self.clearance_KHW = lowered(clearance_KHW, 0.0)
        self.free_KHW = lowered(on_island_KHW, 0.0).astype(bool)
        self._raw_KHW = lowered(spans.height_KHW, NOWHERE)
        self.free_HW = self.free_KHW.any(axis=0)
        self.clearance_HW = self.clearance_KHW.max(axis=0)
        self.islands = tuple(sorted((float(n) * spans.cell**2 for n in indoors if n), reverse=True))
        self.origin = spans.origin
        self.cell = spans.cell
        self.radius = radius
        self.scene_id = scene_id
        self.flat_KHW = self._flatness()
        self.floor_y = max(self.floors, key=lambda floor: floor.area).y

    @cached_property
    def floors(self) -> tuple[Floor, ...]:
        """The storeys that can be walked to, the lowest first; stairs and ramps belong to the nearest."""
        y_N = self.height_KHW[self.free_KHW]
        level_N = self.height_KHW[self.free_KHW & (self.flat_KHW > 0.0)]
        level_N = level_N if len(level_N) else y_N
        bin_N = np.round((level_N - level_N.min()) / _LEVEL).astype(np.int64)
        count = np.bincount(bin_N)
        levels: list[float] = []
        for index in np.argsort(-count, kind="stable"):
            if count[index] * self.cell**2 < ANOTHER_AREA and levels:
                break
            level = float(np.median(level_N[bin_N == index]))
            if all(abs(level - other) > 0.5 for other in levels):
                levels.append(level)
        levels.sort()
        nearest_N = np.abs(y_N[:, None] - np.array(levels)).argmin(axis=1)
        area_L = np.bincount(nearest_N, minlength=len(levels)) * self.cell**2
        return tuple(Floor(level, float(area)) for level, area in zip(levels, area_L, strict=True))

    @property
    def area(self) -> float:
        """Square metres of free floor on all storeys, seen from above."""
        return float(self.free_KHW.sum()) * self.cell**2

    @cached_property
    def graph(self) -> csr_matrix:
        """Links between the free spans of neighbouring nodes, metres walked; nodes are flat indices, each link once."""
        return link_graph(self._raw_KHW, self.free_KHW, self.cell)

    def clearance(self, position_3: np.ndarray) -> float:
        """Metres from a floor point to the nearest obstacle; 0 outside the island."""
        return self._look(position_3)[0]

    def sees(self, start_3: np.ndarray, end_3: np.ndarray) -> bool:
        """Whether the agent can walk from one floor point to another in a straight line, stairs included."""
        return bool(np.isfinite(self.walk_length(start_3, end_3)))

    def walk_length(self, start_3: np.ndarray, end_3: np.ndarray) -> float:
        """Metres of the straight walk over the floor from one floor point to another; inf where it is blocked."""
        start, end = self._grid(start_3), self._grid(end_3)
        arrays = (self.height_KHW, self.clearance_KHW, self.flat_KHW, self.radius, self.cell)
        return float(walk_length(*arrays, *start, float(start_3[1]), *end, float(end_3[1])))

    def move(self, pose: Pose, target: Pose) -> tuple[Pose, bool]:
        """Walk from `pose` straight towards `target`, sliding along what is in the way, up and down with the floor."""
        if pose.x == target.x and pose.z == target.z:
            return target, False
        start, end = self._grid((pose.x, pose.y, pose.z)), self._grid((target.x, target.y, target.z))
        arrays = (self.height_KHW, self.clearance_KHW, self.flat_KHW, self.radius, self.cell)
        column, row, y, collided = slide(*arrays, *start, pose.y, *end)
        if not collided:
            return Pose(target.x, float(y), target.z, target.yaw), False
        x, z = self.origin[0] + column * self.cell, self.origin[1] + row * self.cell
        return Pose(float(x), float(y), float(z), target.yaw), True

    def sample(self, rng: np.random.Generator, *, clearance: float = 0.0) -> np.ndarray:
        """A random free floor point, float64 (3,), uniform over the floors of the island."""
        nodes_N3 = self._free_nodes_N3
        wanted = max(clearance, self.radius)
        roomy_N3 = nodes_N3[self.clearance_KHW[tuple(nodes_N3.T)] >= wanted]
        if len(roomy_N3):
            nodes_N3 = roomy_N3
        else:
            wanted = self.radius
        for _ in range(TRY_SAMPLES):
            node_3 = nodes_N3[rng.integers(len(nodes_N3))]
            row, column = node_3[1:] + rng.uniform(-0.5, 0.5, size=2)
            found, y, _ = self._at(column, row, self.height_KHW[tuple(node_3)])
            if found >= wanted:
                return self._point(column, row, y)
        return self.node_position(int(np.ravel_multi_index(tuple(node_3), self.height_KHW.shape)))

    def near(self, position_3: np.ndarray, radius: float) -> np.ndarray:
        """Free floor points, float64 (N, 3), within `radius` metres seen from above, on the floor below a point."""
        nodes_N3 = self._free_nodes_N3
        x_N = self.origin[0] + nodes_N3[:, 2] * self.cell
        z_N = self.origin[1] + nodes_N3[:, 1] * self.cell
        y_N = self.height_KHW[tuple(nodes_N3.T)]
        near_N = (x_N - position_3[0]) ** 2 + (z_N - position_3[2]) ** 2 <= radius**2
        near_N &= (y_N < position_3[1] + 0.5) & (y_N > position_3[1] - 3.0)
        return np.stack([x_N[near_N], y_N[near_N], z_N[near_N]], axis=1)

    def on_floor(self, position_3: Sequence[float] | np.ndarray) -> np.ndarray:
        """The point, float64 (3,), of the floor that a position is on, at the floor's height."""
        column, row = self._grid(position_3)
        return self._point(column, row, self._look(position_3)[1])

    def node_position(self, index: int) -> np.ndarray:
        """The floor point of a node by its flat index over spans, rows and columns."""
        k, row, column = np.unravel_index(index, self.height_KHW.shape)
        return self._point(float(column), float(row), self.height_KHW[k, row, column])

    def nearest_free(self, position_3: np.ndarray) -> tuple[np.ndarray, float, float]:
        """The free node nearest to a point (3,), its horizontal distance, and the vertical one, metres."""
        nodes_N3 = self._free_nodes_N3
        x_N = self.origin[0] + nodes_N3[:, 2] * self.cell
        z_N = self.origin[1] + nodes_N3[:, 1] * self.cell
        y_N = self.height_KHW[tuple(nodes_N3.T)]
        square_N = (x_N - position_3[0]) ** 2 + (z_N - position_3[2]) ** 2
        # Straight up or down is another storey: it counts for more than the way around a cupboard.
        best = int(np.argmin(square_N + 9.0 * (y_N - position_3[1]) ** 2))
        return (
            np.array([x_N[best], y_N[best], z_N[best]]),
            float(np.sqrt(square_N[best])),
            abs(float(y_N[best] - position_3[1])),
        )

    @cached_property
    def _free_nodes_N3(self) -> np.ndarray:
        return np.argwhere(self.free_KHW)

    def _flatness(self) -> np.ndarray:
        """Metres from every span to the nearest that is steep: strides may be long where the floor is level."""
        exists_KHW = self.height_KHW < NOWHERE
        steep_KHW = np.zeros(exists_KHW.shape, dtype=bool).ravel()
        for (dr, dc), head_N, tail_N in links(self._raw_KHW, exists_KHW):
            if dr + abs(dc) > 1:
                continue
            rising_N = np.abs(self.height_KHW.ravel()[head_N] - self.height_KHW.ravel()[tail_N]) > STEEP * self.cell
            steep_KHW[head_N[rising_N]] = True
            steep_KHW[tail_N[rising_N]] = True
        if not steep_KHW.any():
            return np.full(exists_KHW.shape, np.inf)
        graph = link_graph(self._raw_KHW, exists_KHW, self.cell)
        flat_N = dijkstra(graph, directed=False, indices=np.flatnonzero(steep_KHW), min_only=True)
        # Walks over 16 directions are up to 3 % longer than straight ones.
        out_KHW: np.ndarray = np.maximum(0.97 * flat_N - 2 * self.cell, 0.0).reshape(exists_KHW.shape)
        return out_KHW

    def _look(self, position_3: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
        return self._at(*self._grid(position_3), float(position_3[1]))

    def _at(self, column: float, row: float, y: float) -> tuple[float, float, float]:
        found = look(self.height_KHW, self.clearance_KHW, self.flat_KHW, float(column), float(row), float(y))
        return float(found[0]), float(found[1]), float(found[2])

    def _point(self, column: float, row: float, y: float) -> np.ndarray:
        return np.array([self.origin[0] + column * self.cell, float(y), self.origin[1] + row * self.cell])


def storeys(base: NavGrid, triangles_F33: np.ndarray, *, facing_up: bool = True) -> LayeredNavGrid | None:
    """All that can be walked to from the one floor of `base`, if stairs, ramps or steps lead to more; else None."""
    if not _something_to_climb(base.floor_y, triangles_F33, facing_up):
        return None
    tall = AGENT_HEIGHT + HEAD_ROOM
    spans = spans_above(
        triangles_F33, base.floor_y, cell=base.cell, height=tall, radius=base.radius, facing_up=facing_up
    )
    if spans is None:
        return None
    try:
        grid = LayeredNavGrid(spans, radius=base.radius, scene_id=base.scene_id)
    except SceneError:
        return None
    elsewhere = np.abs(grid.height_KHW[grid.free_KHW] - base.floor_y) > ANOTHER_LEVEL
    return grid if elsewhere.sum() * base.cell**2 >= ANOTHER_AREA and grid.area > base.area else None


def _something_to_climb(floor_y: float, triangles_F33: np.ndarray, facing_up: bool) -> bool:
    """Whether anything level enough to stand on is within the reach of a step above or below the floor.

    Most houses have one floor and nothing of the kind; they are spared the search.
    """
    low_F, high_F = triangles_F33[:, :, 1].min(axis=1), triangles_F33[:, :, 1].max(axis=1)
    above_F = (low_F <= floor_y + STEP + CLIMB) & (high_F > floor_y + CLIMB)
    below_F = (high_F >= floor_y - STEP - CLIMB) & (low_F < floor_y - CLIMB)
    near_F33 = triangles_F33[above_F | below_F].astype(np.float64)
    normal_F3 = np.cross(near_F33[:, 1] - near_F33[:, 0], near_F33[:, 2] - near_F33[:, 0])
    length_F = np.linalg.norm(normal_F3, axis=1)
    upward_F = normal_F3[:, 1] if facing_up else np.abs(normal_F3[:, 1])
    return float(0.5 * length_F[upward_F > FLATNESS * length_F].sum()) > _MIN_TREADS


def _pieces(height_KHW: np.ndarray, chosen_KHW: np.ndarray) -> np.ndarray:
    """int64 (K, H, W): the connected piece (by links along rows and columns) of every chosen span, else -1."""
    heads, tails = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for (dr, dc), head_N, tail_N in links(height_KHW, chosen_KHW):
        if dr + abs(dc) == 1:
            heads.append(head_N)
            tails.append(tail_N)
    head_N, tail_N = np.concatenate(heads), np.concatenate(tails)
    graph = csr_matrix((np.ones(len(head_N), dtype=np.int8), (head_N, tail_N)), shape=(chosen_KHW.size,) * 2)
    label_N = connected_components(graph, directed=False)[1]
    out_KHW = np.full(chosen_KHW.shape, -1, dtype=np.int64)
    chosen_N = chosen_KHW.ravel()
    out_KHW.ravel()[chosen_N] = np.unique(label_N[chosen_N], return_inverse=True)[1]
    return out_KHW
