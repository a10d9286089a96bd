"""Acoustic tables of a scene's faces: normals, coefficients per material, and planes of coplanar faces.

Shapes: F faces · M surfaces (materials as used) · B octave bands · P planes.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.scene import Scene

MIN_PLANE_AREA = 0.5  # square metres: smaller planes reflect specularly only far above 1 kHz
_NORMAL_STEP = 1e-3  # faces are coplanar if their normals agree within this step
_OFFSET_STEP = 2e-3  # and their plane offsets within this many metres


@dataclass(frozen=True, kw_only=True, slots=True)
class AcousticSurfaces:
    """The acoustic properties of all faces of one scene.

    normal_F3: float32 unit vectors · surface_F: int32 index of a face's surface
    reflection_MB: share of the energy that is reflected, 1 - absorption · transmission_MB: share that passes through;
        limited to the absorbed share, whatever a user's material map says
    scattering_M: share of the reflected energy that leaves by Lambert's law. A ray carries all bands at once, so this
        is the mean of the bands from 500 Hz to 2 kHz.
    plane_F: int32 index of a face's plane, -1 if the plane is too small for images · plane_normal_P3, plane_offset_P:
        float64; the plane is normal . x = offset · plane_surface_P: the surface of all of its faces
    """

    normal_F3: np.ndarray
    surface_F: np.ndarray
    reflection_MB: np.ndarray
    transmission_MB: np.ndarray
    scattering_M: np.ndarray
    plane_F: np.ndarray
    plane_normal_P3: np.ndarray
    plane_offset_P: np.ndarray
    plane_surface_P: np.ndarray


_CACHE: WeakKeyDictionary[RayScene, AcousticSurfaces] = WeakKeyDictionary()


def acoustic_surfaces(ray_scene: RayScene) -> AcousticSurfaces:
    """The tables of a scene; a pure function of it, cached for as long as `ray_scene` exists."""
    if ray_scene not in _CACHE:
        _CACHE[ray_scene] = _tables(ray_scene.scene)
    return _CACHE[ray_scene]


def _tables(scene: Scene) -> AcousticSurfaces:
    corners_F33 = scene.triangles_F33.astype(np.float64)
    cross_F3 = np.cross(corners_F33[:, 1] - corners_F33[:, 0], corners_F33[:, 2] - corners_F33[:, 0])
    length_F = np.linalg.norm(cross_F3, axis=1)
    normal_F3 = cross_F3 / np.maximum(length_F, 1e-20)[:, None]
    surface_F = np.ascontiguousarray(scene.surface_F, dtype=np.int32)
    materials = [surface.material for surface in scene.surfaces]
    absorption_MB = np.array([m.absorption_6 for m in materials], dtype=np.float32)
    transmission_MB = np.array([m.transmission_6 for m in materials], dtype=np.float32)
    offset_F = np.einsum("fc,fc->f", normal_F3, corners_F33.mean(axis=1))
    plane_F, first_P = _planes(normal_F3, offset_F, surface_F, 0.5 * length_F)
    return AcousticSurfaces(
        normal_F3=normal_F3.astype(np.float32),
        surface_F=surface_F,
        reflection_MB=1.0 - absorption_MB,
        transmission_MB=np.minimum(transmission_MB, absorption_MB),
        scattering_M=np.array([np.mean(m.scattering_6[2:5]) for m in materials], dtype=np.float32),
        plane_F=plane_F,
        plane_normal_P3=normal_F3[first_P],
        plane_offset_P=offset_F[first_P],
        plane_surface_P=surface_F[first_P],
    )


def _planes(
    normal_F3: np.ndarray, offset_F: np.ndarray, surface_F: np.ndarray, area_F: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The plane of every face (-1: too small), and the largest face of every plane, which represents it.

    Coplanar faces of one surface form one plane even in different rooms: they share their mirror images.
    """
    key_F5 = np.concatenate(
        [
            np.round(normal_F3 / _NORMAL_STEP).astype(np.int64),
            np.round(offset_F / _OFFSET_STEP).astype(np.int64)[:, None],
            surface_F.astype(np.int64)[:, None],
        ],
        axis=1,
    )
    _, group_F = np.unique(key_F5, axis=0, return_inverse=True)
    area_G = np.bincount(group_F, area_F)
    large_G = area_G >= MIN_PLANE_AREA
    index_G = np.where(large_G, np.cumsum(large_G) - 1, -1).astype(np.int32)
    plane_F = index_G[group_F]
    order = np.lexsort((-area_F, plane_F))
    order = order[plane_F[order] >= 0]
    _, first = np.unique(plane_F[order], return_index=True)
    return plane_F, order[first]
