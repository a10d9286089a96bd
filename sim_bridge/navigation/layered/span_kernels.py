"""Numba kernels on spans: which floors steps connect, edges, smoothed stairs, distances to obstacles."""

from __future__ import annotations

import numpy as np
from numba import njit

from avw.sim_bridge.navigation.polygons import REACH, clip, distance_to_polygon

STEP = 0.2  # metres that the agent climbs from one span to the next; Habitat's agents do too, and stairs need it
NO_SPAN = 1e9  # the height of a span that does not exist
ANOTHER_LEVEL = 0.5  # metres above or below a floor from which a span is on another level
_LEVEL_BINS = 20  # per metre: obstacles are cut at heights rounded to 5 cm, so that neighbours can share the cuts
_CUTS = 4  # cuts of one triangle that are remembered


@njit(cache=True, nogil=True)
def climbed(height_KHW, free_KHW, floor_y):
    """Number of spans on other levels that steps connect with those at `floor_y`; edges are not considered yet."""
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
def on_edge(height_KHW):
    """Whether a span lacks a link to one of its four neighbours."""
    layers, rows, columns = height_KHW.shape
    edge_KHW = np.zeros(height_KHW.shape, dtype=np.bool_)
    for k in range(layers):
        for r in range(rows):
            for c in range(columns):
                here = height_KHW[k, r, c]
                if here >= NO_SPAN:
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
    """Heights averaged with those of linked neighbours, `rounds` times: stairs become ramps, level floors stay."""
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
def lower_to_span_distances(triangles_F33, lowest_F, highest_F, height_KHW, tall, low_x, low_z, cell, near_KHW):
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
                    if here >= NO_SPAN or highest_F[face] <= here + STEP or lowest_F[face] >= here + tall:
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
                        # A little above the step: rounding must not turn a tread that can be climbed into an obstacle.
                        bottom = level / _LEVEL_BINS + STEP + 0.5 / _LEVEL_BINS
                        kept = clip(triangle_P3, 3, bottom, True, above_P3)
                        count_Q[slot] = clip(above_P3, kept, level / _LEVEL_BINS + tall, False, cut_QP3[slot])
                    if count_Q[slot] == 0:
                        continue
                    distance = distance_to_polygon(x, z, cut_QP3[slot], count_Q[slot])
                    if distance < near_KHW[k, row, column] and distance <= REACH:
                        near_KHW[k, row, column] = distance
