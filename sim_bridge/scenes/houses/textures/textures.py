"""Procedural textures: square sRGB images. The textures of surfaces repeat without a seam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import spatial

from avw.sim_bridge.scenes.houses.textures.texture_noise import Palette, Rng, grid, jointed, mix, noise, speckled, toned
from avw.sim_bridge.scenes.houses.textures.texture_pictures import PICTURES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Colour = tuple[int, int, int]


def draw_texture(kind: str, colours: Sequence[Colour], rng: Rng, size: int = 128) -> np.ndarray:
    """Draw a texture: uint8 (size, size, 3).

    kind: a key of `_KINDS` or `PICTURES` · size: a power of two (pixels)
    colours: sRGB in 0..255, from the ground colour to the colour of the pattern
    """
    palette = [np.array(c, dtype=np.float32) for c in colours]
    image = (_KINDS.get(kind) or PICTURES[kind])(palette, rng, size)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def shade(colour: Colour, factor: float) -> Colour:
    """Make a colour darker (factor below 1) or lighter (above 1, towards white)."""
    c = np.array(colour, dtype=np.float64)
    mixed = c * factor if factor <= 1 else c + (255 - c) * (1 - 1 / factor)
    red, green, blue = (int(v) for v in np.clip(np.round(mixed), 0, 255))
    return red, green, blue


def _plain(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    return speckled(palette[0] * (0.95 + 0.1 * noise(rng, size, 3, 3, 5))[..., None], rng, 0.03)


def _planks(palette: Palette, rng: Rng, size: int, rows: int = 6, tone: float = 0.5) -> np.ndarray:
    x, y = grid(size)
    row = (y * rows).astype(int)
    offset = rng.random(rows)[row]
    board = ((x + offset) * 1.0 % 1.0 * 2).astype(int)
    shade_of_board = rng.random((rows, 2))[row, board]
    grain = noise(rng, size, 2, 24, 3)
    image = mix(palette[0], palette[-1], tone * shade_of_board + (1 - tone) * grain)
    joint = ((y * rows) % 1 < 0.06) | (((x + offset) * 2) % 1 < 0.012)
    return np.where(joint[..., None], image * 0.55, image)


def _grain(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """One board without joints, for furniture."""
    return mix(palette[0], palette[-1], 0.65 * noise(rng, size, 2, 20, 3) + 0.35 * noise(rng, size, 3, 4, 3))


def _herringbone(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    x, y = grid(size)
    u, v = (x * 8).astype(int), (y * 8).astype(int)
    upright = ((u + v) // 2) % 2 == 0
    piece = np.where(upright, u * 3 + (v + u) // 4 * 7, v * 5 + (u + v) // 4 * 11) % 32
    tone = rng.random(32)[piece]
    grain = np.where(upright, noise(rng, size, 24, 3, 2), noise(rng, size, 3, 24, 2))
    edge = np.where(upright, (x * 8) % 1, (y * 8) % 1) < 0.08
    image = mix(palette[0], palette[-1], 0.6 * tone + 0.4 * grain)
    return np.where(edge[..., None], image * 0.65, image)


def _tiles(palette: Palette, rng: Rng, size: int, columns: int = 4, rows: int = 4) -> np.ndarray:
    x, y = grid(size)
    shift = 0.5 * ((y * rows).astype(int) % 2) if columns != rows else 0.0
    u, v = (x * columns + shift) % columns, y * rows
    tone = rng.random((rows, columns))[v.astype(int), u.astype(int)]
    image = palette[0] * (0.93 + 0.1 * tone + 0.04 * noise(rng, size, 6, 6, 3))[..., None]
    joint = (u % 1 < 0.035 * columns / 2) | (v % 1 < 0.035 * rows / 2)
    return np.where(joint[..., None], palette[-1], image)


def _panels(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """Perforated ceiling panels in a grid of metal strips."""
    x, y = grid(size)
    holes = (np.sin(2 * np.pi * 24 * x) * np.sin(2 * np.pi * 24 * y) > 0.86) * 0.12
    image = speckled(palette[0] * (1 - holes)[..., None], rng, 0.03)
    strip = ((x * 4) % 1 < 0.04) | ((y * 4) % 1 < 0.04)
    return np.where(strip[..., None], palette[-1], image)


def _bricks(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    return speckled(_tiles(palette, rng, size, columns=4, rows=8), rng, 0.15)


def _checker(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    x, y = grid(size)
    odd = ((x * 4).astype(int) + (y * 4).astype(int)) % 2
    image = mix(palette[0], palette[-1], odd * 1.0) * (0.94 + 0.1 * noise(rng, size, 6, 6, 3))[..., None]
    joint = ((x * 4) % 1 < 0.03) | ((y * 4) % 1 < 0.03)
    return np.where(joint[..., None], image * 0.8, image)


def _marble(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    vein = 1 - np.abs(2 * noise(rng, size, 3, 3, 5) - 1) * 6
    image = mix(palette[0], palette[-1], np.clip(vein, 0, 1) * 0.8)
    x, y = grid(size)
    joint = ((x * 2) % 1 < 0.012) | ((y * 2) % 1 < 0.012)
    return np.where(joint[..., None], image * 0.75, image)


def _weave(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    x, y = grid(size)
    thread = (
        0.5 + 0.25 * np.sin(2 * np.pi * 32 * x) * np.sin(2 * np.pi * 32 * y) + 0.4 * (noise(rng, size, 6, 6, 4) - 0.5)
    )
    return mix(palette[0], palette[-1], thread)


def _pile(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    return speckled(mix(palette[0], palette[-1], noise(rng, size, 8, 8, 4)), rng, 0.25)


def _stripes(palette: Palette, rng: Rng, size: int, count: int = 6) -> np.ndarray:
    x, _ = grid(size)
    band = (x * count * 2).astype(int) % (2 * max(1, len(palette) - 1))
    colours = np.array([palette[0] if b % 2 == 0 else palette[1 + b // 2] for b in range(2 * (len(palette) - 1))])
    return colours[band] * (0.95 + 0.1 * noise(rng, size, 4, 4, 4))[..., None]


def _dots(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    x, y = grid(size)
    u, v = x * 6, y * 6
    u = u + 0.5 * (v.astype(int) % 2)
    inside = (u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < 0.06
    return mix(palette[0], palette[-1], inside * 1.0) * (0.95 + 0.1 * noise(rng, size, 4, 4, 4))[..., None]


def _damask(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    x, y = grid(size)
    wave = np.sin(2 * np.pi * 3 * x) * np.sin(2 * np.pi * 2 * y) + 0.6 * np.cos(
        2 * np.pi * 6 * x + np.sin(4 * np.pi * y)
    )
    return mix(palette[0], palette[-1], (wave > 0.25) * 0.75 + 0.2 * noise(rng, size, 8, 8, 3))


def _leaves(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    return mix(palette[0], palette[-1], 1.6 * noise(rng, size, 10, 10, 3) - 0.3)


def _plaster(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """Paint on plaster, with faint marks of trowel and roller."""
    tone = 0.955 + 0.06 * noise(rng, size, 3, 3, 4) + 0.03 * noise(rng, size, 40, 40, 2)
    return speckled(toned(palette[0], tone), rng, 0.02)


def _terrazzo(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """Chips of stone in cement: periodic Voronoi cells of 420 points, two thirds of them chips."""
    count = 420
    points_N2, chosen_N = rng.random((count, 2)), rng.integers(0, 6, count)
    x, y = grid(size)
    tree = spatial.cKDTree(points_N2, boxsize=1.0)
    distance, index = tree.query(np.stack([x.ravel(), y.ravel()], axis=1), k=2)
    gap, kind = (distance[:, 1] - distance[:, 0]).reshape(size, size), chosen_N[index[:, 0]].reshape(size, size)
    ground = palette[0]
    chips = np.stack([ground * 0.72, ground * 0.88, palette[-1], palette[-1] * 0.75, ground, ground])
    image = np.where(((gap > 0.012) & (kind < 4))[..., None], chips[kind], ground)
    return speckled(image, rng, 0.06)


def _concrete(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    tone = 0.82 + 0.24 * noise(rng, size, 3, 3, 6) + 0.06 * noise(rng, size, 30, 30, 2)
    return speckled(toned(palette[0], tone), rng, 0.06)


def _parquet(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """Squares of four sticks each; every other square is turned."""
    x, y = grid(size)
    u, v = (x * 4).astype(int), (y * 4).astype(int)
    upright = (u + v) % 2 == 0
    stick = np.where(upright, x * 16, y * 16)
    tone = rng.random(256, dtype=np.float32)[(stick.astype(int) + 16 * (u + 4 * v)) % 256]
    grain = np.where(upright, noise(rng, size, 32, 4, 2), noise(rng, size, 4, 32, 2))
    image = mix(palette[0], palette[-1], 0.55 * tone + 0.45 * grain)
    return jointed(image, (stick % 1 < 0.07) | ((x * 4) % 1 < 0.02) | ((y * 4) % 1 < 0.02), 0.62)


def _hexagons(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """Hexagonal tiles: Voronoi cells of a lattice in which every other row is shifted by half a column."""
    x, y = grid(size)
    across, down = 6, 8  # with 8 rows the hexagons are nearly regular and the lattice is periodic
    u, v = x * across, y * down
    best, second = np.full_like(x, 9.0), np.full_like(x, 9.0)
    cell = np.zeros((size, size), dtype=int)
    for dv in (-1, 0, 1):
        row = np.floor(v).astype(int) + dv
        shift = 0.5 * (row % 2)
        column = np.round(u - shift).astype(int)
        d = ((u - shift - column) / across) ** 2 + ((v - row - 0.5) / down) ** 2
        closer = d < best
        second = np.where(closer, best, np.minimum(second, d))
        cell = np.where(closer, (row % down) * across + column % across, cell)
        best = np.minimum(best, d)
    for side in (-1, 1):  # the neighbours in the same row
        row = np.floor(v).astype(int)
        shift = 0.5 * (row % 2)
        column = np.round(u - shift).astype(int) + side
        d = ((u - shift - column) / across) ** 2 + ((v - row - 0.5) / down) ** 2
        second = np.where(d > best, np.minimum(second, d), second)
    tone = rng.random(across * down, dtype=np.float32)[cell]
    image = toned(palette[0], 0.9 + 0.14 * tone)
    return jointed(image, np.sqrt(second) - np.sqrt(best) < 0.01, palette[-1])


def _chevron(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """A zigzag wallpaper."""
    x, y = grid(size)
    wave = (y * 10 + 2 * np.abs((x * 5) % 1 - 0.5)) % 1 < 0.3
    return mix(palette[0], palette[-1], wave * 0.8) * (0.97 + 0.06 * noise(rng, size, 4, 4, 4))[..., None]


def _sprigs(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """A wallpaper of leaves on twigs."""
    x, y = grid(size)
    image = np.broadcast_to(palette[0], (size, size, 3))
    for _ in range(46):
        cx, cy, turn, scale = rng.random(), rng.random(), rng.random() * np.pi, rng.uniform(0.6, 1.2)
        dx, dy = (x - cx + 0.5) % 1 - 0.5, (y - cy + 0.5) % 1 - 0.5
        a, c = dx * np.cos(turn) + dy * np.sin(turn), -dx * np.sin(turn) + dy * np.cos(turn)
        leaf = (a / (0.075 * scale)) ** 2 + (c / (0.026 * scale)) ** 2 < 1
        vein = np.abs(c) < 0.004
        image = np.where(leaf[..., None], np.where(vein[..., None], palette[0], palette[-1]), image)
    return image * (0.97 + 0.06 * noise(rng, size, 4, 4, 4))[..., None]


def _carpet_tiles(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """Squares of needle felt with stripes in alternating directions."""
    x, y = grid(size)
    odd = ((x * 4).astype(int) + (y * 4).astype(int)) % 2
    stripe = np.where(odd == 1, np.sin(2 * np.pi * 32 * x), np.sin(2 * np.pi * 32 * y))
    image = mix(palette[0], palette[-1], 0.3 + 0.12 * odd + 0.12 * stripe + 0.3 * (noise(rng, size, 24, 24, 3) - 0.5))
    return speckled(image, rng, 0.22)


def _wicker(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    x, y = grid(size)
    over = ((x * 10).astype(int) + (y * 14).astype(int)) % 2
    bulge = np.where(over == 1, np.sin(np.pi * ((x * 10) % 1)), np.sin(np.pi * ((y * 14) % 1)))
    return mix(palette[0], palette[-1], bulge * 0.8 + 0.2 * noise(rng, size, 10, 14, 2))


_KINDS: dict[str, Callable[[Palette, Rng, int], np.ndarray]] = {
    "plain": _plain,
    "planks": _planks,
    "grain": _grain,
    "herringbone": _herringbone,
    "tiles": _tiles,
    "panels": _panels,
    "bricks": _bricks,
    "checker": _checker,
    "marble": _marble,
    "weave": _weave,
    "pile": _pile,
    "stripes": _stripes,
    "dots": _dots,
    "damask": _damask,
    "leaves": _leaves,
    "plaster": _plaster,
    "terrazzo": _terrazzo,
    "concrete": _concrete,
    "parquet": _parquet,
    "hexagons": _hexagons,
    "chevron": _chevron,
    "sprigs": _sprigs,
    "carpet_tiles": _carpet_tiles,
    "wicker": _wicker,
    "metro": lambda palette, rng, size: _tiles(palette, rng, size, columns=4, rows=8),
}
