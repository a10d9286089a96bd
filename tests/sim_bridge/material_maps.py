"""A small material map in RLR's JSON format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def entry(name: str, labels: list[str], absorption: float, transmission: float = 0.0, **changes: Any) -> dict[str, Any]:
    """A material with all eight keys; its absorption at 2 kHz is half of that at 500 Hz."""
    values = {
        "name": name,
        "labels": labels,
        "absorption": [500.0, absorption, 2000.0, absorption / 2],
        "scattering": [20.0, 0.5, 20000.0, 0.5],
        "transmission": [20.0, transmission, 20000.0, transmission],
        "damping": [22.3, 1e-10, 20000.0, 1e-9],
        "density": 998.0,
        "speed": 1484.0,
    }
    return values | changes


def write_map(path: Path, *entries: dict[str, Any]) -> Path:
    """Write a map of `entries`, or of five typical materials; returns `path`."""
    chosen = entries or (
        entry("Default", ["default"], 0.1),
        entry("Acoustic Tile", ["ceiling"], 0.6, 0.03),
        entry("Wood, Thick", ["chest_of_drawers", "table"], 0.1),
        entry("Foliage", ["indoor-plant", "plant"], 0.04, 0.9),
        entry("Twice", ["table"], 0.9),
    )
    path.write_text(json.dumps({"materials": list(chosen)}))
    return path
