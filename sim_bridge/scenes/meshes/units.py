"""The unit of a file, guessed: from its name, or from the size of what is in it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from avw.sim_bridge.scenes.meshes.mesh_options import UNITS

HUGE = 250.0  # metres of a scene's longest side above which its unit is hardly the metre
SMALL = 1.5  # and below which nobody can walk in it
_STOREY = 3.0  # metres of the shortest side of most houses
_WORDS = {
    "cm": "cm", "centimetre": "cm", "centimeter": "cm", "mm": "mm", "millimetre": "mm", "millimeter": "mm",
    "ft": "ft", "feet": "ft", "foot": "ft", "inch": "in", "inches": "in",
}  # fmt: skip


def unit_by_name(path: str) -> str | None:
    """The unit that a file's name mentions ("flat_cm.obj"), if any."""
    stem = Path(path.partition("?")[0]).stem.lower()
    for word in re.findall(r"[a-z]+", stem):
        singular = word[:-1] if word.endswith(("metres", "meters")) else word
        if singular in _WORDS:
            return _WORDS[singular]
    return None


def unit_by_size(size_3: np.ndarray) -> str:
    """The unit in which a bounding box of these sides would be a house: its shortest side nearest to a storey."""
    size_3 = np.asarray(size_3, dtype=np.float64)
    if size_3.max() <= HUGE:
        return "m"
    shortest = max(float(size_3.min()), 1e-9)
    return min(UNITS, key=lambda unit: abs(np.log(shortest * UNITS[unit] / _STOREY)))
