"""The sRGB transfer function of IEC 61966-2-1. Pictures are sRGB; factors and vertex colours of glTF are linear."""

from __future__ import annotations

import numpy as np


def srgb_to_linear(value: np.ndarray) -> np.ndarray:
    """Linear light (0..1) of sRGB values (0..1)."""
    value = np.asarray(value, dtype=np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((np.maximum(value, 0.0) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(value: np.ndarray) -> np.ndarray:
    """sRGB values (0..1) of linear light, which is clipped to 0..1."""
    value = np.clip(np.asarray(value, dtype=np.float64), 0.0, 1.0)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * np.maximum(value, 0.0031308) ** (1 / 2.4) - 0.055)


def linear_bytes(texture_HWC: np.ndarray) -> np.ndarray:
    """Linear light of a uint8 sRGB picture, by a table."""
    light: np.ndarray = _LINEAR[texture_HWC]
    return light


def srgb_bytes(light: np.ndarray) -> np.ndarray:
    """uint8 sRGB values of linear light."""
    return np.round(linear_to_srgb(light) * 255.0).astype(np.uint8)


_LINEAR = srgb_to_linear(np.arange(256) / 255.0)
