"""Textures that do not simply repeat: the renderer repeats every texture, so other modes are drawn into the picture."""

from __future__ import annotations

import numpy as np

REPEAT, CLAMP, MIRROR = 10497, 33071, 33648
_MOST_TILES = 8  # copies of a clamped picture along one axis
_MAX_SIDE = 2048  # pixels of the picture that is made


def wrapped(picture_HWC: np.ndarray, uv_F32: np.ndarray, modes: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A picture and texture coordinates that look the same when the picture is repeated.

    modes: of u and v, as in glTF. A mirrored picture gets its mirror image beside it. A clamped one gets copies of its
    edge, as far as the coordinates reach; coordinates farther away are moved back.
    """
    for axis, mode in ((0, modes[0]), (1, modes[1])):
        coordinate_N = uv_F32[..., axis]
        if mode == MIRROR and ((coordinate_N < 0.0) | (coordinate_N > 1.0)).any():
            picture_HWC, uv_F32 = _mirrored(picture_HWC, uv_F32, axis)
        elif mode == CLAMP and ((coordinate_N < 0.0) | (coordinate_N > 1.0)).any():
            picture_HWC, uv_F32 = _clamped(picture_HWC, uv_F32, axis)
    return np.ascontiguousarray(picture_HWC), uv_F32


def _mirrored(picture_HWC: np.ndarray, uv_F32: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    across = 1 - axis  # axis of the array
    both = np.concatenate([picture_HWC, np.flip(picture_HWC, axis=across)], axis=across)
    uv_F32 = uv_F32.copy()
    uv_F32[..., axis] *= 0.5
    return both, uv_F32


def _clamped(picture_HWC: np.ndarray, uv_F32: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    across = 1 - axis
    size = picture_HWC.shape[across]
    first = max(int(np.floor(min(uv_F32[..., axis].min(), 0.0))), -_MOST_TILES // 2)
    last = min(int(np.ceil(max(uv_F32[..., axis].max(), 1.0))), _MOST_TILES // 2)
    tiles = last - first
    step = max(-(-tiles * size // _MAX_SIDE), 1)  # a smaller picture, if the copies would become too large
    pixel_N = np.clip(np.arange(first * size + step // 2, last * size, step), 0, size - 1)
    uv_F32 = uv_F32.copy()
    uv_F32[..., axis] = (np.clip(uv_F32[..., axis], first, last) - first) / tiles
    return np.take(picture_HWC, pixel_N, axis=across), uv_F32
