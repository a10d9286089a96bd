"""Mirror images of the source: early specular reflections that are exact in time, direction and level.

A first-order image is the source mirrored in a plane; a second-order image is a first-order image mirrored in another
plane. The source's own rays determine which planes matter: the sequences of planes that they met most often are used.
For a listener, an image counts only if its path exists: the last segment must meet the last plane before any other
face, and so on back to the source. Emitters with the same history only deposit the scattered share, so no energy is
counted twice.
Sources: J. B. Allen & D. A. Berkley, "Image method for efficiently simulating small-room acoustics", JASA 65 (1979);
visibility of images: J. Borish, "Extension of the image model to arbitrary polyhedra", JASA 75 (1984).

Shapes: I images · N rays · B octave bands · P planes · Q unique values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.acoustics.surfaces import AcousticSurfaces
from avw.sim_bridge.rendering.raycast import RayScene

MAX_FIRST_ORDER, MAX_SECOND_ORDER = 64, 192  # images per order; the emitters carry the energy of the others
_TOLERANCE = 2e-3  # metres between a plane and the face that a path segment meets
_LIFT = 1e-3  # metres by which points are moved off a plane


@dataclass(frozen=True, slots=True)
class Images:
    """Images of one source; first-order images come first.

    position_I3: float64 metres · first_I, second_I: plane of each reflection, in the order in which sound meets
    them; second_I is -1 for first order · inner_I3: metres, the image after the first reflection
    amplitude_IB: pressure after the reflections, before distance and the source's directivity are applied
    """

    position_I3: np.ndarray
    first_I: np.ndarray
    second_I: np.ndarray
    inner_I3: np.ndarray
    amplitude_IB: np.ndarray

    def covered(self, first_N: np.ndarray, second_N: np.ndarray | None = None) -> np.ndarray:
        """bool_N: whether the specular histories (first, second) are among these images."""
        if second_N is None:
            return np.isin(first_N, self.first_I[self.second_I < 0])
        pairs_I = _pair(self.first_I, self.second_I)[self.second_I >= 0]
        return (second_N >= 0) & np.isin(_pair(first_N, second_N), pairs_I)


@dataclass(frozen=True, slots=True)
class ImagePaths:
    """The image paths to one listener.

    path_I: metres · towards_I3: unit vectors from the listener to where the sound comes from · departure_I3: unit
    vectors in which the sound leaves the source · index_I: indices into the images
    """

    path_I: np.ndarray
    towards_I3: np.ndarray
    departure_I3: np.ndarray
    index_I: np.ndarray


def find_images(
    surfaces: AcousticSurfaces,
    source_3: np.ndarray,
    order: int,
    first_N: np.ndarray,
    second_N: np.ndarray,
) -> Images:
    """The images of order 1 to `order` whose planes the source's rays met.

    first_N: the plane of each ray's first hit · second_N: the plane of its second hit, if the first reflection was
    specular; -1 where there is no such plane.
    """
    first_P = _most_frequent(first_N[first_N >= 0], MAX_FIRST_ORDER) if order >= 1 else np.zeros(0, dtype=np.int64)
    pairs = _pair(first_N, second_N)[(first_N >= 0) & (second_N >= 0)]
    pair_Q = _most_frequent(pairs, MAX_SECOND_ORDER) if order >= 2 else np.zeros(0, dtype=np.int64)
    first_I = np.concatenate([first_P, pair_Q // _BASE]).astype(np.int32)
    second_I = np.concatenate([np.full(len(first_P), -1), pair_Q % _BASE]).astype(np.int32)
    inner_I3 = _mirrored(surfaces, np.broadcast_to(source_3, (len(first_I), 3)), first_I)
    twice_I = second_I >= 0
    position_I3 = np.where(twice_I[:, None], _mirrored(surfaces, inner_I3, second_I), inner_I3)
    mirror_MB = np.sqrt(surfaces.reflection_MB * (1.0 - surfaces.scattering_M[:, None]))
    amplitude_IB = mirror_MB[surfaces.plane_surface_P[first_I]] if len(first_I) else np.zeros((0, mirror_MB.shape[1]))
    if twice_I.any():
        second_IB = mirror_MB[surfaces.plane_surface_P[second_I]]
        amplitude_IB = np.where(twice_I[:, None], amplitude_IB * second_IB, amplitude_IB)
    return Images(position_I3, first_I, second_I, inner_I3, amplitude_IB.astype(np.float32))


def image_paths(
    images: Images, surfaces: AcousticSurfaces, rays: RayScene, source_3: np.ndarray, ear_3: np.ndarray
) -> ImagePaths:
    """The images that are audible at `ear_3` (metres): those whose path segments are all unobstructed."""
    index_I = np.arange(len(images.first_I))
    last_I = np.where(images.second_I >= 0, images.second_I, images.first_I)
    # The listener must be in front of the last plane, on the side from which the sound is reflected.
    keep_I = _opposite_sides(surfaces, last_I, ear_3, images.position_I3)
    index_I = index_I[keep_I]
    ear_I3 = np.broadcast_to(ear_3, (len(index_I), 3))
    index_I, bend_I3 = _reflection_points(surfaces, rays, index_I, ear_I3, last_I, images)
    twice_I = images.second_I[index_I] >= 0
    once = index_I[~twice_I], bend_I3[~twice_I], bend_I3[~twice_I]
    inner = index_I[twice_I]
    kept, first_bend_I3 = _reflection_points(
        surfaces, rays, inner, bend_I3[twice_I], images.first_I, images, inner=True
    )
    outer_bend_I3 = bend_I3[twice_I][np.isin(inner, kept)]
    index_I = np.concatenate([once[0], kept])
    near_source_I3 = np.concatenate([once[1], first_bend_I3])
    near_ear_I3 = np.concatenate([once[2], outer_bend_I3])
    leg_I3 = source_3 - near_source_I3
    length_I = np.linalg.norm(leg_I3, axis=1)
    unit_I3 = leg_I3 / np.maximum(length_I, 1e-9)[:, None]
    free_I = ~rays.occluded(near_source_I3 + _LIFT * unit_I3, unit_I3, length_I - 2.0 * _LIFT)
    index_I, near_ear_I3, unit_I3 = index_I[free_I], near_ear_I3[free_I], unit_I3[free_I]
    towards_I3 = images.position_I3[index_I] - ear_3
    path_I = np.linalg.norm(towards_I3, axis=1)
    return ImagePaths(path_I, towards_I3 / np.maximum(path_I, 1e-9)[:, None], -unit_I3, index_I)


def _reflection_points(
    surfaces: AcousticSurfaces,
    rays: RayScene,
    index_I: np.ndarray,
    from_I3: np.ndarray,
    plane_I: np.ndarray,
    images: Images,
    inner: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Those of `index_I` whose segment towards the image meets the expected plane first, and the points where.

    Points are moved off the plane by `_LIFT`. inner: use the image after the first reflection.
    """
    if len(index_I) == 0:
        return index_I, np.zeros((0, 3))
    target_I3 = images.inner_I3[index_I] if inner else images.position_I3[index_I]
    towards_I3 = target_I3 - from_I3
    length_I = np.linalg.norm(towards_I3, axis=1)
    unit_I3 = towards_I3 / np.maximum(length_I, 1e-9)[:, None]
    expected_plane_I = plane_I[index_I]
    normal_I3, offset_I = surfaces.plane_normal_P3[expected_plane_I], surfaces.plane_offset_P[expected_plane_I]
    height_I = np.einsum("ic,ic->i", from_I3, normal_I3) - offset_I
    slope_I = np.einsum("ic,ic->i", unit_I3, normal_I3)
    expected_I = -height_I / np.where(np.abs(slope_I) > 1e-9, slope_I, 1e-9)
    face_I, distance_I, _ = rays.closest(from_I3, unit_I3)
    same_I = (face_I >= 0) & (np.abs(distance_I - expected_I) <= _TOLERANCE)
    same_I &= surfaces.plane_F[np.maximum(face_I, 0)] == expected_plane_I
    side_I = np.sign(height_I)[:, None] * normal_I3
    bend_I3 = from_I3 + unit_I3 * expected_I[:, None] + _LIFT * side_I
    return index_I[same_I], bend_I3[same_I]


