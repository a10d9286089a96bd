"""An episode file in a few lines: `avw info episodes.json.gz`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from avw.sim_bridge.task.episode_file import read_episodes


def episode_file_summary(path: Path) -> dict[str, Any]:
    """Counts and distances. Raises DatasetError for a file that is missing, damaged, or not an episode file."""
    episodes = read_episodes(path)
    distances = [episode.geodesic for episode in episodes if episode.geodesic is not None]
    return {
        "path": str(path),
        "episodes": len(episodes),
        "scenes": dict(Counter(episode.scene for episode in episodes)),
        "sounds": dict(Counter(episode.sound for episode in episodes if episode.sound)),
        "geodesic": [min(distances), float(np.median(distances)), max(distances)] if distances else None,
    }


def episode_file_text(values: dict[str, Any]) -> str:
    """The same as text."""

    def listed(counts: dict[str, int]) -> str:
        names = sorted(counts)
        return f"{len(names)} ({', '.join(names[:6])}{' …' if len(names) > 6 else ''})" if names else "none named"

    lines = [
        f"{values['path']}: {values['episodes']} navigation episodes in the format of SoundSpaces AudioNav",
        f"  scenes: {listed(values['scenes'])}",
        f"  sounds: {listed(values['sounds'])}",
    ]
    if values["geodesic"]:
        lines.append("  from start to goal: {0:.1f} to {2:.1f} m, median {1:.1f} m".format(*values["geodesic"]))
    return "\n".join([*lines, f"Next: avw navigate --policy oracle --episode-file {values['path']}"])
