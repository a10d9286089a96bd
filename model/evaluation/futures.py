"""What a method predicts for a number of windows, and what is recorded, as NumPy arrays.

Shapes: N windows · H W image · C channels · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, fields

import numpy as np

from avw.avw4k.plan.episode import DEPTH_UNITS
from avw.avw4k.reading.windows import Windows

KEPT = 4  # decoded episodes; windows come in the order of episodes


@dataclass(frozen=True, kw_only=True, slots=True)
class Future:
    """One row per window; None for what a method does not predict.

    rgb_NHWC: uint8 · depth_NHW: float32 metres · audio_NES: float32, linear units
    progress_N: metres gained · distance_N: geodesic metres to the source
    """

    rgb_NHWC: np.ndarray | None = None
    depth_NHW: np.ndarray | None = None
    audio_NES: np.ndarray | None = None
    progress_N: np.ndarray | None = None
    distance_N: np.ndarray | None = None

    def joined_with(self, other: Future) -> Future:
        """This future, completed by the other one."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return Future(**{name: getattr(other, name) if value is None else value for name, value in values.items()})

    def only(self, *names: str) -> Future:
        """Some of the arrays."""
        return Future(**{name: getattr(self, name) for name in names})


class Recorded:
    """The recorded observations of a split, by frame number. The episodes that were read last stay in memory."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self._episodes: OrderedDict[int, dict[str, np.ndarray]] = OrderedDict()

    def frames(self, frames_N: np.ndarray) -> Future:
        """Images, depth and sound of frames."""
        rows = [self._frame(int(frame)) for frame in frames_N]
        return Future(
            rgb_NHWC=np.stack([row[0] for row in rows]),
            depth_NHW=np.stack([row[1] for row in rows]).astype(np.float32) / np.float32(DEPTH_UNITS),
            audio_NES=np.stack([row[2] for row in rows]).astype(np.float32) * self.windows.dataset.audio_scale,
        )

    def _frame(self, frame: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        number = int(self.windows.episode_F[frame])
        arrays = self._episodes.get(number)
        if arrays is None:
            names = ["rgb", "depth", "audio"]
            arrays = self._episodes[number] = self.windows.dataset.read(self.windows.episodes[number], names)
            if len(self._episodes) > KEPT:
                self._episodes.popitem(last=False)
        self._episodes.move_to_end(number)
        t = frame - int(self.windows.first_n[number])
        return arrays["rgb"][t], arrays["depth"][t], arrays["audio"][t]
