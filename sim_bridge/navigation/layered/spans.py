"""Floors over one another: all that the agent can stand on, node by node, and how far obstacles are from there.

As in a layered height field (Recast's compact height field, Mononen 2009) every node of the plan has a few *spans*,
floors with room for the agent above them. Two spans of neighbouring nodes are linked where the agent can step from one
to the other: treads of stairs, ramps, thresholds. As on a single floor, distances near obstacles are exact: each span
considers the parts of triangles between its own step height and its own head height.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from avw.sim_bridge.navigation.floor_levels import FLATNESS
from avw.sim_bridge.navigation.grid_frame import HALF_OF_NEIGHBOURS, GridFrame, frame_around
from avw.sim_bridge.navigation.layered.span_kernels import NO_SPAN, STEP, climbed, lower_to_span_distances, on_edge
from avw.sim_bridge.navigation.layered.span_raster import floor_samples, tops
from avw.sim_bridge.navigation.polygons import REACH

ANOTHER_AREA = 1.0  # square metres on another level without which a scene counts as flat
MAX_SPANS = 8  # per node


@dataclass(frozen=True, kw_only=True, slots=True)
class Spans:
    """Floors over one another on a grid of nodes.

    height_KHW: float64 metres, NO_SPAN where there is no span · clearance_KHW: metres to the nearest obstacle or edge
    indoor_KHW: bool, something is overhead · frame: where the nodes are
    """

    height_KHW: np.ndarray
    clearance_KHW: np.ndarray
    indoor_KHW: np.ndarray
    frame: GridFrame


def spans_above(
    triangles_F33: np.ndarray, floor_y: float, *, cell: float, height: float, radius: float, facing_up: bool = True
) -> Spans | None:
    """All floors of a scene for an agent `height` metres tall, if one leads from `floor_y` to another; else None.

    radius: of the agent, metres · facing_up: count only faces whose normal points up, which holds for floors where a
    mesh is wound consistently.
    """
    triangles_F33 = np.ascontiguousarray(triangles_F33, dtype=np.float64)
    edge_a, edge_b = triangles_F33[:, 1] - triangles_F33[:, 0], triangles_F33[:, 2] - triangles_F33[:, 0]
    normal_F3 = np.cross(edge_a, edge_b)
    upward_F = normal_F3[:, 1] / np.maximum(np.linalg.norm(normal_F3, axis=1), 1e-12)
    walkable_F = (upward_F if facing_up else np.abs(upward_F)) > FLATNESS
    if not walkable_F.any():
        return None
    floors_F33 = triangles_F33[walkable_F]
    frame, rows, columns = frame_around(floors_F33, cell)
    low_x, low_z = frame.origin
    touch = 0.3 * cell  # closes the hairline gaps between neighbouring faces of a floor
    node_N, sample_N = floor_samples(floors_F33, low_x, low_z, cell, touch, rows, columns)
    height_KHW = _stack(node_N, sample_N, rows, columns, height)
    near_KHW = np.full(height_KHW.shape, np.inf)
    highest_F, lowest_F = triangles_F33[:, :, 1].max(axis=1), triangles_F33[:, :, 1].min(axis=1)
    lower_to_span_distances(triangles_F33, lowest_F, highest_F, height_KHW, height, low_x, low_z, cell, near_KHW)
    # Most houses have one floor, and this is enough to know it.
    if climbed(height_KHW, near_KHW >= radius, floor_y) * cell**2 < ANOTHER_AREA:
        return None
    top_HW = tops(triangles_F33, low_x, low_z, cell, touch, rows, columns)

    exists_KHW = height_KHW < NO_SPAN
    graph = link_graph(height_KHW, exists_KHW, cell)
    blocked_KHW = exists_KHW & (near_KHW <= 0.5 * cell)
    # Half a diagonal less: the nearest obstacle may extend that far out of its cell.
    far_KHW = _spread(graph, np.where(blocked_KHW, 0.0, np.inf)) - 0.71 * cell
    clearance_KHW = np.where(near_KHW < REACH, near_KHW, np.maximum(far_KHW, REACH))
    edge_KHW = _spread(graph, np.where(on_edge(height_KHW), cell, np.inf)) - 0.5 * cell
    clearance_KHW = np.maximum(np.minimum(clearance_KHW, edge_KHW), 0.0)
    return Spans(
        height_KHW=height_KHW,
        clearance_KHW=np.where(exists_KHW, clearance_KHW, 0.0),
        indoor_KHW=exists_KHW & (top_HW > height_KHW + height),
        frame=frame,
    )


def link_graph(height_KHW: np.ndarray, chosen_KHW: np.ndarray, cell: float) -> csr_matrix:
    """Links between chosen spans of neighbouring nodes (16 around each) at most a step apart, weights in metres."""
    heads, tails, weights = [], [], []
    for (dr, dc), head_N, tail_N in links(height_KHW, chosen_KHW):
        rise_N = height_KHW.ravel()[head_N] - height_KHW.ravel()[tail_N]
        heads.append(head_N)
        tails.append(tail_N)
        weights.append(np.sqrt((cell * np.hypot(dr, dc)) ** 2 + rise_N**2))
    shape = (chosen_KHW.size, chosen_KHW.size)
    return csr_matrix((np.concatenate(weights), (np.concatenate(heads), np.concatenate(tails))), shape=shape)


def links(height_KHW: np.ndarray, chosen_KHW: np.ndarray) -> Iterator[tuple[tuple[int, int], np.ndarray, np.ndarray]]:
    """((row, column) step, flat indices of spans, of the spans they are linked with), for half of the neighbours."""
    layers, rows, columns = height_KHW.shape
    index_KHW = np.arange(height_KHW.size, dtype=np.int64).reshape(height_KHW.shape)
    for dr, dc in HALF_OF_NEIGHBOURS:
        here = (slice(0, rows - dr), slice(max(0, -dc), columns - max(0, dc)))
        there = (slice(dr, rows), slice(max(0, dc), columns - max(0, -dc)))
        for k in range(layers):
            for other in range(layers):
                both = chosen_KHW[k][here] & chosen_KHW[other][there]
                both &= np.abs(height_KHW[k][here] - height_KHW[other][there]) <= STEP
                if both.any():
                    yield (dr, dc), index_KHW[k][here][both], index_KHW[other][there][both]


def _spread(graph: csr_matrix, seeds_KHW: np.ndarray) -> np.ndarray:
    """Seed value plus metres to the nearest seed, for every span; inf where no seed can be reached."""
    seeds_N = seeds_KHW.ravel()
    started_N = np.flatnonzero(np.isfinite(seeds_N))
    if len(started_N) == 0:
        return np.full(seeds_KHW.shape, np.inf)
    # All seeds have the same value, so the nearest one gives the minimum.
    spread_N = dijkstra(graph, directed=False, indices=started_N, min_only=True)
    out_KHW: np.ndarray = spread_N.reshape(seeds_KHW.shape) + seeds_N[started_N[0]]
    return out_KHW


def _stack(node_N: np.ndarray, sample_N: np.ndarray, rows: int, columns: int, height: float) -> np.ndarray:
    """height_KHW from all meetings of nodes and faces, the lowest first; without headroom it is not a floor."""
    order = np.lexsort((sample_N, node_N))
    node_N, sample_N = node_N[order], sample_N[order]
    same_N = np.append(node_N[1:] == node_N[:-1], False)
    gap_N = np.append(sample_N[1:] - sample_N[:-1], np.inf)
    # A floor needs headroom up to the next surface: of a rug and the floor under it, only the rug counts.
    kept_N = ~same_N | (gap_N >= height)
    node_N, sample_N = node_N[kept_N], sample_N[kept_N]
    first_N = np.append(True, node_N[1:] != node_N[:-1])
    start_N = np.maximum.accumulate(np.where(first_N, np.arange(len(node_N)), 0))
    rank_N = np.arange(len(node_N)) - start_N
    fits_N = rank_N < MAX_SPANS
    layers = int(rank_N[fits_N].max()) + 1
    height_KN = np.full((layers, rows * columns), NO_SPAN)
    height_KN[rank_N[fits_N], node_N[fits_N]] = sample_N[fits_N]
    return height_KN.reshape(layers, rows, columns)
