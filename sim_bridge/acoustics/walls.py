"""Sound through walls: what a straight line loses on its way, and where it comes out again.

A material's transmission is the share of energy that gets through the whole partition. Partitions are modelled
either as a sheet or as a solid with two faces; a solid counts once, where sound enters it.

Shapes: N rays · F faces · B octave bands.
"""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.acoustics.surfaces import AcousticSurfaces
from avw.sim_bridge.rendering.raycast import RayScene

THICKEST = 0.5  # metres between the two faces of one partition
LIFT_METRES = 1e-3
_MOST_WALLS = 8  # that a straight line is followed through
_FAINTEST = 1e-9


def energy_along(
    rays: RayScene, surfaces: AcousticSurfaces, start_3: np.ndarray, unit_3: np.ndarray, distance: float
) -> np.ndarray | None:
    """float64 (B,): the share of energy that the walls between two points let through; ones if nothing stands there.

    None where nothing audible passes.
    """
    energy_B = np.ones(surfaces.transmission_MB.shape[1])
    at_3, left = np.asarray(start_3, dtype=np.float64), distance - LIFT_METRES
    for _ in range(_MOST_WALLS):
        face_N, distance_N, _ = rays.closest(at_3[None], unit_3[None])
        if face_N[0] < 0 or distance_N[0] >= left:
            return energy_B
        hit_N3 = (at_3 + unit_3 * distance_N[0])[None]
        exit_N3, reached_N, passed_NB = far_side(rays, surfaces, hit_N3, unit_3[None], face_N)
        energy_B *= passed_NB[0]
        if energy_B.max() < _FAINTEST:
            return None
        left -= float(distance_N[0]) + float(reached_N[0])
        if left <= 0.0:
            return energy_B  # the listener is within the partition
        at_3 = exit_N3[0].astype(np.float64)
    return None


def far_side(
    rays: RayScene, surfaces: AcousticSurfaces, hit_N3: np.ndarray, unit_N3: np.ndarray, face_N: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where sound that hits `face_N` at `hit_N3` leaves the partition: float32 points behind it, metres from the hit,
    and the share of energy (N, B) that gets through.

    A face entered from its front whose line next meets the back of another within `THICKEST` is one side of a solid.
    Where its two sides differ, the geometric mean of their transmission holds, the same for both ways through.
    """
    unit_N3 = np.ascontiguousarray(unit_N3, dtype=np.float32)
    inside_N3 = np.ascontiguousarray(hit_N3, dtype=np.float32) + np.float32(LIFT_METRES) * unit_N3
    next_N, distance_N, _ = rays.closest(inside_N3, unit_N3)
    entering_N = np.einsum("nc,nc->n", surfaces.normal_F3[face_N], unit_N3) < 0.0
    leaving_N = np.einsum("nc,nc->n", surfaces.normal_F3[np.maximum(next_N, 0)], unit_N3) > 0.0
    solid_N = entering_N & leaving_N & (next_N >= 0) & (distance_N <= THICKEST)
    depth_N = np.where(solid_N, distance_N + np.float32(LIFT_METRES), np.float32(0.0)).astype(np.float32)
    near_NB = surfaces.transmission_MB[surfaces.surface_F[face_N]]
    far_NB = surfaces.transmission_MB[surfaces.surface_F[np.maximum(next_N, 0)]]
    passed_NB = np.where(solid_N[:, None], np.sqrt(near_NB * far_NB), near_NB)
    return inside_N3 + depth_N[:, None] * unit_N3, depth_N + np.float32(LIFT_METRES), passed_NB
