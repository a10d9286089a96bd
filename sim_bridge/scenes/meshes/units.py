"""Guess the unit of a file from its name or from the size of its contents."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from avw.sim_bridge.scenes.meshes.mesh_options import UNITS

# All in metres.
HUGE = 250.0  # if the longest side of a scene is larger, its unit is probably not the metre
SMALL = 1.5  # if the longest side is smaller, the scene is too small to walk in
_STOREY = 3.0  # shortest side of most houses
_WORDS = {
    "cm": "cm", "centimetre": "cm", "centimeter": "cm", "mm": "mm", "millimetre": "mm", "millimeter": "mm",
    "ft": "ft", "feet": "ft", "foot": "ft", "inch": "in", "inches": "in",
}  # fmt: skip


def unit_by_name(path: str) -> str | None:
    """The unit in the name of a file ("flat_cm.obj"), or None."""
    stem = Path(path.partition("?")[0]).stem.lower()
    for word in re.findall(r"[a-z]+", stem):
        singular = word[:-1] if word.endswith(("metres", "meters")) else word
        if singular in _WORDS:
            return _WORDS[singular]
    return None


def unit_by_size(size_3: np.ndarray) -> str:
    """The unit in which a box of this size is a house, with its shortest side nearest to one storey."""
    size_3 = np.asarray(size_3, dtype=np.float64)
    if size_3.max() <= HUGE:
        return "m"
    shortest = max(float(size_3.min()), 1e-9)
    return min(UNITS, key=lambda unit: abs(np.log(shortest * UNITS[unit] / _STOREY)))
