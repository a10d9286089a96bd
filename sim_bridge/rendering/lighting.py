"""Light, baked once per scene: lamps with soft shadows, windows, and two bounces between the surfaces.

Every face carries a small triangular grid of light samples, finer on larger faces, so that the geometry itself
need not be divided; the renderer interpolates in the grid with Embree's barycentric coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from sim_bridge.scenes.scene import Light, Scene

if TYPE_CHECKING:
    from sim_bridge.rendering.raycast import RayScene


@dataclass(frozen=True, kw_only=True, slots=True)
class LightingConfig:
    """spacing: metres between samples on large faces · gather: rays per sample for windows and bounces
    lamp_radius: metres, softens shadows · ambient: light that no ray explains, as a share of a well lit room
    """

    spacing: float = 0.22
    most_divisions: int = 16
    gather: int = 48
    lamp_radius: float = 0.22
    lamp_samples: int = 4
    reach: float = 9.0
    ambient: float = 0.08


@dataclass(frozen=True, slots=True)
class BakedLight:
    """Light grids of all faces.

    divisions_F: int32, intervals n along a face's edge; its grid has (n + 1)(n + 2) / 2 samples
    first_F: int32, where a face's samples begin in light_N3; row j (along v) then i (along u)
    light_N3: float32 linear RGB irradiance, 1 = white paper is white
    """

    divisions_F: np.ndarray
    first_F: np.ndarray
    light_N3: np.ndarray


def bake_light(ray_scene: RayScene, config: LightingConfig | None = None) -> BakedLight:
    """Bake `ray_scene.scene`; deterministic, no randomness is drawn."""
    config = config or LightingConfig()
    scene = ray_scene.scene
    corners_F33 = scene.triangles_F33.astype(np.float64)
    normal_F3, area_F = _normals(corners_F33)
    divisions_F = np.clip(np.ceil(np.sqrt(2 * area_F) / config.spacing), 1, config.most_divisions).astype(np.int32)
    counts_F = (divisions_F + 1) * (divisions_F + 2) // 2
    first_F = np.concatenate([[0], np.cumsum(counts_F)[:-1]]).astype(np.int32)
    point_N3, normal_N3, inside_N3 = _sample_points(
        corners_F33, normal_F3, _vertex_normals(scene, normal_F3, area_F)[scene.faces_F3], divisions_F, first_F
    )
    unique_M, inverse_N = _merge(point_N3, normal_N3)
    inside_M3, normal_M3 = inside_N3[unique_M], normal_N3[unique_M]
    lights = scene.lights or _lights_of(scene)
    direct_M3 = _direct(ray_scene, inside_M3, normal_M3, lights, config)
    albedo_F3, emission_F3 = _face_colours(scene)
    # What a gather ray sees of a face: its own glow and the mean of the light that falls on it.
    light_F3 = _mean_over_faces(direct_M3[inverse_N], first_F, counts_F)
    hit_MK = _gather_hits(ray_scene, inside_M3, normal_M3, config)
    bounce_M3 = _collect(hit_MK, emission_F3 + albedo_F3 * light_F3)
    second_F3 = _mean_over_faces(bounce_M3[inverse_N], first_F, counts_F)
    bounce_M3 = _collect(hit_MK, emission_F3 + albedo_F3 * (light_F3 + second_F3))
    light_M3 = direct_M3 + bounce_M3 + config.ambient
    return BakedLight(divisions_F, first_F, light_M3[inverse_N].astype(np.float32))


def _normals(corners_F33: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    cross_F3 = np.cross(corners_F33[:, 1] - corners_F33[:, 0], corners_F33[:, 2] - corners_F33[:, 0])
    length_F = np.linalg.norm(cross_F3, axis=1)
    return cross_F3 / np.maximum(length_F, 1e-12)[:, None], 0.5 * length_F


def _vertex_normals(scene: Scene, normal_F3: np.ndarray, area_F: np.ndarray) -> np.ndarray:
    """Area-weighted mean of the faces around each vertex: shared vertices are shaded smoothly."""
    total_V3 = np.zeros((len(scene.vertices_V3), 3))
    weighted_F3 = normal_F3 * area_F[:, None]
    for corner in range(3):
        for axis in range(3):
            total_V3[:, axis] += np.bincount(scene.faces_F3[:, corner], weighted_F3[:, axis], len(total_V3))
    return total_V3 / np.maximum(np.linalg.norm(total_V3, axis=1, keepdims=True), 1e-12)


@njit(cache=True)
def _sample_points(corners_F33, normal_F3, smooth_F33, divisions_F, first_F):  # pragma: no cover - compiled
    n_faces = len(divisions_F)
    last = divisions_F[n_faces - 1]
    total = first_F[n_faces - 1] + (last + 1) * (last + 2) // 2
    point = np.empty((total, 3))
    normal = np.empty((total, 3))
    inside = np.empty((total, 3))
    for f in range(n_faces):
        n = divisions_F[f]
        k = first_F[f]
        a, b, c = corners_F33[f, 0], corners_F33[f, 1], corners_F33[f, 2]
        centre = (a + b + c) / 3.0
        for j in range(n + 1):
            for i in range(n + 1 - j):
                u, v = i / n, j / n
                w = 1.0 - u - v
                p = w * a + u * b + v * c
                m = w * smooth_F33[f, 0] + u * smooth_F33[f, 1] + v * smooth_F33[f, 2]
                length = np.sqrt((m * m).sum())
                # Sharp edges keep the face's own normal.
                if length < 1e-6 or (m * normal_F3[f]).sum() < 0.6 * length:
                    m = normal_F3[f].copy()
                else:
                    m = m / length
                # Step towards the middle of the face, lest samples on an edge start inside the next wall.
                toward = centre - p
                d = np.sqrt((toward * toward).sum())
                step = min(0.02, 0.5 * d)
                q = p.copy()
                if d > 1e-9:
                    q = p + toward * (step / d)
                point[k] = p
                normal[k] = m
                inside[k] = q + 0.004 * normal_F3[f]
                k += 1
    return point, normal, inside


def _merge(point_N3: np.ndarray, normal_N3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples of neighbouring faces that are one point with one normal: (first of each group, group of each)."""
    key_N6 = np.round(np.concatenate([point_N3 * 500.0, normal_N3 * 20.0], axis=1)).astype(np.int64)
    weights = np.array([73856093, 19349663, 83492791, 2654435761, 805459861, 3674653429], dtype=np.int64)
    with np.errstate(over="ignore"):
        hashed_N = (key_N6 * weights).sum(axis=1)
    _, unique_M, inverse_N = np.unique(hashed_N, return_index=True, return_inverse=True)
    return unique_M, inverse_N


