"""The folder of a run: what `avw train`, `avw evaluate` and `avw navigate` have written into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import CheckpointError


def is_run(folder: Path) -> bool:
    """Whether a folder contains results of a run (and is not a dataset)."""
    return folder.is_dir() and not (folder / "info.json").is_file() and any(folder.glob("*.json"))


def run_summary(folder: Path) -> dict[str, Any]:
    """The configuration and the evaluation of a run, and its files with their sizes. JSON values.

    Raises CheckpointError for a file that is not valid JSON.
    """
    values: dict[str, Any] = {"path": str(folder)}
    for name in ("config.json", "evaluation.json"):
        path = folder / name
        if path.is_file():
            try:
                values[path.stem] = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise CheckpointError(
                    f"{path} is not valid JSON ({error}). It was changed, or the disk was full when it was written"
                ) from error
    values["files"] = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}
    return values
