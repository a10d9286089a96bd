"""Colours and text that all pictures share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

Colour = tuple[int, int, int]

PAPER: Colour = (250, 250, 248)
INK: Colour = (31, 41, 55)
SOFT: Colour = (100, 116, 139)  # secondary text
FAINT: Colour = (221, 226, 232)  # grid lines and empty places
TRUTH: Colour = (71, 85, 105)
IMAGINED: Colour = (15, 118, 110)
OTHER: Colour = (109, 40, 217)  # another future of the same context
SOURCE: Colour = (194, 65, 12)
GUESSED: Colour = (245, 158, 11)  # pixels that were not seen before


def font(size: float) -> FreeTypeFont | ImageFont:
    """The font that Pillow contains. It has the characters of ASCII, and the degree sign."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


def write(
    pen: ImageDraw, at: tuple[float, float], text: str, size: float, colour: Colour = INK, anchor: str = "la"
) -> None:
    """One line of text. anchor: as in Pillow, e.g. "la" left and top, "mm" centred, "ra" right and top."""
    pen.text(at, text, fill=colour, font=font(size), anchor=anchor)


def mixed(colour: Colour, with_colour: Colour, share: float) -> Colour:
    """`colour` with a share of another: 0 is the first, 1 the second."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(colour, with_colour, strict=True))
    return red, green, blue
