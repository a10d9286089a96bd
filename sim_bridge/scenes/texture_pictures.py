"""Textures that are fitted to one face and never repeated: pictures, rugs, screens, what windows show."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim_bridge.scenes.texture_noise import Palette, Rng, grid, jointed, mix, noise, speckled, toned


def _rug(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """One whole rug: borders around a field of diamonds; fitted, never repeated."""
    x, y = grid(size)
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    count = int(rng.integers(2, 6))
    diamond = np.abs((x * count) % 1 - 0.5) + np.abs((y * count) % 1 - 0.5)
    ring = (diamond * 6).astype(int) % len(palette)
    image = np.array(palette)[ring]
    image = np.where((edge < 0.16)[..., None], palette[-1], image)
    image = np.where(((edge > 0.04) & (edge < 0.10))[..., None], palette[0], image)
    return speckled(image, rng, 0.18)


def _picture(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """An abstract painting or a landscape in a passe-partout; fitted."""
    x, y = grid(size)
    image = mix(palette[0], palette[1], y)
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


def _books(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """One row of book spines; v = 0 at the top."""
    image = np.zeros((size, size, 3))
    column = 0
    while column < size:
        width = int(rng.integers(4, 11))
        top = int(rng.integers(4, 40))
        colour = palette[int(rng.integers(len(palette)))] * rng.uniform(0.6, 1.1)
        spine = slice(column, min(column + width, size))
        image[top:, spine] = colour
        image[top + 10 : top + 14, spine] = colour * 0.5 + 110
        image[top:, spine.start] = colour * 0.4
        image[:top, spine] = 22
        column += width
    return image


def _view(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """What a window shows: sky, clouds, hills or roofs, a garden; fitted."""
    x, y = grid(size)
    sky = mix(palette[0], np.array([238.0, 244.0, 250.0]), y * 1.5)
    cloud = np.clip((noise(rng, size, 3, 6, 4) - 0.5) * 4, 0, 1) * np.clip(1.2 - 2 * y, 0, 1)
    image = mix(sky, np.array([255.0, 255.0, 255.0]), cloud)
    hill = 0.55 + 0.06 * np.sin(2 * np.pi * (x * rng.uniform(0.5, 1.5) + rng.random()))
    image = np.where((y > hill)[..., None], mix(palette[1], sky[..., :], np.full_like(x, 0.45)), image)
    tree = 0.72 - 0.22 * noise(rng, size, 5, 2, 4)
    green = palette[1] * (0.7 + 0.5 * noise(rng, size, 12, 12, 3))[..., None]
    return np.where((y > tree)[..., None], green, image)


def _screen(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    x, y = grid(size)
    glow = np.clip(1 - ((x - 0.3) ** 2 + (y - 0.3) ** 2) * 2, 0, 1)
    return mix(palette[0], palette[-1], glow * 0.6)


def _keyboard(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    x, y = grid(size)
    gap = ((x * 15) % 1 < 0.14) | ((y * 5) % 1 < 0.14)
    return jointed(mix(palette[-1], palette[-1], x), gap, palette[0])


def _paper(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """Print or notes: lines of words, perhaps a picture."""
    x, y = grid(size)
    row = (y * 24).astype(int)
    lengths = rng.uniform(0.5, 0.9, 24)[row]
    word = noise(rng, size, 28, 24, 1) > 0.32
    ink = ((y * 24) % 1 > 0.45) & (x > 0.1) & (x < lengths) & (row > 1) & (row < 22) & word
    image = np.where(ink[..., None], palette[-1], palette[0])
    if rng.random() < 0.5:
        top = rng.uniform(0.2, 0.6)
        figure = (x > 0.15) & (x < 0.85) & (y > top) & (y < top + 0.25)
        image = np.where(figure[..., None], palette[1] * (0.6 + 0.4 * x)[..., None], image)
    return image


def _board(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """A whiteboard with boxes, arrows and lines of writing."""
    x, y = grid(size)
    image = mix(palette[0], palette[0] * np.float32(0.94), noise(rng, size, 3, 3, 3))
    for _ in range(int(rng.integers(2, 6))):
        x0, y0 = rng.uniform(0.05, 0.6), rng.uniform(0.08, 0.7)
        w, h = rng.uniform(0.12, 0.3), rng.uniform(0.1, 0.22)
        inside = (x > x0) & (x < x0 + w) & (y > y0) & (y < y0 + h)
        edge = inside & ~((x > x0 + 0.008) & (x < x0 + w - 0.008) & (y > y0 + 0.014) & (y < y0 + h - 0.014))
        text = inside & ((y - y0) * 30 % 1 < 0.3) & (x > x0 + 0.03) & (x < x0 + w * rng.uniform(0.5, 0.9))
        colour = palette[1 + int(rng.integers(len(palette) - 1))]
        image = np.where((edge | text)[..., None], colour, image)
    return image


def _clock(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    x, y = grid(size)
    dx, dy = x - 0.5, y - 0.5
    radius, angle = np.hypot(dx, dy), np.arctan2(dx, -dy)
    mark = (radius > 0.40) & (radius < 0.47) & (np.abs((angle / (np.pi / 6) + 0.5) % 1 - 0.5) < 0.1)
    image = np.where(mark[..., None], palette[-1], palette[0])
    for turn, length, thick in ((rng.random() * 6.28, 0.26, 0.022), (rng.random() * 6.28, 0.4, 0.014)):
        along, across = dx * np.sin(turn) - dy * np.cos(turn), dx * np.cos(turn) + dy * np.sin(turn)
        hand = (along > -0.04) & (along < length) & (np.abs(across) < thick)
        image = np.where(hand[..., None], palette[-1], image)
    return image


def _keys(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """A piano's: v = 0 at the back, where the black ones are."""
    x, y = grid(size)
    white = jointed(mix(palette[0], palette[0], x), (x * 35) % 1 < 0.08, 0.6)
    note = (x * 35 + 0.5).astype(int) % 7
    black = (np.abs((x * 35 + 0.5) % 1 - 0.5) < 0.3) & (y < 0.62) & np.isin(note, (1, 2, 4, 5, 6))
    return np.where(black[..., None], palette[-1], white)


