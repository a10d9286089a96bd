"""A floor plan as a picture, with paths, marks and points drawn on it. x to the right, z downwards.

Shapes: N points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from avw.model.pictures.ink import FAINT, INK, PAPER, SOURCE, Colour, font, write
from avw.sim_bridge.types import Pose

if TYPE_CHECKING:
    from PIL.Image import Image

    from avw.sim_bridge.scenes.scene_ref import SceneRef

_PIXELS_PER_METRE = 40.0
_SURROUNDINGS = 1.2  # metres around the points of a cropped plan
_SMALLEST = 5.0  # metres: side of a cropped plan
_WHITE = (255, 255, 255)


class FloorPlan:
    """A square picture of `side` pixels. Draw on it, then take `image`; `copy` keeps a state to draw on again."""

    def __init__(self, image: Image, corner: tuple[float, float], pixels_per_metre: float) -> None:
        """corner: x and z in metres at the upper left corner of the picture."""
        from PIL import ImageDraw

        self.image, self.corner, self.pixels_per_metre = image, corner, pixels_per_metre
        self._pen = ImageDraw.Draw(image)

    @classmethod
    def of_scene(cls, scene: SceneRef, side: int, around_N2: np.ndarray | None = None) -> FloorPlan:
        """The scene from above. around_N2: show the part with these points (x, z) only; None shows all of it.

        Raises an AvwError if the scene cannot be read or drawn.
        """
        from PIL import Image

        rgb_HWC, origin, metres_per_pixel = _from_above(scene)
        height, width, _ = rgb_HWC.shape
        low_2 = np.array(origin)
        whole_2 = np.array([width, height]) * metres_per_pixel
        corner_2, metres = low_2 + (whole_2 - whole_2.max()) / 2, float(whole_2.max())
        if around_N2 is not None:
            part_2, part = _square(around_N2)
            if part < metres:
                corner_2, metres = part_2, part
        box = tuple(((corner_2 - low_2) / metres_per_pixel).tolist())
        far = tuple(((corner_2 + metres - low_2) / metres_per_pixel).tolist())
        canvas = Image.new("RGB", (width, height), PAPER)
        canvas.paste(Image.fromarray(rgb_HWC))
        pad = Image.new("RGB", (side, side), PAPER)
        pad.paste(_cut(canvas, (*box, *far), side))
        return cls(pad, (float(corner_2[0]), float(corner_2[1])), side / metres)

    @classmethod
    def blank(cls, points_N2: np.ndarray, side: int) -> FloorPlan:
        """Paper around some points (x, z), for a scene that cannot be drawn."""
        from PIL import Image

        corner_2, metres = _square(points_N2)
        return cls(Image.new("RGB", (side, side), PAPER), (float(corner_2[0]), float(corner_2[1])), side / metres)

    def copy(self) -> FloorPlan:
        return FloorPlan(self.image.copy(), self.corner, self.pixels_per_metre)

    def at(self, x: float, z: float) -> tuple[float, float]:
        """The pixel of a point."""
        return (x - self.corner[0]) * self.pixels_per_metre, (z - self.corner[1]) * self.pixels_per_metre

    def source(self, x: float, z: float) -> None:
        """The sound source: a dot with two rings."""
        u, v = self.at(x, z)
        for radius in (4, 9, 14):
            inner = SOURCE if radius == 4 else None
            self._pen.ellipse((u - radius, v - radius, u + radius, v + radius), outline=SOURCE, width=2, fill=inner)

    def path(self, points_N2: Sequence[tuple[float, float]] | np.ndarray, colour: Colour, width: int = 3) -> None:
        """A line with a white edge through points (x, z)."""
        line = [self.at(float(x), float(z)) for x, z in points_N2]
        if len(line) > 1:
            self._pen.line(line, fill=_WHITE, width=width + 3, joint="curve")
            self._pen.line(line, fill=colour, width=width, joint="curve")

    def dots(self, points_N2: np.ndarray, colour: Colour, radius: float = 1.5) -> None:
        """Small dots at points (x, z)."""
        for x, z in points_N2:
            u, v = self.at(float(x), float(z))
            self._pen.ellipse((u - radius, v - radius, u + radius, v + radius), fill=colour)

    def agent(self, pose: Pose, colour: Colour) -> None:
        """An arrowhead at a pose."""
        u, v = self.at(pose.x, pose.z)
        corners = [
            (u - length * math.sin(pose.yaw + angle), v - length * math.cos(pose.yaw + angle))
            for angle, length in ((0.0, 13.0), (2.5, 10.0), (math.pi, 3.0), (-2.5, 10.0))
        ]
        self._pen.polygon(corners, fill=colour, outline=_WHITE)

    def legend(self, items: Sequence[tuple[str, Colour]]) -> None:
        """Names of the colours, at the lower left corner, and a scale of 1 m at the lower right one."""
        side = self.image.width
        size, line = 17, 24
        widest = max((self._pen.textlength(label, font=font(size)) for label, _ in items), default=0)
        top = side - 14 - line * len(items)
        if items:
            self._pen.rounded_rectangle((10, top - 6, 66 + widest, side - 10), 8, fill=PAPER, outline=FAINT)
        for number, (label, colour) in enumerate(items):
            y = top + line * (number + 0.5)
            self._pen.line((20, y, 44, y), fill=colour, width=5)
            write(self._pen, (54, y), label, size, INK, "lm")
        right, metre = side - 22, self.pixels_per_metre
        self._pen.rounded_rectangle((right - metre - 12, side - 48, side - 10, side - 10), 8, fill=PAPER, outline=FAINT)
        self._pen.line((right - metre, side - 18, right, side - 18), fill=INK, width=3)
        write(self._pen, (right - metre / 2, side - 24), "1 m", 16, INK, "ms")
        self._pen.rectangle((0, 0, side - 1, side - 1), outline=FAINT, width=2)


@lru_cache(maxsize=4)
def _from_above(scene: SceneRef) -> tuple[np.ndarray, tuple[float, float], float]:
    """The picture of a scene, which takes seconds to light, its corner in metres, and metres per pixel."""
    from avw.sim_bridge.rendering.top_down import floor_plan_image

    return floor_plan_image(scene.load(), _PIXELS_PER_METRE)


def _square(points_N2: np.ndarray) -> tuple[np.ndarray, float]:
    """The corner and the side, in metres, of a square around points."""
    low_2, high_2 = points_N2.min(axis=0), points_N2.max(axis=0)
    metres = max(_SMALLEST, float((high_2 - low_2).max()) + 2 * _SURROUNDINGS)
    return (low_2 + high_2 - metres) / 2, metres


def _cut(image: Image, box: tuple[float, ...], side: int) -> Image:
    """The part of a picture between two corners, which may lie outside of it, at another size."""
    from PIL import Image

    left, top, right, bottom = (round(value) for value in box)
    part = Image.new("RGB", (right - left, bottom - top), PAPER)
    part.paste(image, (-left, -top))
    return part.resize((side, side), Image.Resampling.LANCZOS)
