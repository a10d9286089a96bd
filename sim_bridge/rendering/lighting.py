"""Lighting, baked once per scene: lamps with soft shadows, windows, and two bounces between surfaces.

Every face has a small triangular grid of light samples, finer on larger faces, so that the geometry does not have to be
subdivided. The renderer interpolates in the grid with Embree's barycentric coordinates.

Shapes: F faces · V vertices · N light samples · M merged samples · K gather rays or surfaces · R representative points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from avw.sim_bridge.rendering.light_cells import LightCells, cell_keys
from avw.sim_bridge.scenes.scene import Light, Scene

if TYPE_CHECKING:
    from avw.sim_bridge.rendering.raycast import RayScene


_BOUNCES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class LightingConfig:
    """Quality of the baked light.

    spacing: metres between samples on large faces · max_divisions: intervals of samples along the edge of a face
    gather: rays per sample for windows and bounces · lamp_radius: metres, softens shadows · lamp_samples: shadow rays
    per lamp · reach: metres up to which a lamp gives direct light
    ambient: constant light in addition, as a fraction of that of a well-lit room
    max_points: points at which bounced light is computed; meshes with more samples compute it per cell and interpolate
    """

    spacing: float = 0.22
    max_divisions: int = 16
    gather: int = 48
    lamp_radius: float = 0.22
    lamp_samples: int = 4
    reach: float = 9.0
    ambient: float = 0.08
    max_points: int = 100_000


@dataclass(frozen=True, slots=True)
class BakedLight:
    """Light grids of all faces.

    divisions_F: int32, number n of intervals along an edge of the face; its grid has (n + 1)(n + 2) / 2 samples
    first_F: int32, index of the face's first sample in light_N3; samples are in order of row j (along v), then i (along
    u)
    light_N3: float32 linear RGB irradiance; at 1, white paper is displayed as white
    """

    divisions_F: np.ndarray
    first_F: np.ndarray
    light_N3: np.ndarray


def bake_light(ray_scene: RayScene, config: LightingConfig | None = None) -> BakedLight:
    """Bake the light of `ray_scene.scene`; deterministic, without random numbers."""
    config = config or LightingConfig()
    scene = ray_scene.scene
    corners_F33 = scene.triangles_F33.astype(np.float64)
    normal_F3, area_F = _normals(corners_F33)
    divisions_F = np.clip(np.ceil(np.sqrt(2 * area_F) / config.spacing), 1, config.max_divisions).astype(np.int32)
    counts_F = (divisions_F + 1) * (divisions_F + 2) // 2
    first_F = np.concatenate([[0], np.cumsum(counts_F)[:-1]]).astype(np.int32)
    point_N3, normal_N3, inside_N3 = _sample_points(
        corners_F33, normal_F3, _vertex_normals(scene, normal_F3, area_F)[scene.faces_F3], divisions_F, first_F
    )
    unique_M, inverse_N = _merge(point_N3, normal_N3)
    inside_M3, normal_M3 = inside_N3[unique_M], normal_N3[unique_M]
    lights = scene.lights or _default_lights(scene)
    direct_M3 = _direct(ray_scene, inside_M3, normal_M3, lights, config)
    cells = None
    if len(unique_M) > config.max_points:
        cells = LightCells(ray_scene, inside_M3, normal_M3, config.spacing, config.max_points)
        inside_M3, normal_M3 = inside_M3[cells.chosen_R], normal_M3[cells.chosen_R]
    hit_MK = _gather_hits(ray_scene, inside_M3, normal_M3, config)
    # A gather ray receives from a face its emission and its mean reflected light: at the first bounce the light of the
    # lamps only, at the second also the light of the first bounce.
    albedo_F3, emission_F3 = _face_colours(scene)
    light_F3 = direct_F3 = _mean_over_faces(direct_M3[inverse_N], first_F, counts_F)
    for _ in range(_BOUNCES):
        bounce_M3 = _collect(hit_MK, emission_F3 + albedo_F3 * light_F3)
        if cells is not None:
            bounce_M3 = cells.interpolate(bounce_M3)
        light_F3 = direct_F3 + _mean_over_faces(bounce_M3[inverse_N], first_F, counts_F)
    light_M3 = (direct_M3 + bounce_M3 + config.ambient).astype(np.float32)
    return BakedLight(divisions_F, first_F, light_M3[inverse_N])


def _normals(corners_F33: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (F, 3) and areas (F,) in square metres."""
    cross_F3 = np.cross(corners_F33[:, 1] - corners_F33[:, 0], corners_F33[:, 2] - corners_F33[:, 0])
    length_F = np.linalg.norm(cross_F3, axis=1)
    return cross_F3 / np.maximum(length_F, 1e-12)[:, None], 0.5 * length_F


