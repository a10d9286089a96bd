"""The colours of a building: one random scheme, and all other colours chosen to match it."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.scenes.houses.textures.textures import Colour, shade

WHITE: Colour = (240, 239, 235)


@dataclass(frozen=True, slots=True)
class _Scheme:
    """A colour scheme.

    hues: hues of painted walls (degrees) · tint, light: ranges of their saturation and value (0 to 1)
    bold: range of the saturation of accents · woods: indices into _WOODS of matching woods
    accents: hues of fabrics and accent walls (degrees) · special: textures of walls
    """

    hues: tuple[float, ...]
    tint: tuple[float, float]
    light: tuple[float, float]
    bold: tuple[float, float]
    woods: tuple[int, ...]
    accents: tuple[float, ...]
    special: tuple[str, ...]


_WOODS: tuple[tuple[Colour, Colour], ...] = (
    ((186, 140, 92), (214, 172, 124)),  # oak
    ((112, 70, 42), (150, 100, 64)),  # walnut
    ((214, 178, 128), (236, 206, 162)),  # birch
    ((74, 48, 34), (104, 70, 50)),  # wenge
    ((150, 84, 54), (182, 112, 76)),  # cherry
    ((158, 146, 130), (190, 180, 164)),  # grey oak
    ((226, 222, 214), (242, 240, 234)),  # painted white
    ((200, 160, 104), (226, 190, 138)),  # ash
)
_SCHEMES: dict[str, _Scheme] = {
    "nordic": _Scheme(
        (40, 210, 100),
        (0.02, 0.10),
        (0.86, 0.95),
        (0.15, 0.4),
        (2, 7, 6, 5),
        (205, 150, 45, 20),
        ("plaster", "plaster", "stripes"),
    ),
    "warm": _Scheme(
        (28, 42, 18),
        (0.12, 0.30),
        (0.84, 0.95),
        (0.35, 0.6),
        (0, 4, 1),
        (12, 35, 90, 340),
        ("plaster", "damask", "sprigs"),
    ),
    "coastal": _Scheme(
        (200, 190, 45),
        (0.06, 0.24),
        (0.84, 0.95),
        (0.3, 0.55),
        (2, 5, 6),
        (210, 185, 45, 15),
        ("plaster", "stripes", "panel"),
    ),
    "forest": _Scheme(
        (95, 120, 60),
        (0.10, 0.28),
        (0.72, 0.9),
        (0.25, 0.5),
        (1, 0, 7),
        (110, 30, 150, 45),
        ("plaster", "sprigs", "panel"),
    ),
    "pastel": _Scheme(
        (340, 180, 270, 50),
        (0.10, 0.20),
        (0.88, 0.96),
        (0.25, 0.42),
        (2, 6, 7),
        (340, 190, 265, 55),
        ("plaster", "dots", "chevron", "stripes"),
    ),
    "bold": _Scheme(
        (205, 355, 45, 165, 290),
        (0.28, 0.5),
        (0.72, 0.92),
        (0.5, 0.72),
        (0, 1, 3),
        (220, 0, 45, 170),
        ("plaster", "chevron", "damask"),
    ),
    "loft": _Scheme(
        (30, 215, 0),
        (0.01, 0.06),
        (0.66, 0.86),
        (0.3, 0.6),
        (3, 1, 5),
        (20, 35, 205, 0),
        ("plaster", "bricks", "concrete", "white bricks"),
    ),
    "classic": _Scheme(
        (45, 350, 215, 140),
        (0.08, 0.26),
        (0.78, 0.92),
        (0.45, 0.65),
        (4, 1, 3),
        (350, 220, 140, 40),
        ("plaster", "damask", "stripes", "panel"),
    ),
    "retro": _Scheme(
        (48, 28, 175, 75),
        (0.18, 0.4),
        (0.78, 0.93),
        (0.55, 0.75),
        (4, 0, 7),
        (25, 48, 180, 80),
        ("plaster", "chevron", "dots", "sprigs"),
    ),
}


@dataclass(frozen=True, slots=True)
class ColourPalette:
    """The colours of one building, as sRGB in 0..255.

    paints: walls; the first is for all public rooms · accents: accent walls and other strong colours
    woods: (dark grain, light grain); the first is for furniture · fabrics, stones: ground colours
    coverings: matching kinds of wall texture · trim, door, kitchen: single colours · flowers: toys, flowers and fruit
    """

    scheme: str
    paints: tuple[Colour, ...]
    accents: tuple[Colour, ...]
    woods: tuple[tuple[Colour, Colour], ...]
    fabrics: tuple[Colour, ...]
    stones: tuple[Colour, ...]
    coverings: tuple[str, ...]
    trim: Colour
    door: Colour
    kitchen: Colour
    flowers: tuple[Colour, ...]


def draw_palette(rng: np.random.Generator) -> ColourPalette:
    """Draw one of nine schemes and continuous variations of its hues and tones, so that no two buildings are alike."""
    name = str(rng.choice(list(_SCHEMES)))
    scheme = _SCHEMES[name]
    hues = [scheme.hues[k] for k in rng.permutation(len(scheme.hues))]
    paints = [
        _hsv(hues[k % len(hues)] + rng.normal(0, 8), rng.uniform(*scheme.tint), rng.uniform(*scheme.light))
        for k in range(10)
    ]
    accents = [
        _hsv(scheme.accents[k % 4] + rng.normal(0, 8), rng.uniform(*scheme.bold), rng.uniform(0.5, 0.85))
        for k in rng.permutation(8)
    ]
    calm = [_hsv(rng.uniform(20, 50), rng.uniform(0.02, 0.2), rng.uniform(0.3, 0.88)) for _ in range(4)]
    order = rng.permutation(len(scheme.woods))
    woods = [tuple(_jitter(rng, c) for c in _WOODS[scheme.woods[k]]) for k in order]
    woods += [tuple(_jitter(rng, c) for c in _WOODS[int(k)]) for k in rng.permutation(len(_WOODS))]
    stones = [_hsv(rng.uniform(15, 60) if k % 2 else rng.uniform(190, 230), rng.uniform(0.0, 0.16), v)
              for k, v in enumerate(rng.permutation([0.9, 0.78, 0.64, 0.5, 0.86, 0.36]))]  # fmt: skip
    kitchen = (WHITE, accents[1], calm[0], shade(accents[0], 1.4))[int(rng.integers(4))]
    return ColourPalette(
        scheme=name,
        paints=tuple(paints),
        accents=tuple(accents),
        woods=tuple((w[0], w[1]) for w in woods),
        fabrics=(calm[0], *accents[:2], calm[1], accents[2], calm[2], *accents[3:6]),
        stones=tuple(stones),
        coverings=scheme.special,
        trim=WHITE if rng.random() < 0.75 else shade(woods[0][0], 1.1),
        door=WHITE if rng.random() < 0.55 else accents[3],
        kitchen=kitchen,
        flowers=((208, 62, 52), (62, 120, 196), (236, 190, 60), (74, 158, 90)),
    )


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    """Convert a hue (degrees), saturation and value (0..1) to sRGB."""
    rgb = colorsys.hsv_to_rgb(float(hue) % 360 / 360, min(max(float(saturation), 0), 1), min(max(float(value), 0), 1))
    red, green, blue = (round(255 * c) for c in rgb)
    return red, green, blue


def _jitter(rng: np.random.Generator, colour: Colour) -> Colour:
    red, green, blue = (
        min(max(round(c * float(f)), 0), 255) for c, f in zip(colour, rng.normal(1, 0.035, 3), strict=True)
    )
    return red, green, blue
