"""Colours of the points that rays hit: texture pyramids, baked light and a soft tone curve, in one Numba kernel."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from sim_bridge.rendering.lighting import BakedLight
from sim_bridge.scenes.scene import Scene

BACKGROUND = (0.62, 0.74, 0.86)  # gamma 2 RGB of rays that hit nothing
WHITE = 1.8  # linear value that the tone curve (Reinhard's, extended) maps to white
GLOW = 1.8  # linear brightness of a white surface of emission 1


class Look:
    """What shading needs of a scene, in flat arrays: texture pyramids, texture coordinates, light grids."""

    def __init__(self, scene: Scene, light: BakedLight):
        texels, first, sizes = [], [], []
        offset = 0
        for surface in scene.surfaces:
            levels = _pyramid(surface.texture_HWC)
            first.append(offset)
            sizes.append(len(levels[0]))
            texels += [level.reshape(-1, 3) for level in levels]
            offset += sum(level.shape[0] * level.shape[1] for level in levels)
        corners_F33 = scene.triangles_F33.astype(np.float64)
        area_F = np.linalg.norm(
            np.cross(corners_F33[:, 1] - corners_F33[:, 0], corners_F33[:, 2] - corners_F33[:, 0]), axis=1
        )
        e1, e2 = scene.uv_F32[:, 1] - scene.uv_F32[:, 0], scene.uv_F32[:, 2] - scene.uv_F32[:, 0]
        uv_area_F = np.abs(e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0])
        size_F = np.array(sizes, dtype=np.int32)[scene.surface_F]
        # Texels per metre on each face, with which the kernel picks the level of the pyramid.
        density_F = np.sqrt(uv_area_F / np.maximum(area_F, 1e-12)) * size_F
        emission_F = np.array([s.emission for s in scene.surfaces], dtype=np.float32)[scene.surface_F]
        self.arrays = (
            np.ascontiguousarray(scene.uv_F32.reshape(-1, 6), dtype=np.float32),
            np.array(first, dtype=np.int32)[scene.surface_F],
            size_F,
            density_F.astype(np.float32),
            emission_F,
            np.concatenate(texels),
            light.divisions_F,
            light.first_F,
            light.light_N3,
        )


def _pyramid(texture_HWC: np.ndarray) -> list[np.ndarray]:
    """Float32 levels in [0, 1], each half the last, down to one texel; the first is the nearest power of two."""
    height, width = texture_HWC.shape[:2]
    side = 1 << max(0, round(math.log2(max(height, width, 1))))
    side = min(side, 1024)
    if (height, width) != (side, side):
        from PIL import Image

        texture_HWC = np.asarray(Image.fromarray(texture_HWC).resize((side, side), Image.Resampling.BOX))
    levels = [texture_HWC.astype(np.float32) / np.float32(255.0)]
    while len(levels[-1]) > 1:
        t = levels[-1]
        # Average light, not gamma-coded values, or far textures look too dark.
        t = np.sqrt(0.25 * (t[::2, ::2] ** 2 + t[1::2, ::2] ** 2 + t[::2, 1::2] ** 2 + t[1::2, 1::2] ** 2))
        levels.append(t.astype(np.float32))
    return levels


def shade(
    hit: dict[str, np.ndarray],
    dirs_N3: np.ndarray,
    pixel: float,
    look: Look,
    rgb_N3: np.ndarray,
    depth_N: np.ndarray,
) -> None:
    """Colour the rays `dirs_N3` whose hits Embree recorded in `hit` (see `RayScene.trace`).

    pixel: the width of a pixel at distance 1 · rgb_N3 uint8 and depth_N float32 (0: nothing hit) are written.
    """
    _shade(hit["primID"], hit["tfar"], hit["u"], hit["v"], hit["Ng"], dirs_N3, np.float32(pixel),
           *look.arrays, rgb_N3, depth_N)  # fmt: skip


@njit(cache=True, nogil=True)
def aim(right_W, s, c, dirs_N3):  # pragma: no cover - compiled
    width = len(right_W)
    for j in range(width):
        for i in range(width):
            k = j * width + i
            dirs_N3[k, 0] = c * right_W[i] - s
            dirs_N3[k, 1] = -right_W[j]
            dirs_N3[k, 2] = -s * right_W[i] - c


@njit(cache=True, nogil=True)
def _shade(
    face_N, t_N, u_N, v_N, normal_N3, dirs_N3, pixel,
    uv_F6, first_F, size_F, density_F, emission_F, texel_K3, divisions_F, light_first_F, light_M3,
    rgb_N3, depth_N,
):  # fmt: skip # pragma: no cover - compiled
    """Pyramid level by footprint, bilinear texel, barycentric light, a soft shoulder, gamma 2 (exact square roots)."""
    one, half = np.float32(1.0), np.float32(0.5)
    glow_light, shoulder = np.float32(GLOW), np.float32(1.0 / WHITE**2)
    for k in range(len(face_N)):
        f = face_N[k]
        if f < 0:
            depth_N[k] = np.float32(0.0)
            for c in range(3):
                rgb_N3[k, c] = np.uint8(BACKGROUND[c] * 255.0)
            continue
        t, bu, bv = t_N[k], u_N[k], v_N[k]
        depth_N[k] = t
        bw = one - bu - bv
        tu = bw * uv_F6[f, 0] + bu * uv_F6[f, 2] + bv * uv_F6[f, 4]
        tv = bw * uv_F6[f, 1] + bu * uv_F6[f, 3] + bv * uv_F6[f, 5]
        # The pixel's footprint grows with distance and, along one axis, with obliqueness: take the mean of both.
        nx, ny, nz = normal_N3[k, 0], normal_N3[k, 1], normal_N3[k, 2]
        dx, dy, dz = dirs_N3[k, 0], dirs_N3[k, 1], dirs_N3[k, 2]
        facing = abs(nx * dx + ny * dy + nz * dz) / np.sqrt(
            (nx * nx + ny * ny + nz * nz) * (dx * dx + dy * dy + dz * dz) + np.float32(1e-20)
        )
        footprint = pixel * t * density_F[f] / np.sqrt(max(facing, np.float32(0.06)))
        size = size_F[f]
        base = first_F[f]
        while footprint > np.float32(1.5) and size > 1:
            base += size * size
            size >>= 1
            footprint *= half
        side = np.float32(size)
        x = (tu - np.floor(tu)) * side - half
        y = (tv - np.floor(tv)) * side - half
        x0, y0 = np.int32(np.floor(x)), np.int32(np.floor(y))
        fx, fy = x - np.float32(x0), y - np.float32(y0)
        mask = size - 1
        x1, y1 = (x0 + 1) & mask, (y0 + 1) & mask
        x0, y0 = x0 & mask, y0 & mask
        a, b = base + y0 * size + x0, base + y0 * size + x1
        c0, d = base + y1 * size + x0, base + y1 * size + x1
        wa, wb, wc, wd = (one - fx) * (one - fy), fx * (one - fy), (one - fx) * fy, fx * fy
        # The cell of the light grid: row j, column i, lower or upper triangle.
        n = divisions_F[f]
        gu, gv = bu * np.float32(n), bv * np.float32(n)
        i = min(np.int32(gu), n - 1)
        j = min(np.int32(gv), n - 1 - i)
        gu, gv = gu - np.float32(i), gv - np.float32(j)
        row = light_first_F[f] + j * (n + 1) - j * (j - 1) // 2
        above = row + (n + 1 - j)
        if gu + gv <= one or i + j + 2 > n:
            p, q, r = row + i, row + i + 1, above + i
            wp, wq, wr = one - gu - gv, gu, gv
        else:
            p, q, r = above + i + 1, above + i, row + i + 1
            wp, wq, wr = gu + gv - one, one - gu, one - gv
        glow = emission_F[f]
        for c in range(3):
            colour = wa * texel_K3[a, c] + wb * texel_K3[b, c] + wc * texel_K3[c0, c] + wd * texel_K3[d, c]
            light = wp * light_M3[p, c] + wq * light_M3[q, c] + wr * light_M3[r, c]
            value = colour * colour * (light * (one - glow) + glow_light * glow)
            value = value * (one + value * shoulder) / (one + value)
            rgb_N3[k, c] = np.uint8(min(np.float32(255.0), np.sqrt(value) * np.float32(255.0) + half))