def _vertex_normals(scene: Scene, normal_F3: np.ndarray, area_F: np.ndarray) -> np.ndarray:
    """(V, 3): area-weighted mean normal of the faces around each vertex, for smooth shading of shared vertices."""
    total_V3 = np.zeros((len(scene.vertices_V3), 3))
    weighted_F3 = normal_F3 * area_F[:, None]
    for corner in range(3):
        for axis in range(3):
            total_V3[:, axis] += np.bincount(scene.faces_F3[:, corner], weighted_F3[:, axis], len(total_V3))
    return total_V3 / np.maximum(np.linalg.norm(total_V3, axis=1, keepdims=True), 1e-12)


@njit(cache=True)
def _sample_points(corners_F33, normal_F3, smooth_F33, divisions_F, first_F):  # pragma: no cover - compiled
    """float32 (N, 3) each: samples on the faces, their normals, and points just off the faces to trace from."""
    n_faces = len(divisions_F)
    last = divisions_F[n_faces - 1]
    total = first_F[n_faces - 1] + (last + 1) * (last + 2) // 2
    point = np.empty((total, 3), dtype=np.float32)
    normal = np.empty((total, 3), dtype=np.float32)
    inside = np.empty((total, 3), dtype=np.float32)
    for f in range(n_faces):
        n = divisions_F[f]
        k = first_F[f]
        for j in range(n + 1):
            for i in range(n + 1 - j):
                u, v = i / n, j / n
                w = 1.0 - u - v
                length2, along, away2 = 0.0, 0.0, 0.0
                for c in range(3):
                    a0, a1, a2 = corners_F33[f, 0, c], corners_F33[f, 1, c], corners_F33[f, 2, c]
                    p = w * a0 + u * a1 + v * a2
                    m = w * smooth_F33[f, 0, c] + u * smooth_F33[f, 1, c] + v * smooth_F33[f, 2, c]
                    point[k, c], normal[k, c] = p, m
                    length2 += m * m
                    along += m * normal_F3[f, c]
                    away2 += ((a0 + a1 + a2) / 3.0 - p) ** 2
                length, away = np.sqrt(length2), np.sqrt(away2)
                # Sharp edges keep the face's own normal.
                sharp = length < 1e-6 or along < 0.6 * length
                # Move towards the middle of the face, so that samples on an edge do not start inside the next wall.
                step = min(0.02, 0.5 * away) / max(away, 1e-9)
                for c in range(3):
                    p = point[k, c]
                    centre = (corners_F33[f, 0, c] + corners_F33[f, 1, c] + corners_F33[f, 2, c]) / 3.0
                    normal[k, c] = normal_F3[f, c] if sharp else normal[k, c] / length
                    inside[k, c] = p + (centre - p) * step + 0.004 * normal_F3[f, c]
                k += 1
    return point, normal, inside


