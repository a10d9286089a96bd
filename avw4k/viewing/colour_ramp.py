"""Colour ramps: values such as depth in metres or level in decibels as colours, and what a page says about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class Ramp:
    """Colours at equal distances from `low` to `high`, linear in between. stops: RGB, 0 to 255."""

    stops: tuple[tuple[int, int, int], ...]
    low: float
    high: float
    unit: str

    def paint(self, values: np.ndarray) -> np.ndarray:
        """uint8 (*values.shape, 3); values outside the range get the colours of its ends."""
        stops = np.array(self.stops, float)
        share = np.clip((values - self.low) / (self.high - self.low), 0.0, 1.0) * (len(stops) - 1)
        below = np.minimum(share.astype(int), len(stops) - 2)
        mix = (share - below)[..., None]
        return (stops[below] * (1 - mix) + stops[below + 1] * mix).round().astype(np.uint8)

    def note(self) -> dict[str, Any]:
        """For the page, which draws a colour bar and reads values back from colours (ramp.js)."""
        return {"stops": [list(stop) for stop in self.stops], "low": self.low, "high": self.high, "unit": self.unit}


def depth_ramp(farthest: float) -> Ramp:
    """Yellow, green, teal, dark blue: near to far. The lightness decreases evenly, so it also works in grey."""
    stops = ((255, 238, 150), (122, 201, 121), (33, 145, 140), (49, 88, 139), (52, 28, 78))
    return Ramp(stops=stops, low=0.0, high=farthest, unit="m")


def level_ramp(floor: float) -> Ramp:
    """Night blue, violet, ember, cream: quiet to loud, even in lightness. floor: dB below the loudest."""
    stops = ((13, 15, 32), (66, 32, 110), (150, 44, 110), (224, 92, 72), (250, 178, 92), (253, 244, 200))
    return Ramp(stops=stops, low=floor, high=0.0, unit="dB")
