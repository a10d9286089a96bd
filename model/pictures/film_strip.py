"""Film strips: rows of frames with labels, and below them a plan and a sound panel.

Shapes: H W image · C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from avw.avw4k.viewing.media import depth_colours
from avw.model.pictures.ink import FAINT, GUESSED, INK, PAPER, SOFT, Colour, write

if TYPE_CHECKING:
    from PIL.Image import Image

CELL = 256  # pixels of a frame in the strip
GAP = 8
_GUTTER, _MARGIN, _NOW_GAP = 150, 32, 28


@dataclass(frozen=True, kw_only=True, slots=True)
class StripRow:
    """One row of a strip.

    pictures: uint8 (H, W, 3) of each column; None leaves the place empty
    note: a second, smaller line of the label
    """

    label: str
    pictures: Sequence[np.ndarray | None]
    note: str = ""
    colour: Colour = INK


def film_strip(
    rows: Sequence[StripRow],
    columns: Sequence[str],
    *,
    title: str = "",
    subtitles: Sequence[str] = (),
    below: Sequence[Image] = (),
    now: bool = True,
    cell: int = CELL,
) -> Image:
    """Rows of frames under a title and lines of text, with a label per column and per row, and pictures below them.

    now: the first column is the last observation; it is set apart from the future · cell: pixels of a frame
    """
    from PIL import Image, ImageDraw

    lefts = [
        _MARGIN + _GUTTER + number * (cell + GAP) + (_NOW_GAP if now and number else 0)
        for number in range(len(columns))
    ]
    width = lefts[-1] + cell + _MARGIN
    top = _MARGIN + (46 if title else 0) + 30 * len(subtitles) + (4 if subtitles else 0) + 34
    bottom = top + len(rows) * (cell + GAP) - GAP
    height = bottom + _MARGIN + (max(picture.height for picture in below) + _MARGIN if below else 0)
    strip = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(strip)
    write(pen, (_MARGIN, _MARGIN - 8), title, 32)
    for number, subtitle in enumerate(subtitles):
        write(pen, (_MARGIN, _MARGIN + (40 if title else 0) + 30 * number), subtitle, 21, SOFT)
    for left, label in zip(lefts, columns, strict=True):
        write(pen, (left + cell / 2, top - 12), label, 22, SOFT, "ms")
    if now and len(lefts) > 1:
        line = lefts[1] - (_NOW_GAP + GAP) / 2
        pen.line((line, top - 24, line, bottom), fill=FAINT, width=3)
    for number, row in enumerate(rows):
        upper = top + number * (cell + GAP)
        middle, right = upper + cell / 2, _MARGIN + _GUTTER - 16
        write(pen, (right, middle - (12 if row.note else 0)), row.label, 24, row.colour, "rm")
        write(pen, (right, middle + 16), row.note, 17, SOFT, "rm")
        for left, picture_HWC in zip(lefts, row.pictures, strict=True):
            if picture_HWC is not None:
                strip.paste(enlarged(picture_HWC, cell), (left, upper))
            elif left != lefts[0] or not now:
                pen.rectangle((left, upper, left + cell - 1, upper + cell - 1), outline=FAINT, width=2)
    left = _MARGIN
    for picture in below:
        strip.paste(picture, (left, bottom + _MARGIN))
        left += picture.width + _MARGIN
    return strip


def strip_width(columns: int, cell: int = CELL) -> int:
    """Pixels between the margins of a strip with that many columns: the room for the pictures below."""
    return _GUTTER + columns * (cell + GAP) - GAP + _NOW_GAP


def enlarged(rgb_HWC: np.ndarray, side: int) -> Image:
    """A frame at another size."""
    from PIL import Image

    return Image.fromarray(rgb_HWC).resize((side, side), Image.Resampling.BICUBIC)


def shown_steps(steps: int, count: int = 6) -> list[int]:
    """Up to `count` of the steps 1 … `steps`, denser at the start: 1, 2, 3, 5, 9, 16 of 16."""
    return [int(step) for step in np.unique(np.geomspace(1, steps, count).round().astype(int))]


def depth_picture(depth_HW: np.ndarray, farthest: float) -> np.ndarray:
    """Depth in metres as colours, uint8 (H, W, 3): near is light, far is dark, nothing is black."""
    return depth_colours(depth_HW[None], farthest)[0]


def guessed_picture(rgb_HWC: np.ndarray, coverage_HW: np.ndarray) -> np.ndarray:
    """The frame with the pixels that no earlier frame shows tinted; the others are pale."""
    grey = rgb_HWC.mean(axis=-1, keepdims=True)
    tint = 0.45 * grey + 0.55 * np.array(GUESSED, float)
    pale = 0.55 * grey + 0.45 * np.array(PAPER, float)
    return np.where(coverage_HW[..., None], pale, tint).round().astype(np.uint8)
