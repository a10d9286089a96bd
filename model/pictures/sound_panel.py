"""A panel with the level at both ears and the level difference between them, of several futures on one time axis.

Shapes: E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from avw.avw4k.viewing.hearing import level_difference
from avw.model.pictures.ink import FAINT, INK, PAPER, SOFT, Colour, font, mixed, write
from avw.sim_bridge.types import STEP_SAMPLES

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

FLOOR_DB = -36.0  # below the loudest part of the panel
_BLOCK = 160  # samples of one point of the envelope, 10 ms
_LARGEST_ILD = 12.0  # dB
_OVER = 2  # oversampling of the drawing
_LEFT, _HEAD = 92, 44  # room for labels


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundTrack:
    """audio_ES: the sound of a future, linear units · filled: draw its level as an area, not as a line
    before_ES: what was heard before this future, if it is not what was heard before the others; drawn as a line too
    """

    label: str
    audio_ES: np.ndarray
    colour: Colour
    filled: bool = False
    before_ES: np.ndarray | None = None


def sound_panel(
    heard_ES: np.ndarray, tracks: Sequence[SoundTrack], steps: Sequence[int], width: int, height: int
) -> Image:
    """Draw what was heard until now, then each future.

    heard_ES: the last seconds before now; may be empty · steps: marked on the time axis
    The left ear is above its axis and the right ear below; all levels have one scale.
    """
    from PIL import Image, ImageDraw

    panel = _Panel(width * _OVER, height * _OVER, heard_ES.shape[1], max(t.audio_ES.shape[1] for t in tracks))
    image = Image.new("RGB", (panel.width, panel.height), PAPER)
    pen = ImageDraw.Draw(image)
    panel.axes(pen, steps)
    powers = [_power(track.audio_ES) for track in tracks]
    befores = [_power(track.before_ES) for track in tracks if track.before_ES is not None]
    heard_EC = _power(heard_ES)
    loudest = max([float(p.max()) for p in (*powers, *befores, heard_EC) if p.size] or [0.0])
    panel.area(pen, _height(heard_EC, loudest), -heard_ES.shape[1], mixed(INK, PAPER, 0.84))
    for track, power_EC in sorted(zip(tracks, powers, strict=True), key=lambda pair: not pair[0].filled):
        shares_EC = _height(power_EC, loudest)
        if track.filled:
            panel.area(pen, shares_EC, 0, mixed(track.colour, PAPER, 0.62))
            continue
        if track.before_ES is not None:
            panel.outline(pen, _height(_power(track.before_ES), loudest), -track.before_ES.shape[1], track.colour)
        panel.outline(pen, shares_EC, 0, track.colour)
    panel.difference(pen, heard_ES, -heard_ES.shape[1], mixed(INK, PAPER, 0.6))
    for track in tracks:
        # The sound before now is included, so that the first window of the curve is not half empty.
        before_ES = heard_ES if track.before_ES is None else track.before_ES
        whole_ES = np.concatenate([before_ES, track.audio_ES], axis=1)
        first = 0 if track.before_ES is None else None
        panel.difference(pen, whole_ES, -before_ES.shape[1], track.colour, start=first)
    panel.legend(pen, tracks)
    return image.resize((width, height), Image.Resampling.LANCZOS)


class _Panel:
    """Where things are, in oversampled pixels: level at both ears above, level difference below."""

    def __init__(self, width: int, height: int, heard: int, ahead: int) -> None:
        self.width, self.height, self.heard = width, height, heard
        self.left, self.right = _LEFT * _OVER, width - 22 * _OVER
        self.per_sample = (self.right - self.left) / max(1, heard + ahead)
        self.top, self.bottom = _HEAD * _OVER, height - 34 * _OVER
        self.split = self.top + 0.64 * (self.bottom - self.top)
        self.middle = (self.top + self.split) / 2
        self.ild_middle = (self.split + 14 * _OVER + self.bottom) / 2

    def x(self, sample: float) -> float:
        return self.left + (self.heard + sample) * self.per_sample

    def axes(self, pen: ImageDraw, steps: Sequence[int]) -> None:
        for step in steps:
            x = self.x(step * STEP_SAMPLES)
            pen.line((x, self.top, x, self.bottom), fill=FAINT, width=_OVER)
            write(pen, (x, self.bottom + 6 * _OVER), f"+{step}", 16 * _OVER, SOFT, "ma")
        for y in (self.middle, self.ild_middle):
            pen.line((self.left, y, self.right, y), fill=mixed(FAINT, SOFT, 0.3), width=_OVER)
        now = self.x(0)
        pen.line((now, self.top - 6 * _OVER, now, self.bottom), fill=SOFT, width=2 * _OVER)
        write(pen, (now, self.bottom + 6 * _OVER), "now", 16 * _OVER, INK, "ma")
        side = self.left - 12 * _OVER
        write(pen, (side, (self.top + self.middle) / 2), "left ear", 17 * _OVER, SOFT, "rm")
        write(pen, (side, (self.middle + self.split) / 2), "right ear", 17 * _OVER, SOFT, "rm")
        write(pen, (side, self.ild_middle), "left - right", 17 * _OVER, SOFT, "rm")
        half = (self.bottom - self.split - 14 * _OVER) / 2
        for sign in (1, -1):
            y = self.ild_middle - sign * half
            pen.line((self.left, y, self.right, y), fill=FAINT, width=_OVER)
            write(pen, (side, y), f"{sign * _LARGEST_ILD:+.0f} dB", 14 * _OVER, SOFT, "rm")

    def area(self, pen: ImageDraw, shares_EC: np.ndarray, start: int, colour: Colour) -> None:
        if not shares_EC.shape[1]:
            return
        left, right = self._curves(shares_EC, start)
        pen.polygon([*left, *reversed(right)], fill=colour)

    def outline(self, pen: ImageDraw, shares_EC: np.ndarray, start: int, colour: Colour) -> None:
        for curve in self._curves(shares_EC, start):
            pen.line(curve, fill=colour, width=2 * _OVER, joint="curve")

    def _curves(self, shares_EC: np.ndarray, start: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        half = self.middle - self.top
        xs = [self.x(start + (column + 0.5) * _BLOCK) for column in range(shares_EC.shape[1])]
        left = [(x, self.middle - half * share) for x, share in zip(xs, shares_EC[0], strict=True)]
        right = [(x, self.middle + half * share) for x, share in zip(xs, shares_EC[1], strict=True)]
        return left, right

    def difference(
        self, pen: ImageDraw, audio_ES: np.ndarray, first: int, colour: Colour, start: int | None = None
    ) -> None:
        """ILD curve in dB, with gaps in silence. first: sample at which the sound begins · start: first sample drawn"""
        if not audio_ES.shape[1]:
            return
        half = (self.bottom - self.split - 14 * _OVER) / 2
        run: list[tuple[float, float]] = []
        for number, value in enumerate([*level_difference(audio_ES), None]):
            sample = first + number * 400
            if value is None or (start is not None and sample < start):
                if len(run) > 1:
                    pen.line(run, fill=colour, width=2 * _OVER, joint="curve")
                run = []
                continue
            share = max(-1.0, min(1.0, value / _LARGEST_ILD))
            run.append((self.x(sample), self.ild_middle - half * share))

    def legend(self, pen: ImageDraw, tracks: Sequence[SoundTrack]) -> None:
        x = float(self.left)
        y = 16 * _OVER
        items = [("heard before", mixed(INK, PAPER, 0.84), True)] if self.heard else []
        items += [(t.label, mixed(t.colour, PAPER, 0.62) if t.filled else t.colour, t.filled) for t in tracks]
        for label, colour, filled in items:
            thick = 7 * _OVER if filled else 2 * _OVER
            pen.rectangle((x, y - thick, x + 30 * _OVER, y + thick), fill=colour)
            write(pen, (x + 40 * _OVER, y), label, 18 * _OVER, INK, "lm")
            x += (40 + 26) * _OVER + pen.textlength(label, font=font(18 * _OVER))


def _power(audio_ES: np.ndarray) -> np.ndarray:
    """Mean power of each block, float64 (E, blocks)."""
    blocks = audio_ES.shape[1] // _BLOCK
    return np.square(audio_ES[:, : blocks * _BLOCK].astype(np.float64)).reshape(2, blocks, _BLOCK).mean(axis=2)


def _height(power_EC: np.ndarray, loudest: float) -> np.ndarray:
    """1 for the loudest block of the panel, 0 for FLOOR_DB below it or less."""
    db_EC = 10 * np.log10(np.maximum(power_EC / max(loudest, 1e-20), 10 ** (FLOOR_DB / 10)))
    return 1 - db_EC / FLOOR_DB
