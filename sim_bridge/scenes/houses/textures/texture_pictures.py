"""Textures that are fitted to one face and never repeated: pictures, rugs, screens, views from windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from avw.sim_bridge.scenes.houses.textures.texture_noise import Palette, Rng, grid, jointed, mix, noise, speckled, toned


def _rgb(red: float, green: float, blue: float) -> np.ndarray:
    return np.array([red, green, blue], dtype=np.float32)


def _rug(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """A whole rug: one of six designs, with or without a border."""
    x, y = grid(size)
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    design, count = int(rng.integers(6)), int(rng.integers(2, 6))
    ground = np.broadcast_to(palette[0], (size, size, 3))
    if design == 0:
        ring = (np.abs((x * count) % 1 - 0.5) + np.abs((y * count) % 1 - 0.5)) * 6
        image = np.array(palette)[ring.astype(int) % len(palette)]
    elif design == 1:  # bands across
        widths = rng.uniform(0.5, 1.5, 9)
        band = np.searchsorted(np.cumsum(widths) / widths.sum(), x)
        image = np.array(palette)[band % len(palette)]
    elif design == 2:  # a plain field with a fine line around it
        image = np.where(((edge > 0.06) & (edge < 0.075))[..., None], palette[1], ground)
    elif design == 3:  # a medallion
        radius = np.hypot((x - 0.5) * 1.2, y - 0.5)
        petal = radius * (1 + 0.12 * np.cos(8 * np.arctan2(y - 0.5, x - 0.5)))
        image = np.array([palette[0], palette[1], palette[2], palette[0]])[np.searchsorted([0.1, 0.2, 0.28], petal)]
        corner = np.hypot(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) < 0.2
        image = np.where(corner[..., None], palette[1], image)
    elif design == 4:  # Berber: thin crossing lines on a pale ground
        line = np.minimum(np.abs((x * count + y * count) % 1 - 0.5), np.abs((x * count - y * count) % 1 - 0.5)) < 0.03
        pale = palette[0] * 0.25 + 175.0
        image = np.where(line[..., None], palette[1] * 0.5, pale)
    else:  # shag: one colour, deep pile
        image = mix(palette[0] * 0.8, palette[0] * 1.15, noise(rng, size, 20, 20, 4))
    if design in (0, 3) or (design == 1 and rng.random() < 0.4):
        image = np.where((edge < 0.12)[..., None], palette[-1], image)
        image = np.where(((edge > 0.04) & (edge < 0.07))[..., None], palette[0], image)
    worn = 0.94 + 0.12 * noise(rng, size, 4, 4, 4)
    return speckled(toned(image, worn), rng, 0.16)


def _picture(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """An abstract painting or a landscape in a passe-partout."""
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
    """One row of book spines, with v = 0 at the top."""
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
    """The view from a window: sky, clouds, hills, trees."""
    x, y = grid(size)
    sky = mix(palette[0], np.array([238.0, 244.0, 250.0]), y * 1.5)
    cloud = np.clip((noise(rng, size, 3, 6, 4) - 0.5) * 4, 0, 1) * np.clip(1.2 - 2 * y, 0, 1)
    image = mix(sky, np.array([255.0, 255.0, 255.0]), cloud)
    hill = 0.55 + 0.06 * np.sin(2 * np.pi * (x * rng.uniform(0.5, 1.5) + rng.random()))
    image = np.where((y > hill)[..., None], mix(palette[1], sky[..., :], np.full_like(x, 0.45)), image)
    tree = 0.72 - 0.22 * noise(rng, size, 5, 2, 4)
    green = palette[1] * (0.7 + 0.5 * noise(rng, size, 12, 12, 3))[..., None]
    return np.where((y > tree)[..., None], green, image)


def _city(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """The view from a window in town: sky above two rows of houses with windows."""
    x, y = grid(size)
    image = mix(palette[0], _rgb(238, 240, 244), y * 1.4)
    for row in range(2):
        count = int(rng.integers(4, 8))
        block = np.minimum((x * count).astype(int), count - 1)
        roof = (0.36 + 0.2 * row + rng.uniform(-0.14, 0.1, count))[block]
        tones = rng.uniform(0.62, 1.05, count)[block]
        base = palette[1] if row else palette[1] * 0.4 + palette[0] * 0.6
        u, v = (x * count) % 1, (y - roof) * 14
        pane = (np.abs((u * 4) % 1 - 0.5) < 0.26) & (np.abs(v % 1 - 0.5) < 0.3) & (u > 0.08) & (u < 0.92) & (v > 0.3)
        house = np.where(pane[..., None], base * 0.55, np.broadcast_to(base, (size, size, 3)))
        image = np.where((y > roof)[..., None], toned(house, tones), image)
    tree = 0.84 - 0.1 * noise(rng, size, 6, 2, 4)
    green = toned(_rgb(78, 108, 70), 0.7 + 0.5 * noise(rng, size, 14, 14, 3))
    return np.where((y > tree)[..., None], green, image)


def _sea(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """The view from a window at the coast: sky, water, a strip of sand."""
    _, y = grid(size)
    pale = _rgb(240, 244, 248)
    cloud = np.clip((noise(rng, size, 3, 8, 4) - 0.52) * 4, 0, 1)
    sky = mix(mix(palette[0], pale, y * 1.6), _rgb(255, 255, 255), cloud * (y < 0.5))
    water = mix(_rgb(52, 108, 140), _rgb(126, 172, 186), 1.6 * noise(rng, size, 4, 48, 3) - 0.4)
    sand = toned(_rgb(214, 196, 158), 0.92 + 0.14 * noise(rng, size, 16, 16, 3))
    image = np.where((y > 0.52)[..., None], water, sky)
    return np.where((y > 0.8 + 0.04 * noise(rng, size, 4, 1, 2))[..., None], sand, image)


def _screen(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    x, y = grid(size)
    glow = np.clip(1 - ((x - 0.3) ** 2 + (y - 0.3) ** 2) * 2, 0, 1)
    return mix(palette[0], palette[-1], glow * 0.6)


def _keyboard(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    x, y = grid(size)
    gap = ((x * 15) % 1 < 0.14) | ((y * 5) % 1 < 0.14)
    return jointed(mix(palette[-1], palette[-1], x), gap, palette[0])


def _paper(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """A printed or written page: lines of words, in half of the cases with a picture."""
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
    """The keys of a piano, with v = 0 at the back, where the black keys are."""
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
    """The fronts of servers, with lights."""
    x, y = grid(size)
    image = toned(np.broadcast_to(palette[0], (size, size, 3)), 0.7 + 0.3 * ((y * 16) % 1 > 0.12))
    lit = rng.random((32, 32))[(y * 32).astype(int), (x * 32).astype(int)] > 0.9
    dot = lit & (np.hypot((x * 32) % 1 - 0.5, (y * 32) % 1 - 0.5) < 0.4) & (x > 0.1) & (x < 0.5)
    return np.where(dot[..., None], palette[-1], image)


def _desktop(palette: Palette, rng: Rng, size: int) -> np.ndarray:
    """The picture on a monitor: a desktop with a few windows."""
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
    "city": _city,
    "sea": _sea,
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
