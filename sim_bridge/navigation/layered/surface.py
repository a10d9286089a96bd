"""The free floor of several levels as arrays, with the coordinates of its nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.grid_frame import GridFrame
from avw.sim_bridge.navigation.islands import choose_island
from avw.sim_bridge.navigation.layered.span_kernels import NO_SPAN, smoothed
from avw.sim_bridge.navigation.layered.spans import Spans, link_graph, links
from avw.sim_bridge.navigation.layered.walk_kernels import SAME_FLOOR, SpanArrays, look

STEEP = 0.05  # slope from which a span is part of stairs or of a ramp, not of a storey; strides over it are short
SMOOTHING = 30  # rounds of averaging over linked neighbours: stairs become the ramp that Habitat's agents walk on


@dataclass(frozen=True, kw_only=True, eq=False)
class LayeredSurface:
    """The island on which the agent walks, and the blocked spans around it.

    arrays: heights (stairs are the ramp over them), clearances and distances to steep spans, with the agent's radius
    free_KHW: bool, the agent can stand on the span · unsmoothed_KHW: float64 metres, heights with every tread
    frame: where the nodes are · scene_id: for messages
    """

    arrays: SpanArrays
    free_KHW: np.ndarray
    unsmoothed_KHW: np.ndarray
    frame: GridFrame
    scene_id: str

    @cached_property
    def free_nodes_N3(self) -> np.ndarray:
        """(layer, row, column) of every free span."""
        return np.argwhere(self.free_KHW)

    @cached_property
    def free_points_N3(self) -> np.ndarray:
        """The floor points, float64 (N, 3), of the free spans."""
        nodes_N3 = self.free_nodes_N3
        x_N, z_N = self.frame.to_plan(nodes_N3[:, 2], nodes_N3[:, 1])
        return np.stack([x_N, self.arrays.height_KHW[tuple(nodes_N3.T)], z_N], axis=1)

    @cached_property
    def graph(self) -> csr_matrix:
        """Links between the free spans of neighbouring nodes by flat index (each once), weights in metres."""
        return link_graph(self.unsmoothed_KHW, self.free_KHW, self.frame.cell)

    def look(self, column: float, row: float, y: float) -> tuple[float, float, float]:
        """(clearance, height of the floor, metres to the nearest steep span) at a point; clearance 0 off the floor."""
        found = look(self.arrays, float(column), float(row), float(y))
        return float(found[0]), float(found[1]), float(found[2])

    def point(self, column: float, row: float, y: float) -> np.ndarray:
        """The point, float64 (3,), at a column and a row that need not be whole."""
        x, z = self.frame.to_plan(column, row)
        return np.array([x, float(y), z])

    def node_position(self, index: int) -> np.ndarray:
        """The floor point of a span by its flat index over layers, rows and columns."""
        k, row, column = np.unravel_index(index, self.free_KHW.shape)
        return self.point(float(column), float(row), self.arrays.height_KHW[k, row, column])

    def on_floor(self, position_3: Sequence[float] | np.ndarray) -> np.ndarray:
        """A position, float64 (3,), moved up or down to the height of the floor that it is on."""
        column, row = self.frame.to_grid(position_3)
        return self.point(column, row, self.look(column, row, float(position_3[1]))[1])

    def nearest_free(self, position_3: np.ndarray) -> tuple[np.ndarray, float, float]:
        """The free span nearest to a point (3,), its horizontal distance, and the vertical one, metres."""
        x_N, y_N, z_N = self.free_points_N3.T
        square_N = (x_N - position_3[0]) ** 2 + (z_N - position_3[2]) ** 2
        # Straight above or below is another storey: that counts for more than the way around a cupboard.
        best = int(np.argmin(square_N + 9.0 * (y_N - position_3[1]) ** 2))
        rise = abs(float(y_N[best] - position_3[1]))
        return self.free_points_N3[best].copy(), float(np.sqrt(square_N[best])), rise

    def nearest_corner(self, column: float, row: float, y: float) -> int:
        """Flat index of the nearest free span among the corners of the cell around a free point."""
        best, nearest = -1, np.inf
        for r in (int(row), int(row) + 1):
            for c in (int(column), int(column) + 1):
                for k in range(len(self.free_KHW)):
                    if self.free_KHW[k, r, c] and abs(self.arrays.height_KHW[k, r, c] - y) < SAME_FLOOR:
                        gap = (r - row) ** 2 + (c - column) ** 2
                        if gap < nearest:
                            best, nearest = int(np.ravel_multi_index((k, r, c), self.free_KHW.shape)), gap
        if best < 0:
            x, z = self.frame.to_plan(column, row)
            raise SceneError(
                f"the goal ({x:.2f}, {y:.2f}, {z:.2f}) in scene {self.scene_id!r} has no free floor around it: choose "
                "a goal with `navgrid.sample`"
            )
        return best


def layered_surface(spans: Spans, *, radius: float, scene_id: str) -> tuple[LayeredSurface, tuple[float, ...]]:
    """(the island to walk on, square metres under a roof of every island, the largest first)."""
    exists_KHW = spans.height_KHW < NO_SPAN
    everywhere_KHW = exists_KHW & (spans.clearance_KHW >= radius)
    island_KHW = _pieces(spans.height_KHW, everywhere_KHW)
    on_island_N, indoors_N = island_KHW[everywhere_KHW], island_KHW[everywhere_KHW & spans.indoor_KHW]
    count = int(island_KHW.max()) + 1
    largest, islands = choose_island(on_island_N, indoors_N, count, spans.frame.cell, scene_id)
    free_KHW = everywhere_KHW & (island_KHW == largest)
    # Spans around the island stay, blocked, because clearances are interpolated between nodes.
    surface_KHW = _pieces(spans.height_KHW, exists_KHW)
    kept_KHW = surface_KHW == surface_KHW[free_KHW][0]
    clearance_KHW = np.where(everywhere_KHW & ~free_KHW, 0.0, spans.clearance_KHW)
    order = np.argsort(~kept_KHW, axis=0, kind="stable")[: int(kept_KHW.sum(axis=0).max())]

    def packed(values_KHW: np.ndarray, empty: float) -> np.ndarray:
        """Only the kept spans, in as few layers as they need."""
        return np.ascontiguousarray(np.take_along_axis(np.where(kept_KHW, values_KHW, empty), order, axis=0))

    height_KHW = packed(smoothed(spans.height_KHW, kept_KHW, SMOOTHING), NO_SPAN)
    unsmoothed_KHW = packed(spans.height_KHW, NO_SPAN)
    surface = LayeredSurface(
        arrays=SpanArrays(
            height_KHW=height_KHW,
            clearance_KHW=packed(clearance_KHW, 0.0),
            to_steep_KHW=_distance_to_steep(height_KHW, unsmoothed_KHW, spans.frame.cell),
            radius=radius,
            cell=spans.frame.cell,
        ),
        free_KHW=packed(free_KHW, 0.0).astype(bool),
        unsmoothed_KHW=unsmoothed_KHW,
        frame=spans.frame,
        scene_id=scene_id,
    )
    return surface, islands


def _distance_to_steep(height_KHW: np.ndarray, unsmoothed_KHW: np.ndarray, cell: float) -> np.ndarray:
    """Metres from every span to the nearest steep one: strides may be long where the floor is level."""
    exists_KHW = height_KHW < NO_SPAN
    steep_KHW = np.zeros(exists_KHW.shape, dtype=bool).ravel()
    for (dr, dc), head_N, tail_N in links(unsmoothed_KHW, exists_KHW):
        if dr + abs(dc) > 1:
            continue
        rising_N = np.abs(height_KHW.ravel()[head_N] - height_KHW.ravel()[tail_N]) > STEEP * cell
        steep_KHW[head_N[rising_N]] = True
        steep_KHW[tail_N[rising_N]] = True
    if not steep_KHW.any():
        return np.full(exists_KHW.shape, np.inf)
    graph = link_graph(unsmoothed_KHW, exists_KHW, cell)
    walked_N = dijkstra(graph, directed=False, indices=np.flatnonzero(steep_KHW), min_only=True)
    # Walks over 16 directions are up to 3 % longer than straight ones.
    out_KHW: np.ndarray = np.maximum(0.97 * walked_N - 2 * cell, 0.0).reshape(exists_KHW.shape)
    return out_KHW


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
