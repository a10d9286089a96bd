"""Textures drawn from a seed: small square sRGB images that repeat without a seam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIZE = 128  # pixels, a power of two: the renderer's mip levels are halvings
Colour = tuple[int, int, int]


def draw_texture(kind: str, colours: Sequence[Colour], rng: np.random.Generator) -> np.ndarray:
    """uint8 (128, 128, 3). `colours` run from the ground colour to the pattern's."""
    palette = [np.array(c, dtype=np.float64) for c in colours]
    return np.clip(np.round(_KINDS[kind](palette, rng)), 0, 255).astype(np.uint8)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (below 1) or lighter (above 1, towards white)."""
    c = np.array(colour, dtype=np.float64)
    mixed = c * factor if factor <= 1 else c + (255 - c) * (1 - 1 / factor)
    red, green, blue = (int(v) for v in np.clip(np.round(mixed), 0, 255))
    return red, green, blue


def _grid() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    return (x + 0.5) / SIZE, (y + 0.5) / SIZE


def _noise(rng: np.random.Generator, cells_x: int, cells_y: int, octaves: int = 4) -> np.ndarray:
    """Value noise in [0, 1] that wraps around, (SIZE, SIZE)."""
    total, weight = np.zeros((SIZE, SIZE)), 0.0
    for octave in range(octaves):
        nx, ny = min(cells_x << octave, SIZE), min(cells_y << octave, SIZE)
        values = rng.random((ny, nx))
        i, j = np.arange(SIZE) * nx / SIZE, np.arange(SIZE) * ny / SIZE
        x0, y0 = i.astype(int), j.astype(int)
        fx, fy = _smooth(i - x0)[None, :], _smooth(j - y0)[:, None]
        x1, y1 = (x0 + 1) % nx, (y0 + 1) % ny
        upper = values[np.ix_(y0, x0)] * (1 - fx) + values[np.ix_(y0, x1)] * fx
        lower = values[np.ix_(y1, x0)] * (1 - fx) + values[np.ix_(y1, x1)] * fx
        total += (upper * (1 - fy) + lower * fy) / 2**octave
        weight += 1 / 2**octave
    return total / weight


def _smooth(t: np.ndarray) -> np.ndarray:
    return t * t * (3 - 2 * t)


def _mix(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    return a + (b - a) * np.clip(t, 0, 1)[..., None]


def _speckled(image: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    return image * (1 + strength * (rng.random((SIZE, SIZE, 1)) - 0.5))


def _plain(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    return _speckled(palette[0] * (0.95 + 0.1 * _noise(rng, 3, 3, 5))[..., None], rng, 0.03)


def _planks(palette: list[np.ndarray], rng: np.random.Generator, rows: int = 6, tone: float = 0.5) -> np.ndarray:
    x, y = _grid()
    row = (y * rows).astype(int)
    offset = rng.random(rows)[row]
    board = ((x + offset) * 1.0 % 1.0 * 2).astype(int)
    shade_of_board = rng.random((rows, 2))[row, board]
    grain = _noise(rng, 2, 24, 3)
    image = _mix(palette[0], palette[-1], tone * shade_of_board + (1 - tone) * grain)
    joint = ((y * rows) % 1 < 0.06) | (((x + offset) * 2) % 1 < 0.012)
    return np.where(joint[..., None], image * 0.55, image)


def _grain(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """One board without joints, for furniture."""
    return _mix(palette[0], palette[-1], 0.65 * _noise(rng, 2, 20, 3) + 0.35 * _noise(rng, 3, 4, 3))


def _herringbone(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    u, v = (x * 8).astype(int), (y * 8).astype(int)
    upright = ((u + v) // 2) % 2 == 0
    piece = np.where(upright, u * 3 + (v + u) // 4 * 7, v * 5 + (u + v) // 4 * 11) % 32
    tone = rng.random(32)[piece]
    grain = np.where(upright, _noise(rng, 24, 3, 2), _noise(rng, 3, 24, 2))
    edge = np.where(upright, (x * 8) % 1, (y * 8) % 1) < 0.08
    image = _mix(palette[0], palette[-1], 0.6 * tone + 0.4 * grain)
    return np.where(edge[..., None], image * 0.65, image)


def _tiles(palette: list[np.ndarray], rng: np.random.Generator, columns: int = 4, rows: int = 4) -> np.ndarray:
    x, y = _grid()
    shift = 0.5 * ((y * rows).astype(int) % 2) if columns != rows else 0.0
    u, v = (x * columns + shift) % columns, y * rows
    tone = rng.random((rows, columns))[v.astype(int), u.astype(int)]
    image = palette[0] * (0.93 + 0.1 * tone + 0.04 * _noise(rng, 6, 6, 3))[..., None]
    joint = (u % 1 < 0.035 * columns / 2) | (v % 1 < 0.035 * rows / 2)
    return np.where(joint[..., None], palette[-1], image)


def _bricks(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    return _speckled(_tiles(palette, rng, columns=4, rows=8), rng, 0.15)


def _checker(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    odd = ((x * 4).astype(int) + (y * 4).astype(int)) % 2
    image = _mix(palette[0], palette[-1], odd * 1.0) * (0.94 + 0.1 * _noise(rng, 6, 6, 3))[..., None]
    joint = ((x * 4) % 1 < 0.03) | ((y * 4) % 1 < 0.03)
    return np.where(joint[..., None], image * 0.8, image)


def _marble(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    vein = 1 - np.abs(2 * _noise(rng, 3, 3, 5) - 1) * 6
    image = _mix(palette[0], palette[-1], np.clip(vein, 0, 1) * 0.8)
    x, y = _grid()
    joint = ((x * 2) % 1 < 0.012) | ((y * 2) % 1 < 0.012)
    return np.where(joint[..., None], image * 0.75, image)


def _weave(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    thread = 0.5 + 0.25 * np.sin(2 * np.pi * 32 * x) * np.sin(2 * np.pi * 32 * y) + 0.4 * (_noise(rng, 6, 6, 4) - 0.5)
    return _mix(palette[0], palette[-1], thread)


def _pile(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    return _speckled(_mix(palette[0], palette[-1], _noise(rng, 8, 8, 4)), rng, 0.25)


def _stripes(palette: list[np.ndarray], rng: np.random.Generator, count: int = 6) -> np.ndarray:
    x, _ = _grid()
    band = (x * count * 2).astype(int) % (2 * max(1, len(palette) - 1))
    colours = np.array([palette[0] if b % 2 == 0 else palette[1 + b // 2] for b in range(2 * (len(palette) - 1))])
    return colours[band] * (0.95 + 0.1 * _noise(rng, 4, 4, 4))[..., None]


def _dots(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    u, v = x * 6, y * 6
    u = u + 0.5 * (v.astype(int) % 2)
    inside = (u % 1 - 0.5) ** 2 + (v % 1 - 0.5) ** 2 < 0.06
    return _mix(palette[0], palette[-1], inside * 1.0) * (0.95 + 0.1 * _noise(rng, 4, 4, 4))[..., None]


def _damask(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    wave = np.sin(2 * np.pi * 3 * x) * np.sin(2 * np.pi * 2 * y) + 0.6 * np.cos(
        2 * np.pi * 6 * x + np.sin(4 * np.pi * y)
    )
    return _mix(palette[0], palette[-1], (wave > 0.25) * 0.75 + 0.2 * _noise(rng, 8, 8, 3))


def _rug(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """One whole rug: borders around a field of diamonds; fitted, never repeated."""
    x, y = _grid()
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    count = int(rng.integers(2, 6))
    diamond = np.abs((x * count) % 1 - 0.5) + np.abs((y * count) % 1 - 0.5)
    ring = (diamond * 6).astype(int) % len(palette)
    image = np.array(palette)[ring]
    image = np.where((edge < 0.16)[..., None], palette[-1], image)
    image = np.where(((edge > 0.04) & (edge < 0.10))[..., None], palette[0], image)
    return _speckled(image, rng, 0.18)


def _picture(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """An abstract painting or a landscape in a passe-partout; fitted."""
    x, y = _grid()
    image = _mix(palette[0], palette[1], y)
    if rng.random() < 0.5:
        for k in range(3, 0, -1):
            ridge = 0.3 + 0.15 * k + 0.1 * np.sin(2 * np.pi * (x * rng.uniform(0.6, 1.6) + rng.random()))
            image = np.where((y > ridge)[..., None], palette[(k + 1) % len(palette)] * (0.5 + 0.15 * k), image)
    else:
        for _ in range(int(rng.integers(4, 9))):
            cx, cy, r = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.3)
            colour = palette[int(rng.integers(len(palette)))]
            if rng.random() < 0.5:
                inside = (x - cx) ** 2 + (y - cy) ** 2 < r * r
            else:
                inside = (np.abs(x - cx) < r) & (np.abs(y - cy) < r * rng.uniform(0.2, 1.0))
            image = np.where(inside[..., None], colour, image)
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    image = np.where((edge < 0.12)[..., None], np.array([236.0, 232.0, 222.0]), image)
    return np.where((edge < 0.05)[..., None], palette[-1] * 0.35, image)


def _books(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """One row of book spines; v = 0 at the top."""
    image = np.zeros((SIZE, SIZE, 3))
    column = 0
    while column < SIZE:
        width = int(rng.integers(4, 11))
        top = int(rng.integers(4, 40))
        colour = palette[int(rng.integers(len(palette)))] * rng.uniform(0.6, 1.1)
        spine = slice(column, min(column + width, SIZE))
        image[top:, spine] = colour
        image[top + 10 : top + 14, spine] = colour * 0.5 + 110
        image[top:, spine.start] = colour * 0.4
        image[:top, spine] = 22
        column += width
    return image


def _leaves(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    return _mix(palette[0], palette[-1], 1.6 * _noise(rng, 10, 10, 3) - 0.3)


def _view(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """What a window shows: sky, clouds, hills or roofs, a garden; fitted."""
    x, y = _grid()
    sky = _mix(palette[0], np.array([238.0, 244.0, 250.0]), y * 1.5)
    cloud = np.clip((_noise(rng, 3, 6, 4) - 0.5) * 4, 0, 1) * np.clip(1.2 - 2 * y, 0, 1)
    image = _mix(sky, np.array([255.0, 255.0, 255.0]), cloud)
    hill = 0.55 + 0.06 * np.sin(2 * np.pi * (x * rng.uniform(0.5, 1.5) + rng.random()))
    image = np.where((y > hill)[..., None], _mix(palette[1], sky[..., :], np.full_like(x, 0.45)), image)
    tree = 0.72 - 0.22 * _noise(rng, 5, 2, 4)
    green = palette[1] * (0.7 + 0.5 * _noise(rng, 12, 12, 3))[..., None]
    return np.where((y > tree)[..., None], green, image)


def _screen(palette: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    x, y = _grid()
    glow = np.clip(1 - ((x - 0.3) ** 2 + (y - 0.3) ** 2) * 2, 0, 1)
    return _mix(palette[0], palette[-1], glow * 0.6)


_KINDS: dict[str, Callable[[list[np.ndarray], np.random.Generator], np.ndarray]] = {
    "plain": _plain,
    "planks": _planks,
    "grain": _grain,
    "herringbone": _herringbone,
    "tiles": _tiles,
    "metro": lambda palette, rng: _tiles(palette, rng, columns=4, rows=8),
    "bricks": _bricks,
    "checker": _checker,
    "marble": _marble,
    "weave": _weave,
    "pile": _pile,
    "stripes": _stripes,
    "dots": _dots,
    "damask": _damask,
    "rug": _rug,
    "picture": _picture,
    "books": _books,
    "leaves": _leaves,
    "view": _view,
    "screen": _screen,
}