def _lights_of(scene: Scene) -> tuple[Light, ...]:
    """For meshes that come without lights: one lamp for every 4 m square, below the ceiling if there is one."""
    low, high = scene.vertices_V3.min(axis=0), scene.vertices_V3.max(axis=0)
    columns, rows = (max(1, round(float(high[a] - low[a]) / 4.0)) for a in (0, 2))
    columns, rows = min(columns, 8), min(rows, 8)
    y = float(min(low[1] + 2.3, low[1] + 0.9 * (high[1] - low[1])))
    return tuple(
        Light(
            position_3=(
                float(low[0] + (high[0] - low[0]) * (i + 0.5) / columns),
                y,
                float(low[2] + (high[2] - low[2]) * (j + 0.5) / rows),
            ),
            power_3=(4.5, 4.3, 4.0),
        )
        for i in range(columns)
        for j in range(rows)
    )


def _direct(
    ray_scene: RayScene, point_M3: np.ndarray, normal_M3: np.ndarray, lights: tuple[Light, ...], config: LightingConfig
) -> np.ndarray:
    """Irradiance / pi from the lamps, each a small ball sampled at a few fixed points."""
    direct_M3 = np.zeros((len(point_M3), 3))
    angle = np.arange(config.lamp_samples) * (2 * np.pi / config.lamp_samples) + 0.4
    offsets = np.stack([np.cos(angle), np.full_like(angle, -0.1), np.sin(angle)], axis=1) * config.lamp_radius
    for light in lights:
        towards_M3 = np.asarray(light.position_3) - point_M3
        near_M = ((towards_M3**2).sum(axis=1) < config.reach**2) & ((towards_M3 * normal_M3).sum(axis=1) > -0.3)
        index = np.flatnonzero(near_M)
        for offset in offsets:
            to_3 = towards_M3[index] + offset
            distance = np.sqrt((to_3**2).sum(axis=1))
            direction = to_3 / np.maximum(distance, 1e-6)[:, None]
            cosine = (direction * normal_M3[index]).sum(axis=1)
            front = np.flatnonzero(cosine > 0)
            chosen = index[front]
            hidden = ray_scene.occluded(point_M3[chosen], direction[front], distance[front] * 0.98)
            # Shades send most of the light down; without them ceilings would outshine everything.
            shaded = 0.6 + 0.4 * direction[front, 1]
            weight = np.where(hidden, 0.0, shaded * cosine[front] / (0.4 + distance[front] ** 2)) / config.lamp_samples
            direct_M3[chosen] += weight[:, None] * np.asarray(light.power_3)
    return direct_M3