def _goods(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """Rows of packets and bottles behind glass."""
    x, y = grid(size)
    column, row = (x * 8).astype(int), (y * 5).astype(int)
    colour = np.array(palette)[rng.integers(0, len(palette), 40)[column + 8 * row]]
    inside = (np.abs((x * 8) % 1 - 0.5) < 0.36) & ((y * 5) % 1 > 0.25) & ((y * 5) % 1 < 0.9)
    image = np.where(inside[..., None], colour * (0.7 + 0.3 * ((x * 8) % 1))[..., None], np.float32(36.0))
    return np.where(((y * 5) % 1 > 0.94)[..., None], np.float32(150.0), image)


def _leds(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """The fronts of servers."""
    x, y = grid(size)
    image = toned(np.broadcast_to(palette[0], (size, size, 3)), 0.7 + 0.3 * ((y * 16) % 1 > 0.12))
    lit = rng.random((32, 32))[(y * 32).astype(int), (x * 32).astype(int)] > 0.9
    dot = lit & (np.hypot((x * 32) % 1 - 0.5, (y * 32) % 1 - 0.5) < 0.3) & (x > 0.1) & (x < 0.5)
    return np.where(dot[..., None], palette[-1], image)


def _desktop(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """A monitor at work: a wallpaper and a few windows."""
    x, y = grid(size)
    image = mix(palette[0], palette[1], 0.5 * x + 0.5 * y)
    for _ in range(int(rng.integers(1, 4))):
        x0, y0, w, h = rng.uniform(0.02, 0.5), rng.uniform(0.03, 0.4), rng.uniform(0.3, 0.5), rng.uniform(0.35, 0.55)
        inside = (x > x0) & (x < x0 + w) & (y > y0) & (y < y0 + h)
        text = inside & ((y - y0) * 26 % 1 < 0.4) & (noise(rng, size, 24, 26, 1) > 0.4) & (y > y0 + 0.08)
        ground = np.float32(238.0) if rng.random() < 0.6 else np.float32(40.0)
        image = np.where(inside[..., None], ground, image)
        image = np.where((inside & (y < y0 + 0.05))[..., None], palette[-1], image)
        image = np.where((text & (x > x0 + 0.03) & (x < x0 + w * 0.85))[..., None], np.float32(130.0), image)
    return np.where((y > 0.95)[..., None], np.float32(30.0), image)


PICTURES: dict[str, Callable[[Palette, Rng, int], np.ndarray]] = {
    "rug": _rug,
    "picture": _picture,
    "books": _books,
    "view": _view,
    "screen": _screen,
    "keyboard": _keyboard,
    "paper": _paper,
    "board": _board,
    "clock": _clock,
    "keys": _keys,
    "goods": _goods,
    "leds": _leds,
    "desktop": _desktop,
}
