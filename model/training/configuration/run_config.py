"""The configuration that is saved with a run, and the check that a command continues the run of a folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from avw.avw4k.reading.dataset import Dataset
from avw.model import checkpoint
from avw.model.av_cdit import AvCditConfig
from avw.model.run_folder import read_result_object
from avw.model.training.configuration.config import RUNNING, TrainConfig
from avw.sim_bridge.config_differences import config_differences
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.storage.atomic_write import atomic_write


def claim(out: Path, config: TrainConfig, dataset: Dataset) -> None:
    """Make `out` the folder of this training, and save the configuration as config.json.

    Fields that do not change the result (RUNNING) may differ from those of an interrupted run. Raises UsageError if the
    folder holds a run with another configuration.
    """
    wanted = {
        "train": checkpoint.as_json(config),
        "dataset": fingerprint(dataset),
        "data": str(dataset.path),
        # A run and its data are often copied together, to another machine or folder.
        "data_from_run": os.path.relpath(dataset.path.resolve(), out.resolve()),
    }
    path = out / "config.json"
    if path.exists():
        found = read_result_object(path)
        differing = config_differences(_compared(found), _compared(wanted))
        if differing:
            name, old, new = differing[0]
            raise UsageError(
                f"{out} holds a run with {name} = {old}, but this command has {new}. Choose another --out, delete the "
                "folder, or repeat the command that started the run to resume it"
            )
        if found == wanted:
            return
    atomic_write(path, json.dumps(wanted, indent=2))


def _compared(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of config.json that decides what is trained. Fields that an older version did not have get defaults."""
    found = document.get("train")
    defaults = checkpoint.as_json(TrainConfig(net=AvCditConfig()))
    values = _filled(found, defaults) if isinstance(found, Mapping) else {}
    return {
        "train": {name: value for name, value in values.items() if name not in RUNNING},
        "dataset": document.get("dataset"),
    }


def _filled(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    filled = {**defaults, **values}
    return {
        name: _filled(value, defaults[name])
        if isinstance(value, Mapping) and isinstance(defaults.get(name), Mapping) and name != "steps"
        else value
        for name, value in filled.items()
    }


def fingerprint(dataset: Dataset) -> str:
    """Identifies the data: the spec determines every byte, and the count is the number of episodes written so far."""
    return f"{dataset.spec.sha256}:{len(dataset.episodes())}"