def _face_colours(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Linear mean colour and glow of every face, (F, 3) each; gamma 2, as the renderer's."""
    mean_3 = [np.mean((s.texture_HWC.astype(np.float64) / 255.0) ** 2, axis=(0, 1)) for s in scene.surfaces]
    albedo_K3 = np.array(mean_3) * 0.85
    emission_K3 = np.array(mean_3) * np.array([s.emission for s in scene.surfaces])[:, None]
    return albedo_K3[scene.surface_F], emission_K3[scene.surface_F]


def _mean_over_faces(light_N3: np.ndarray, first_F: np.ndarray, counts_F: np.ndarray) -> np.ndarray:
    return np.add.reduceat(light_N3, first_F, axis=0) / counts_F[:, None]


def _gather_hits(
    ray_scene: RayScene, point_M3: np.ndarray, normal_M3: np.ndarray, config: LightingConfig
) -> np.ndarray:
    """The face that each of `gather` cosine-distributed rays from each sample meets (-1: none), int32 (M, K)."""
    k = np.arange(config.gather)
    radius, angle = np.sqrt((k + 0.5) / config.gather), k * 2.399963229728653  # the golden angle
    local_K3 = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - radius**2)], axis=1)
    helper_M3 = np.where(np.abs(normal_M3[:, 1:2]) > 0.9, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    tangent_M3 = np.cross(helper_M3, normal_M3)
    tangent_M3 /= np.linalg.norm(tangent_M3, axis=1, keepdims=True)
    frame_M33 = np.stack([tangent_M3, np.cross(normal_M3, tangent_M3), normal_M3], axis=1)
    dirs_MK3 = np.einsum("kc,mcd->mkd", local_K3, frame_M33).astype(np.float32)
    origins = np.repeat(point_M3.astype(np.float32), config.gather, axis=0)
    hit = ray_scene.trace(origins, dirs_MK3.reshape(-1, 3))["primID"]
    return hit.reshape(len(point_M3), config.gather)


@njit(cache=True)
def _collect(hit_MK, radiance_F3):  # pragma: no cover - compiled
    samples, rays = hit_MK.shape
    out = np.zeros((samples, 3))
    for m in range(samples):
        for k in range(rays):
            f = hit_MK[m, k]
            if f >= 0:
                for c in range(3):
                    out[m, c] += radiance_F3[f, c]
        for c in range(3):
            out[m, c] /= rays
    return out
