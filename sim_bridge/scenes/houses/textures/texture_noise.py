"""Building blocks of procedural textures: pixel coordinates, periodic noise, mixing of colours."""

from __future__ import annotations

import numpy as np

Palette = list[np.ndarray]  # float32 RGB in 0..255, from the ground colour to the colour of the pattern
Rng = np.random.Generator


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of the pixel centres, x to the right and y down: two float32 arrays (size, size) in 0..1."""
    at = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    x, y = np.meshgrid(at, at)
    return x, y


def noise(rng: Rng, size: int, cells_x: int, cells_y: int, octaves: int = 4) -> np.ndarray:
    """Periodic value noise in [0, 1], float32 (size, size)."""
    total, weight = np.zeros((size, size), dtype=np.float32), 0.0
    for octave in range(octaves):
        nx, ny = min(cells_x << octave, size), min(cells_y << octave, size)
        values = rng.random((ny, nx), dtype=np.float32)
        x0, x1, fx = _steps(nx, size)
        y0, y1, fy = _steps(ny, size)
        across = values[:, x0] * (1 - fx) + values[:, x1] * fx
        layer = across[y0] * (1 - fy)[:, None] + across[y1] * fy[:, None]
        total += layer * np.float32(0.5**octave)
        weight += 0.5**octave
    return total / np.float32(weight)


def _steps(cells: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    at = np.arange(size, dtype=np.float32) * np.float32(cells / size)
    low = at.astype(np.int64)
    t = at - low
    return low, (low + 1) % cells, t * t * (3 - 2 * t)


def mix(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Interpolate from colour or image `a` (t = 0) to `b` (t = 1), per pixel."""
    return a + (b - a) * np.clip(t, 0, 1)[..., None]


def speckled(image: np.ndarray, rng: Rng, strength: float) -> np.ndarray:
    """Add grain, so that large plain faces do not look like plastic."""
    return image * (1 + np.float32(strength) * (rng.random((*image.shape[:2], 1), dtype=np.float32) - np.float32(0.5)))


def toned(image: np.ndarray, tone: np.ndarray) -> np.ndarray:
    """Multiply every pixel by a factor."""
    return image * tone[..., None]


def jointed(image: np.ndarray, joint: np.ndarray, colour: np.ndarray | float) -> np.ndarray:
    """Replace the pixels where `joint` is true by `colour`, or scale them if `colour` is a float."""
    return np.where(joint[..., None], image * colour if isinstance(colour, float) else colour, image)