def _opposite_sides(
    surfaces: AcousticSurfaces, plane_I: np.ndarray, ear_3: np.ndarray, image_I3: np.ndarray
) -> np.ndarray:
    """bool_I: whether the image and the listener are on opposite sides of the image's plane."""
    if len(plane_I) == 0:
        return np.zeros(0, dtype=bool)
    normal_I3, offset_I = surfaces.plane_normal_P3[plane_I], surfaces.plane_offset_P[plane_I]
    ear_I = normal_I3 @ ear_3 - offset_I
    return ear_I * (np.einsum("ic,ic->i", normal_I3, image_I3) - offset_I) < 0.0


def _mirrored(surfaces: AcousticSurfaces, point_I3: np.ndarray, plane_I: np.ndarray) -> np.ndarray:
    """Each point mirrored in its plane."""
    if len(plane_I) == 0:
        return np.zeros((0, 3))
    normal_I3, offset_I = surfaces.plane_normal_P3[plane_I], surfaces.plane_offset_P[plane_I]
    height_I = np.einsum("ic,ic->i", point_I3, normal_I3) - offset_I
    return point_I3 - 2.0 * height_I[:, None] * normal_I3


_BASE = 1 << 31


def _pair(first_N: np.ndarray, second_N: np.ndarray) -> np.ndarray:
    """int64 keys of pairs of planes."""
    return first_N.astype(np.int64) * _BASE + np.maximum(second_N, 0).astype(np.int64)


def _most_frequent(value_N: np.ndarray, most: int) -> np.ndarray:
    """The values that occur most often, at most `most` of them, in ascending order."""
    value_Q, count_Q = np.unique(value_N, return_counts=True)
    chosen = np.lexsort((value_Q, -count_Q))[:most]
    return np.sort(value_Q[chosen])
