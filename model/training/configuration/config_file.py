"""A configuration from a file: `avw train --config FILE.toml`, with any field of `TrainConfig`.

    learning_rate = 2e-4
    precision = "bf16"

    [net]
    prior = "none"

    [steps]
    1 = 20000

The config.json of a run is accepted too, so that a training can be repeated with a change.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from avw.model.training.configuration.config import TrainConfig
from avw.model.training.configuration.overrides import unknown_field
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.storage.small_files import as_object, read_json, read_text
from avw.sim_bridge.storage.typed_json import typed

Config = TypeVar("Config")
LARGEST = 2**20  # bytes


def from_file(config: TrainConfig, path: Path) -> TrainConfig:
    """The configuration with the fields of the file. Raises UsageError for a file or a field that is not valid."""
    try:
        if path.suffix == ".json":
            values: Any = as_object(read_json(path, LARGEST)).get("train")
            if not isinstance(values, Mapping):
                raise ValueError("it is not the config.json of a training")
        else:
            values = tomllib.loads(read_text(path, LARGEST))
        return _with(config, values, "")
    except FileNotFoundError:
        raise UsageError(f"--config {path}: this file does not exist") from None
    except (OSError, ValueError, UsageError) as error:
        raise UsageError(f"--config {path}: {error}") from error


def _with(config: Config, values: Mapping[str, Any], prefix: str) -> Config:
    hints = get_type_hints(type(config))
    names = {field.name for field in fields(config)}  # type: ignore[arg-type]
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if name not in names:
            raise ValueError(unknown_field(config, name, prefix))
        old, where = getattr(config, name), prefix + name
        if is_dataclass(old):
            if not isinstance(value, Mapping):
                raise ValueError(f"{where} is {value!r}: expected a table [{where}] with fields")
            changes[name] = _with(old, value, f"{where}.")
        elif isinstance(old, dict):
            changes[name] = _steps(old, value, where)
        else:
            changes[name] = typed(hints[name], value, where)
            if isinstance(old, float) and isinstance(changes[name], int):
                changes[name] = float(changes[name])
    return replace(config, **changes)  # type: ignore[type-var]


def _steps(old: dict[str, int], value: Any, where: str) -> dict[str, int]:
    given = typed(dict[str, int], value, where)
    if wrong := sorted(set(given) - set(old)):
        raise ValueError(f"{where} has no stage {wrong[0]!r}: expected some of {', '.join(old)}")
    if any(count < 0 for count in given.values()):
        raise ValueError(f"{where}: expected numbers of at least 0")
    return old | given
