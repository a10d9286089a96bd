"""Writes episode files in the layout of SoundSpaces' AudioNav."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any


def row(name: str = "0", scene: str = "17DRP5sb8fy/17DRP5sb8fy.glb", **changes: Any) -> dict[str, Any]:
    """One episode with every field that SoundSpaces writes."""
    turn = math.radians(90.0)
    values = {
        "episode_id": name,
        "scene_id": scene,
        "start_position": [1.0, 0.1, -2.0],
        "start_rotation": [0.0, math.sin(turn / 2), 0.0, math.cos(turn / 2)],
        "goals": [{"position": [4.0, 0.1, -2.0], "radius": 1e-05}],
        "start_room": None,
        "shortest_paths": None,
        "info": {"geodesic_distance": 3.0, "num_action": 4, "sound": "telephone"},
    }
    return values | changes


def write_split(
    folder: Path, episodes: list[dict[str, Any]], content: dict[str, list[dict[str, Any]]] | None = None
) -> Path:
    """Write FOLDER/FOLDER_NAME.json.gz with these episodes, and one file per scene of `content`; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{folder.name}.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"episodes": episodes}).encode()))
    for scene, rows in (content or {}).items():
        (folder / "content").mkdir(exist_ok=True)
        (folder / "content" / f"{scene}.json.gz").write_bytes(gzip.compress(json.dumps({"episodes": rows}).encode()))
    return path
