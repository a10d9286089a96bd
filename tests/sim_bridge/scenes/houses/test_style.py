"""Textures repeat without a seam, palettes differ, surfaces depend on the seed and their name only."""

from __future__ import annotations

import numpy as np
import pytest

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.style import Style
from avw.sim_bridge.scenes.houses.textures.palette import draw_palette
from avw.sim_bridge.scenes.houses.textures.texture_pictures import PICTURES
from avw.sim_bridge.scenes.houses.textures.textures import draw_texture, shade

REPEATED = (
    *("plain", "plaster", "planks", "grain", "herringbone", "parquet", "tiles", "metro", "bricks", "panels", "checker"),
    *("marble", "terrazzo", "concrete", "hexagons", "carpet_tiles", "weave", "pile", "wicker", "leaves"),
    *("stripes", "dots", "damask", "chevron", "sprigs"),
)
COLOURS = ((190, 150, 110), (90, 70, 60), (60, 90, 120), (200, 60, 50), (240, 240, 235))


@pytest.mark.parametrize("kind", [*REPEATED, *PICTURES])
def test_texture_depends_on_its_seed_only(kind: str) -> None:
    first, again = (draw_texture(kind, COLOURS, keyed_rng(1, kind), 64) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    other = draw_texture(kind, COLOURS, keyed_rng(2, kind), 64)
    fixed = ("screen", "keyboard", "keys")  # these use no randomness
    assert kind in fixed or (first != other).any()


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("kind", REPEATED)
def test_repeated_textures_have_no_seam(kind: str, axis: int) -> None:
    """The change across the edge of the texture is not larger than the largest change inside it."""
    image = draw_texture(kind, COLOURS[:2], keyed_rng(3, kind), 128).astype(np.float64)
    image = np.moveaxis(image, axis, 0)
    steps = np.abs(np.diff(image, axis=0)).mean(axis=(1, 2))
    seam = np.abs(image[0] - image[-1]).mean()
    assert seam <= steps.max() * 1.05 + 1.0


def test_palettes_differ_and_stay_in_range() -> None:
    palettes = [draw_palette(keyed_rng(seed, "style")) for seed in range(60)]
    assert len({p.paints[0] for p in palettes}) == 60
    assert len({p.scheme for p in palettes}) == 9
    for p in palettes:
        colours = [
            *p.paints,
            *p.accents,
            *p.fabrics,
            *p.stones,
            p.trim,
            p.door,
            p.kitchen,
            *(c for w in p.woods for c in w),
        ]
        assert all(0 <= value <= 255 for colour in colours for value in colour)
        # Walls of public rooms are light.
        assert max(p.paints[0]) >= 0.6 * 255


def test_shade_darkens_and_lightens() -> None:
    assert shade((100, 50, 0), 0.5) == (50, 25, 0)
    red, green, blue = shade((100, 50, 0), 2.0)
    assert red > 100
    assert green > 50
    assert blue > 0
    assert shade((255, 255, 255), 3.0) == (255, 255, 255)


def test_a_surface_does_not_depend_on_earlier_surfaces() -> None:
    names = []
    for first in ("rug", "wood"):
        builder = MeshBuilder()
        style = Style(builder, 5)
        getattr(style, first)(1)
        name = style.floor(0, "living")
        with builder.part("floor"):
            builder.quad([(0, 0, 1), (1, 0, 1), (1, 0, 0), (0, 0, 0)], name)
        surface = builder.build()["surfaces"][0]
        names.append((surface.name, surface.texture_HWC.tobytes()))
    assert names[0] == names[1]
