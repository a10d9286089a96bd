"""Shading tables of a scene: texture pyramids, light grids and tone curve, in the layout that the kernels use."""

from __future__ import annotations

import math

import numpy as np

from avw.sim_bridge.rendering.lighting import BakedLight
from avw.sim_bridge.scenes.scene import Scene

WHITE = 1.8  # linear value that the tone curve (extended Reinhard) maps to white
GLOW = 1.8  # linear brightness of a white surface of emission 1
_DISPLAY_STEPS = 8192

# Columns of the face table: one cache line per face.
UV, GRADIENT, LIGHT, DIVISIONS, SURFACE = 0, 6, 12, 13, 14
# Columns of the surface table.
TEXELS, SIDE = 0, 1


class ShadingTables:
    """The data of a scene that shading needs, in flat arrays (`arrays`, in this order, and `display`).

    face_F16: float32; texture coordinates of the corners, gradients of both texture axes in texels per metre, and (as
        int32 bits) the index of the first light sample, the divisions of the light grid, and the surface
    bits_F16: int32 view of face_F16
    surface_K2: int32; index of the first texel of the surface's texture pyramid, and its side
    glow_K: float32 emission
    texel_N: int32, 0xBBGGRR; each channel is 255 times the square root of a linear value, which is finer than sRGB
        everywhere and is decoded by one multiplication
    light_M: float32, linear RGB of all light samples in a row
    display: uint8, the tone curve

    light: None shows the textures unchanged, without lamps, emission or tone curve, as Habitat-Sim shows scans.
    texture_side: larger textures are reduced to this many texels per side
    """

    def __init__(self, scene: Scene, light: BakedLight | None, texture_side: int = 2048):
        texels, surface_K2 = [], np.zeros((len(scene.surfaces), 2), dtype=np.int32)
        offset = 0
        placed: dict[int, tuple[int, int]] = {}  # many surfaces of a scan differ only in category and share a texture
        for k, surface in enumerate(scene.surfaces):
            key = id(surface.texture_HWC)
            if key in placed:
                surface_K2[k] = placed[key]
                continue
            levels = _pyramid(surface.texture_HWC, texture_side)
            surface_K2[k] = placed[key] = offset, len(levels[0])
            texels += [level.reshape(-1) for level in levels]
            offset += sum(level.shape[0] * level.shape[1] for level in levels)
        face_F16 = np.zeros((len(scene.faces_F3), 16), dtype=np.float32)
        uv_F32 = np.nan_to_num(scene.uv_F32, posinf=0.0, neginf=0.0)
        face_F16[:, UV : UV + 6] = uv_F32.reshape(-1, 6)
        texels_F32 = uv_F32.astype(np.float64) * surface_K2[scene.surface_F, SIDE, None, None]
        face_F16[:, GRADIENT : GRADIENT + 6] = _gradients(scene.triangles_F33, texels_F32).reshape(-1, 6)
        bits_F16 = face_F16.view(np.int32)
        bits_F16[:, LIGHT] = light.first_F if light else 0
        bits_F16[:, DIVISIONS] = light.divisions_F if light else 1
        bits_F16[:, SURFACE] = scene.surface_F
        self.arrays = (
            face_F16,
            bits_F16,
            surface_K2,
            np.array([s.emission if light else 0.0 for s in scene.surfaces], dtype=np.float32),
            np.concatenate(texels).view(np.int32),
            np.ascontiguousarray(light.light_N3).reshape(-1) if light else np.ones(9, dtype=np.float32),
        )
        self.display = DISPLAY if light else PLAIN


def _gradients(triangles_F33: np.ndarray, texels_F32: np.ndarray) -> np.ndarray:
    """(F, 2, 3): gradients of the two texture coordinates over each face, in texels per metre along x, y and z.

    With edges e1, e2 and normal n = e1 x e2, the gradients of the barycentric weights of corners 1 and 2 are
    (e2 x n) / |n|^2 and (n x e1) / |n|^2.
    """
    corner_F33 = triangles_F33.astype(np.float64)
    e1, e2 = corner_F33[:, 1] - corner_F33[:, 0], corner_F33[:, 2] - corner_F33[:, 0]
    n = np.cross(e1, e2)
    area = np.maximum((n * n).sum(axis=1), 1e-18)[:, None]
    g1, g2 = np.cross(e2, n) / area, np.cross(n, e1) / area
    d1, d2 = texels_F32[:, 1] - texels_F32[:, 0], texels_F32[:, 2] - texels_F32[:, 0]
    return np.clip(d1[:, :, None] * g1[:, None, :] + d2[:, :, None] * g2[:, None, :], -1e9, 1e9)


def _srgb_to_linear(value: np.ndarray) -> np.ndarray:
    """The sRGB transfer function of IEC 61966-2-1, inverted."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _linear_to_srgb(value: np.ndarray) -> np.ndarray:
    """The sRGB transfer function of IEC 61966-2-1."""
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * np.maximum(value, 0.0031308) ** (1 / 2.4) - 0.055)


LINEAR = _srgb_to_linear(np.arange(256) / 255.0).astype(np.float32)


def _tone(value: np.ndarray) -> np.ndarray:
    """Tone curve (Reinhard et al. 2002, equation 4): from linear light to linear display values in [0, 1]."""
    return np.minimum(value * (1 + value / WHITE**2) / (1 + value), 1.0)


# Display values of linear values in [0, WHITE], as tables; half a table step is less than half a level everywhere.
_LEVELS = np.arange(_DISPLAY_STEPS) * (WHITE / (_DISPLAY_STEPS - 1))
DISPLAY = np.round(255 * _linear_to_srgb(_tone(_LEVELS))).astype(np.uint8)
PLAIN = np.round(255 * _linear_to_srgb(np.minimum(_LEVELS, 1.0))).astype(np.uint8)
DISPLAY_SCALE = np.float32((_DISPLAY_STEPS - 1) / WHITE)


def _pyramid(texture_HWC: np.ndarray, max_side: int) -> list[np.ndarray]:
    """uint32 levels, each half the size of the previous one, down to one texel.

    The side of the first level is the power of two nearest to the texture's, at most `max_side`.
    """
    height, width = texture_HWC.shape[:2]
    side = min(1 << max(0, round(math.log2(max(height, width, 1)))), 1 << int(math.log2(max_side)))
    if (height, width) != (side, side):
        from PIL import Image

        texture_HWC = np.asarray(Image.fromarray(texture_HWC).resize((side, side), Image.Resampling.BOX))
    linear = LINEAR[texture_HWC]
    levels = []
    while True:
        code = np.round(255 * np.sqrt(linear)).astype(np.uint32)
        levels.append(code[..., 0] | code[..., 1] << 8 | code[..., 2] << 16)
        if len(linear) == 1:
            return levels
        # Average linear light, not coded values; otherwise distant textures are too dark.
        linear = 0.25 * (linear[::2, ::2] + linear[1::2, ::2] + linear[::2, 1::2] + linear[1::2, 1::2])
