"""Sound through walls: the energy that a straight line loses, and where it leaves a partition.

A material's transmission is the share of energy that passes through the whole partition. A partition is modelled
either as a sheet or as a solid with two faces; a solid counts once, where the sound enters it.

Shapes: N rays · F faces · B octave bands.
"""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.acoustics.surfaces import AcousticSurfaces
from avw.sim_bridge.rendering.raycast import RayScene

MAX_THICKNESS = 0.5  # metres between the two faces of one partition
LIFT_METRES = 1e-3  # by which points are moved off a face
_MAX_WALLS = 8  # through which a straight line is followed
_MIN_ENERGY = 1e-9  # share of energy below which nothing is audible


def transmitted_energy(
    rays: RayScene, surfaces: AcousticSurfaces, start_3: np.ndarray, unit_3: np.ndarray, distance: float
) -> np.ndarray | None:
    """float64 (B,): the share of energy that passes the walls between two points; ones if there are none.

    start_3: metres · unit_3: unit vector towards the other point · distance: metres. None if nothing audible passes.
    """
    energy_B = np.ones(surfaces.transmission_MB.shape[1])
    at_3, left = np.asarray(start_3, dtype=np.float64), distance - LIFT_METRES
    for _ in range(_MAX_WALLS):
        face_N, distance_N, _ = rays.closest(at_3[None], unit_3[None])
        if face_N[0] < 0 or distance_N[0] >= left:
            return energy_B
        hit_N3 = (at_3 + unit_3 * distance_N[0])[None]
        exit_N3, reached_N, passed_NB = far_side(rays, surfaces, hit_N3, unit_3[None], face_N)
        energy_B *= passed_NB[0]
        if energy_B.max() < _MIN_ENERGY:
            return None
        left -= float(distance_N[0]) + float(reached_N[0])
        if left <= 0.0:
            return energy_B  # the end point is inside the partition
        at_3 = exit_N3[0].astype(np.float64)
    return None


def far_side(
    rays: RayScene, surfaces: AcousticSurfaces, hit_N3: np.ndarray, unit_N3: np.ndarray, face_N: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where sound that hits `face_N` at `hit_N3` (metres) in direction `unit_N3` leaves the partition.

    Returns float32 points behind it, their distances from the hit (metres), and the share of energy (N, B) that passes.

    If a line enters a face from its front and next meets the back of another face within `MAX_THICKNESS`, the two are
    the sides of a solid. If their transmission differs, the geometric mean is used, which is the same both ways.
    """
    unit_N3 = np.ascontiguousarray(unit_N3, dtype=np.float32)
    inside_N3 = np.ascontiguousarray(hit_N3, dtype=np.float32) + np.float32(LIFT_METRES) * unit_N3
    next_N, distance_N, _ = rays.closest(inside_N3, unit_N3)
    entering_N = np.einsum("nc,nc->n", surfaces.normal_F3[face_N], unit_N3) < 0.0
    leaving_N = np.einsum("nc,nc->n", surfaces.normal_F3[np.maximum(next_N, 0)], unit_N3) > 0.0
    solid_N = entering_N & leaving_N & (next_N >= 0) & (distance_N <= MAX_THICKNESS)
    depth_N = np.where(solid_N, distance_N + np.float32(LIFT_METRES), np.float32(0.0)).astype(np.float32)
    near_NB = surfaces.transmission_MB[surfaces.surface_F[face_N]]
    far_NB = surfaces.transmission_MB[surfaces.surface_F[np.maximum(next_N, 0)]]
    passed_NB = np.where(solid_N[:, None], np.sqrt(near_NB * far_NB), near_NB)
    return inside_N3 + depth_N[:, None] * unit_N3, depth_N + np.float32(LIFT_METRES), passed_NB
