"""Bounced light of fine meshes: computed once per cell of position and direction, interpolated between cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from avw.sim_bridge.rendering.raycast import RayScene

_NORMAL_STEPS = 1.5  # distinguishes normals a third of a right angle apart
_GROWTH = 1.3  # factor by which cells grow until there are few enough


class LightCells:
    """At most `max_cells` points that represent all of `point_M3`, in the smallest cells of at least `spacing` metres.

    chosen_R: indices of these points. The point of a cell is the one with the longest free distance along its normal:
    where a picture hangs on a wall, points of the wall behind it are covered and must not represent the picture.
    """

    def __init__(
        self, ray_scene: RayScene, point_M3: np.ndarray, normal_M3: np.ndarray, spacing: float, max_cells: int
    ) -> None:
        _, open_M, _ = ray_scene.closest(point_M3, normal_M3)
        by_openness_M = np.argsort(-open_M, kind="stable")
        normal_cell_M3 = np.round(normal_M3 * _NORMAL_STEPS).astype(np.int64)
        while True:
            at_M3 = point_M3 / np.float32(spacing)
            key_M = cell_keys(np.round(at_M3).astype(np.int64), normal_cell_M3)
            key_R, first_R = np.unique(key_M[by_openness_M], return_index=True)
            if len(key_R) <= max_cells:
                break
            spacing *= _GROWTH
        self.chosen_R = by_openness_M[first_R]
        low_M3 = np.floor(at_M3).astype(np.int64)
        part_M3 = (at_M3 - low_M3).astype(np.float32)
        self._corners: list[tuple[np.ndarray, np.ndarray]] = []
        total_M = np.zeros(len(key_M), dtype=np.float32)
        for corner in range(8):
            step_3 = np.array([corner & 1, corner >> 1 & 1, corner >> 2], dtype=np.int64)
            weight_M = np.prod(np.where(step_3 == 1, part_M3, 1 - part_M3), axis=1)
            key = cell_keys(low_M3 + step_3, normal_cell_M3)
            found_M = np.minimum(np.searchsorted(key_R, key), len(key_R) - 1)
            weight_M[key_R[found_M] != key] = 0.0
            total_M += weight_M
            self._corners.append((found_M.astype(np.int32), weight_M))
        # The cell of the point itself is one of the eight, with at least an eighth of the weight.
        for _, weight_M in self._corners:
            weight_M /= total_M

    def interpolate(self, light_R3: np.ndarray) -> np.ndarray:
        """(M, 3): the light of all points from that of the chosen ones, trilinear over cells of the same direction."""
        light_M3 = np.zeros((len(self._corners[0][0]), 3))
        for index_M, weight_M in self._corners:
            light_M3 += light_R3[index_M] * weight_M[:, None]
        return light_M3


def cell_keys(cell_N3: np.ndarray, normal_cell_N3: np.ndarray) -> np.ndarray:
    """int64 hash keys of integer position cells and integer normals."""
    weights = (73856093, 19349663, 83492791, 2654435761, 805459861, 3674653429)
    key_N = np.zeros(len(cell_N3), dtype=np.int64)
    with np.errstate(over="ignore"):
        for axis in range(3):
            key_N += cell_N3[:, axis] * weights[axis] + normal_cell_N3[:, axis] * weights[3 + axis]
    return key_N
