"""Several floors over one another: what can be stood on, column by column, and how far obstacles are from there.

As in a layered height field (Recast's compact height field, Mononen 2009) every node of the plan carries a few *spans*,
floors with room for the agent above them. Two spans of neighbouring nodes are linked where the agent can step from one
to the other: treads of stairs, ramps, thresholds. As on a single floor, distances near obstacles are exact: each span
looks at the parts of triangles between its own step height and its own head.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from avw.sim_bridge.navigation.clearance import FLATNESS, REACH, check_extent, clip, distance_to_polygon
from avw.sim_bridge.navigation.span_raster import floor_samples, tops

STEP = 0.2  # metres that the agent climbs from one span to the next: Habitat's agents do too, and stairs need it
NOWHERE = 1e9  # the height of a span that does not exist
ANOTHER_LEVEL = 0.5  # metres above or below a floor that count as another one
ANOTHER_AREA = 1.0  # square metres of it that make the search for storeys worth while
MOST_SPANS = 8  # per node
SMOOTHING = 30  # rounds of averaging with linked neighbours: treads become the ramp that Habitat's agents walk on
_LEVEL_BINS = 20  # per metre: obstacles are cut at heights rounded to 5 cm, so that cuts can be shared by neighbours
_CUTS = 4
HALF_OF_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1), (1, 2), (2, 1), (2, -1), (1, -2))  # (row, column) steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Spans:
    """Floors over one another on a grid of nodes.

    height_KHW: float64 metres, NOWHERE where there is none · clearance_KHW: metres to the nearest obstacle or edge
    indoor_KHW: bool, something is overhead · origin: (x, z) of node [0, 0] · cell: metres between nodes
    """

    height_KHW: np.ndarray
    clearance_KHW: np.ndarray
    indoor_KHW: np.ndarray
    origin: tuple[float, float]
    cell: float


def spans_above(
    triangles_F33: np.ndarray, floor_y: float, *, cell: float, height: float, radius: float, facing_up: bool = True
) -> Spans | None:
    """All floors of a scene for an agent `height` metres tall, if one leads from `floor_y` to another; else None.

    radius: the agent's · facing_up: count only faces whose normal points up, as a floor's does where a mesh is wound
    consistently.
    """
    triangles_F33 = np.ascontiguousarray(triangles_F33, dtype=np.float64)
    edge_a, edge_b = triangles_F33[:, 1] - triangles_F33[:, 0], triangles_F33[:, 2] - triangles_F33[:, 0]
    normal_F3 = np.cross(edge_a, edge_b)
    upward_F = normal_F3[:, 1] / np.maximum(np.linalg.norm(normal_F3, axis=1), 1e-12)
    walkable_F = (upward_F if facing_up else np.abs(upward_F)) > FLATNESS
    if not walkable_F.any():
        return None
    floors_F33 = triangles_F33[walkable_F]
    margin = 2 * cell
    low_2 = floors_F33[:, :, [0, 2]].min(axis=(0, 1)) - margin
    columns, rows = (int(n) for n in np.ceil((floors_F33[:, :, [0, 2]].max(axis=(0, 1)) + margin - low_2) / cell) + 1)
    check_extent(rows, columns, cell)
    touch = 0.3 * cell  # closes the hairline gaps between a floor's neighbouring faces
    node_N, sample_N = floor_samples(floors_F33, low_2[0], low_2[1], cell, touch, rows, columns)
    height_KHW = _stack(node_N, sample_N, rows, columns, height)
    near_KHW = np.full(height_KHW.shape, np.inf)
    highest_F, lowest_F = triangles_F33[:, :, 1].max(axis=1), triangles_F33[:, :, 1].min(axis=1)
    _near(triangles_F33, lowest_F, highest_F, height_KHW, height, low_2[0], low_2[1], cell, near_KHW)
    # Most houses have one floor, and need no more than this to show it.
    if _climbed(height_KHW, near_KHW >= radius, floor_y) * cell**2 < ANOTHER_AREA:
        return None
    top_HW = tops(triangles_F33, low_2[0], low_2[1], cell, touch, rows, columns)

    exists_KHW = height_KHW < NOWHERE
    graph = link_graph(height_KHW, exists_KHW, cell)
    blocked_KHW = exists_KHW & (near_KHW <= 0.5 * cell)
    # Half a diagonal less: the nearest obstacle may reach that far out of its cell.
    far_KHW = _spread(graph, np.where(blocked_KHW, 0.0, np.inf)) - 0.71 * cell
    clearance_KHW = np.where(near_KHW < REACH, near_KHW, np.maximum(far_KHW, REACH))
    edge_KHW = _spread(graph, np.where(_on_edge(height_KHW), cell, np.inf)) - 0.5 * cell
    clearance_KHW = np.maximum(np.minimum(clearance_KHW, edge_KHW), 0.0)
    return Spans(
        height_KHW=height_KHW,
        clearance_KHW=np.where(exists_KHW, clearance_KHW, 0.0),
        indoor_KHW=exists_KHW & (top_HW > height_KHW + height),
        origin=(float(low_2[0]), float(low_2[1])),
        cell=cell,
    )


def link_graph(height_KHW: np.ndarray, chosen_KHW: np.ndarray, cell: float) -> csr_matrix:
    """Links between chosen spans of neighbouring nodes (16 around each) a step apart at most; metres walked."""
    heads, tails, weights = [], [], []
    for (dr, dc), head_N, tail_N in links(height_KHW, chosen_KHW):
        rise_N = height_KHW.ravel()[head_N] - height_KHW.ravel()[tail_N]
        heads.append(head_N)
        tails.append(tail_N)
        weights.append(np.sqrt((cell * np.hypot(dr, dc)) ** 2 + rise_N**2))
    shape = (chosen_KHW.size, chosen_KHW.size)
    return csr_matrix((np.concatenate(weights), (np.concatenate(heads), np.concatenate(tails))), shape=shape)


def links(height_KHW: np.ndarray, chosen_KHW: np.ndarray) -> Iterator[tuple[tuple[int, int], np.ndarray, np.ndarray]]:
    """((row, column) step, flat indices of spans, of those that they are linked with), for half of the neighbours."""
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
    """The least of seed + metres walked from it, for every span; inf where no seed can be walked to."""
    seeds_N = seeds_KHW.ravel()
    started_N = np.flatnonzero(np.isfinite(seeds_N))
    if len(started_N) == 0:
        return np.full(seeds_KHW.shape, np.inf)
    # All seeds have one value here, so the nearest of them decides.
    spread_N = dijkstra(graph, directed=False, indices=started_N, min_only=True)
    out_KHW: np.ndarray = spread_N.reshape(seeds_KHW.shape) + seeds_N[started_N[0]]
    return out_KHW


def _stack(node_N: np.ndarray, sample_N: np.ndarray, rows: int, columns: int, height: float) -> np.ndarray:
    """height_KHW of floors from all that faces touch, the lowest first in each column; what has no headroom is none."""
    order = np.lexsort((sample_N, node_N))
    node_N, sample_N = node_N[order], sample_N[order]
    same_N = np.append(node_N[1:] == node_N[:-1], False)
    gap_N = np.append(sample_N[1:] - sample_N[:-1], np.inf)
    # Under what can be stood on there must be room to stand: of a rug and its floor, the rug is stood on.
    kept_N = ~same_N | (gap_N >= height)
    node_N, sample_N = node_N[kept_N], sample_N[kept_N]
    first_N = np.append(True, node_N[1:] != node_N[:-1])
    start_N = np.maximum.accumulate(np.where(first_N, np.arange(len(node_N)), 0))
    rank_N = np.arange(len(node_N)) - start_N
    fits_N = rank_N < MOST_SPANS
    layers = int(rank_N[fits_N].max()) + 1
    height_KN = np.full((layers, rows * columns), NOWHERE)
    height_KN[rank_N[fits_N], node_N[fits_N]] = sample_N[fits_N]
    return height_KN.reshape(layers, rows, columns)


@njit(cache=True, nogil=True)
def _climbed(height_KHW, free_KHW, floor_y):
    """Spans on other levels that can be reached from those at `floor_y`, step by step; edges are not yet minded."""
    layers, rows, columns = height_KHW.shape
    seen_KHW = np.zeros(height_KHW.shape, dtype=np.bool_)
    queue_N = np.empty(height_KHW.size, dtype=np.int64)
    head, tail, climbed = 0, 0, 0
    for k in range(layers):
        for r in range(rows):
            for c in range(columns):
                if free_KHW[k, r, c] and abs(height_KHW[k, r, c] - floor_y) <= 0.5 * STEP:
                    seen_KHW[k, r, c] = True
                    queue_N[tail] = (k * rows + r) * columns + c
                    tail += 1
    while head < tail:
        node = queue_N[head]
        head += 1
        k, r, c = node // (rows * columns), node % (rows * columns) // columns, node % columns
        if abs(height_KHW[k, r, c] - floor_y) > ANOTHER_LEVEL:
            climbed += 1
        for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            if not (0 <= r + dr < rows and 0 <= c + dc < columns):
                continue
            for other in range(layers):
                if seen_KHW[other, r + dr, c + dc] or not free_KHW[other, r + dr, c + dc]:
                    continue
                if abs(height_KHW[other, r + dr, c + dc] - height_KHW[k, r, c]) <= STEP:
                    seen_KHW[other, r + dr, c + dc] = True
                    queue_N[tail] = (other * rows + r + dr) * columns + c + dc
                    tail += 1
    return climbed


@njit(cache=True, nogil=True)
def _on_edge(height_KHW):
    """Whether a span lacks a link to one of its four neighbours."""
    layers, rows, columns = height_KHW.shape
    edge_KHW = np.zeros(height_KHW.shape, dtype=np.bool_)
    for k in range(layers):
        for r in range(rows):
            for c in range(columns):
                here = height_KHW[k, r, c]
                if here >= NOWHERE:
                    continue
                for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                    linked = False
                    if 0 <= r + dr < rows and 0 <= c + dc < columns:
                        for other in range(layers):
                            if abs(height_KHW[other, r + dr, c + dc] - here) <= STEP:
                                linked = True
                    if not linked:
                        edge_KHW[k, r, c] = True
    return edge_KHW


@njit(cache=True, nogil=True)
def smoothed(height_KHW, chosen_KHW, rounds):
    """Heights averaged with those of linked neighbours, round by round: stairs become ramps, level floors stay."""
    layers, rows, columns = height_KHW.shape
    now_KHW = height_KHW.copy()
    next_KHW = height_KHW.copy()
    for _ in range(rounds):
        for k in range(layers):
            for r in range(rows):
                for c in range(columns):
                    if not chosen_KHW[k, r, c]:
                        continue
                    total, count = now_KHW[k, r, c], 1.0
                    for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                        if not (0 <= r + dr < rows and 0 <= c + dc < columns):
                            continue
                        for other in range(layers):
                            if not chosen_KHW[other, r + dr, c + dc]:
                                continue
                            if abs(height_KHW[other, r + dr, c + dc] - height_KHW[k, r, c]) <= STEP:
                                total += now_KHW[other, r + dr, c + dc]
                                count += 1.0
                    next_KHW[k, r, c] = total / count
        now_KHW, next_KHW = next_KHW, now_KHW
    return now_KHW


@njit(cache=True, nogil=True)
def _near(triangles_F33, lowest_F, highest_F, height_KHW, tall, low_x, low_z, cell, near_KHW):
    """Lower `near_KHW` to each span's distance to the parts of triangles between its step height and its head."""
    layers, rows, columns = height_KHW.shape
    triangle_P3 = np.empty((8, 3))
    above_P3 = np.empty((8, 3))
    cut_QP3 = np.empty((_CUTS, 8, 3))
    count_Q = np.zeros(_CUTS, dtype=np.int64)
    bin_Q = np.empty(_CUTS, dtype=np.int64)
    for face in range(triangles_F33.shape[0]):
        min_x, max_x, min_z, max_z = np.inf, -np.inf, np.inf, -np.inf
        for corner in range(3):
            for axis in range(3):
                triangle_P3[corner, axis] = triangles_F33[face, corner, axis]
            min_x, max_x = min(min_x, triangle_P3[corner, 0]), max(max_x, triangle_P3[corner, 0])
            min_z, max_z = min(min_z, triangle_P3[corner, 2]), max(max_z, triangle_P3[corner, 2])
        for slot in range(_CUTS):
            bin_Q[slot] = -(2**62)
        newest = 0
        first_row = max(0, int(np.ceil((min_z - REACH - low_z) / cell)))
        last_row = min(rows - 1, int(np.floor((max_z + REACH - low_z) / cell)))
        first_column = max(0, int(np.ceil((min_x - REACH - low_x) / cell)))
        last_column = min(columns - 1, int(np.floor((max_x + REACH - low_x) / cell)))
        for row in range(first_row, last_row + 1):
            z = low_z + row * cell
            gap_z = max(min_z - z, 0.0, z - max_z)
            for column in range(first_column, last_column + 1):
                x = low_x + column * cell
                gap_x = max(min_x - x, 0.0, x - max_x)
                bound = gap_x * gap_x + gap_z * gap_z
                for k in range(layers):
                    here = height_KHW[k, row, column]
                    if here >= NOWHERE or highest_F[face] <= here + STEP or lowest_F[face] >= here + tall:
                        continue
                    if bound > REACH * REACH or bound >= near_KHW[k, row, column] ** 2:
                        continue
                    level = int(np.round(here * _LEVEL_BINS))
                    slot = -1
                    for tried in range(_CUTS):
                        if bin_Q[tried] == level:
                            slot = tried
                    if slot < 0:
                        slot = newest
                        newest = (newest + 1) % _CUTS
                        bin_Q[slot] = level
                        # A whisker above the step, so that rounding makes no obstacle of a tread that can be climbed.
                        bottom = level / _LEVEL_BINS + STEP + 0.5 / _LEVEL_BINS
                        kept = clip(triangle_P3, 3, bottom, True, above_P3)
                        count_Q[slot] = clip(above_P3, kept, level / _LEVEL_BINS + tall, False, cut_QP3[slot])
                    if count_Q[slot] == 0:
                        continue
                    distance = distance_to_polygon(x, z, cut_QP3[slot], count_Q[slot])
                    if distance < near_KHW[k, row, column] and distance <= REACH:
                        near_KHW[k, row, column] = distance
