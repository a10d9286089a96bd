"""samples.json of a run: the predicted futures that `avw evaluate` has written. The viewer and the report read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.paths import plain_name
from avw.sim_bridge.storage.small_files import as_object, read_json
from avw.sim_bridge.storage.typed_json import typed

FOLDER, FILE = "samples", "samples.json"
FIELDS: dict[str, Any] = {
    "name": str,
    "scene": str,
    "mode": str,
    "episode": int,
    "step": int,
    "steps": int,
    "rule": str,
    "change": float,
    "coverage": float,
    "true_progress": tuple[float, ...] | None,
    "imagined_progress": tuple[float, ...] | None,
}


def read_samples(folder: Path) -> dict[str, dict[str, Any]]:
    """{name: what is known about it} of the samples in a folder; {} if there are none.

    Raises DatasetError for a file with other fields or types, and for a name that leads elsewhere.
    """
    path = folder / FILE
    try:
        rows = read_json(path)
        if not isinstance(rows, list):
            raise ValueError("not a list")
        return {plain_name(row.get("name")): _checked(row) for row in map(as_object, rows)}
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DatasetError(
            f"{path} is not a list of samples ({error}); it was altered; to write it again, type: avw evaluate"
        ) from error


def _checked(row: dict[str, Any]) -> dict[str, Any]:
    for name, value in row.items():
        if name not in FIELDS:
            raise ValueError(f"there is no field {name[:80]!r}")
        typed(FIELDS[name], value, name)
    return {"scene": "", "mode": "", "episode": 0, "step": 0} | row