def _merge(point_N3: np.ndarray, normal_N3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merge samples that have the same position and normal: (first sample of each group, group of each sample)."""
    cell_N3, normal_cell_N3 = np.round(point_N3 * 500.0).astype(np.int64), np.round(normal_N3 * 20.0).astype(np.int64)
    _, unique_M, inverse_N = np.unique(cell_keys(cell_N3, normal_cell_N3), return_index=True, return_inverse=True)
    # Keep the order of the faces: consecutive samples are close together, so their rays to a lamp are coherent.
    order_M = np.argsort(unique_M)
    rank_M = np.empty_like(order_M)
    rank_M[order_M] = np.arange(len(order_M))
    return unique_M[order_M], rank_M[inverse_N]


def _default_lights(scene: Scene) -> tuple[Light, ...]:
    """Lamps for a mesh without lights: one per square of 4 x 4 m, at most 2.3 m above the lowest point of the mesh."""
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
    """(M, 3): irradiance / pi from the lamps; each lamp is a small ball, sampled at a few fixed points."""
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
            far = distance[front] * 0.98
            hidden = ray_scene.occluded(point_M3[chosen], direction[front], far, coherent=True)
            # Lampshades send most of the light down; without them, ceilings would be the brightest surfaces.
            shaded = 0.6 + 0.4 * direction[front, 1]
            weight = np.where(hidden, 0.0, shaded * cosine[front] / (0.4 + distance[front] ** 2)) / config.lamp_samples
            direct_M3[chosen] += weight[:, None] * np.asarray(light.power_3)
    return direct_M3


def _face_colours(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Linear mean colour and emission of every face, (F, 3) each; decoded with gamma 2, as in the renderer."""
    textures = {id(s.texture_HWC): s.texture_HWC for s in scene.surfaces}  # many surfaces of a scan share one
    mean = {key: np.mean((hwc.astype(np.float64) / 255.0) ** 2, axis=(0, 1)) for key, hwc in textures.items()}
    mean_3 = [mean[id(s.texture_HWC)] for s in scene.surfaces]
    albedo_K3 = np.array(mean_3) * 0.85
    emission_K3 = np.array(mean_3) * np.array([s.emission for s in scene.surfaces])[:, None]
    return albedo_K3[scene.surface_F], emission_K3[scene.surface_F]


def _mean_over_faces(light_N3: np.ndarray, first_F: np.ndarray, counts_F: np.ndarray) -> np.ndarray:
    """(F, 3): mean of the samples of each face."""
    return np.add.reduceat(light_N3, first_F, axis=0) / counts_F[:, None]


def _gather_hits(
    ray_scene: RayScene, point_M3: np.ndarray, normal_M3: np.ndarray, config: LightingConfig
) -> np.ndarray:
    """int32 (M, K): the face that each of `gather` cosine-distributed rays from each sample hits, -1 for none."""
    k = np.arange(config.gather)
    radius, angle = np.sqrt((k + 0.5) / config.gather), k * 2.399963229728653  # the golden angle
    local_K3 = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - radius**2)], axis=1)
    dirs_MK3 = _around(normal_M3, local_K3.astype(np.float32))
    origins = np.repeat(point_M3.astype(np.float32), config.gather, axis=0)
    hit = ray_scene.trace(origins, dirs_MK3.reshape(-1, 3))["primID"]
    return hit.reshape(len(point_M3), config.gather)


@njit(cache=True)
def _around(normal_M3, local_K3):  # pragma: no cover - compiled
    """float32 (M, K, 3): the directions `local_K3` around +z, rotated so that +z becomes each normal."""
    out = np.empty((len(normal_M3), len(local_K3), 3), dtype=np.float32)
    for m in range(len(normal_M3)):
        nx, ny, nz = normal_M3[m, 0], normal_M3[m, 1], normal_M3[m, 2]
        # Tangent = helper x normal, with the helper axis that is far from the normal: +x, or +y.
        if abs(ny) > 0.9:
            tx, ty, tz = np.float32(0.0), -nz, ny
        else:
            tx, ty, tz = nz, np.float32(0.0), -nx
        length = np.sqrt(tx * tx + ty * ty + tz * tz)
        tx, ty, tz = tx / length, ty / length, tz / length
        bx, by, bz = ny * tz - nz * ty, nz * tx - nx * tz, nx * ty - ny * tx
        for k in range(len(local_K3)):
            a, b, c = local_K3[k, 0], local_K3[k, 1], local_K3[k, 2]
            out[m, k, 0] = a * tx + b * bx + c * nx
            out[m, k, 1] = a * ty + b * by + c * ny
            out[m, k, 2] = a * tz + b * bz + c * nz
    return out


@njit(cache=True)
def _collect(hit_MK, radiance_F3):  # pragma: no cover - compiled
    """(M, 3): mean radiance of the faces that the rays of each sample hit; a miss counts as 0."""
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
