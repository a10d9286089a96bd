"""How far it is to walk to the source, as far as the agent's map and its belief about the source tell.

The reward is learned from sounds and knows no walls of the house at hand; the map does. The expected length of the way
from a place x is the sum over places s of p(source is at s) · |cheapest path from x to s|, through cells that are free
or unknown.

Shapes: K places · G places where the source may be · H W cells of the map.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from avw.model.memory.free_space import FreeSpace, flood

PLACES = 12
"""The most probable places of the source; paths to the others are not searched."""
FARTHEST = 40.0  # metres of path


def expected_paths(
    space: FreeSpace, cost_HW: np.ndarray, place_K2: np.ndarray, source_G2: np.ndarray, p_G: np.ndarray
) -> np.ndarray | None:
    """float64 (K,): expected metres of path from places to the source; None where no path leads to a likely source.

    Places are in the frame of the map. A source outside of the map is approached at the edge of the map, and the rest
    of the way is straight. One inside an obstacle is approached at the nearest cell where the agent fits.
    """
    rows, columns = cost_HW.shape
    likely_N = np.argsort(-p_G, kind="stable")[:PLACES]
    here_2 = space.pose_4[:2]
    away_N2 = source_G2[likely_N] - here_2
    inside = (min(rows, columns) // 2 - 1) * space.cell
    share_N = np.minimum(1.0, inside / np.maximum(np.abs(away_N2).max(1), 1e-9))
    beyond_N = (1.0 - share_N) * np.linalg.norm(away_N2, axis=1)
    open_HW = np.isfinite(cost_HW)
    if not open_HW.any():
        return None
    nearest_2HW = distance_transform_edt(~open_HW, return_distances=False, return_indices=True)
    row_K, column_K = space.nodes(place_K2[:, 0], place_K2[:, 1])
    row_K, column_K = nearest_2HW[:, row_K.clip(0, rows - 1), column_K.clip(0, columns - 1)]
    places_K = row_K * columns + column_K
    metres_K, weight_K = np.zeros(len(place_K2)), np.zeros(len(place_K2))
    for goal_2, beyond, p in zip(here_2 + share_N[:, None] * away_N2, beyond_N, p_G[likely_N], strict=True):
        row, column = space.nodes(goal_2[0], goal_2[1])
        row, column = nearest_2HW[:, np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)]
        there_HW, _ = flood(cost_HW, int(row), int(column), FARTHEST, space.cell, places_K)
        there_K = there_HW.flat[places_K]
        known_K = np.isfinite(there_K)
        metres_K += p * np.where(known_K, there_K + beyond, 0.0)
        weight_K += p * known_K
    if (weight_K < 0.5 * p_G[likely_N].sum()).any():  # walled off
        return None
    return np.asarray(metres_K / weight_K)
