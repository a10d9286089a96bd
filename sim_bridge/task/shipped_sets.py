"""The episode sets that are part of AVW, by name and SHA-256."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import DatasetError, NoDatasetError
from avw.sim_bridge.suggestions import did_you_mean, similar_path

FOLDER = Path(__file__).with_name("sets")


def shipped_sets() -> dict[str, dict[str, Any]]:
    """{name: {"sha256", "episodes", "about"}}."""
    found: dict[str, dict[str, Any]] = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
    return found


def episode_set(text: str | Path) -> Path:
    """The file of a shipped set by its name ("rooms-v1-test"), or the path itself.

    Raises DatasetError for a shipped set whose bytes are not those of its hash, and a name that is neither.
    """
    index, name = shipped_sets(), str(text)
    if name not in index:
        path = Path(text)
        if not path.exists() and path.name == name and "." not in name:
            raise DatasetError(
                f"there is no episode file or set {name!r}: expected a .json.gz file or one of {', '.join(index)}."
                f"{did_you_mean(name, index)}"
            )
        if not path.exists():
            raise NoDatasetError(f"there is no episode file {path}{similar_path(path)}")
        return path
    path = FOLDER / f"{name}.json.gz"
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != index[name]["sha256"]:
        raise DatasetError(f"{path} is missing or was changed since it was released: install AVW again")
    return path
