"""Changes of single fields of a training configuration: `avw train --set net.prior=none --set net.sound_memory=0`."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from avw.model.training.configuration.config import TrainConfig
from avw.sim_bridge.errors import UsageError


def with_overrides(config: TrainConfig, settings: Sequence[str]) -> TrainConfig:
    """The configuration with every "field=value" or "part.field=value" of `settings` applied, in order.

    A value has the type of the one that it replaces: a number, true or false, a word, or numbers or words between
    commas. Raises UsageError for a field that does not exist and for a value of another type.
    """
    for setting in settings:
        path, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting}: expected FIELD=VALUE, e.g. --set net.prior=none")
        config = _replaced(config, path.strip().split("."), value.strip(), setting)
    return config


def unknown_field(config: Any, name: str, prefix: str = "") -> str:
    """A sentence about a field that `config` does not have, with the nearest one, of it or of a part of it."""
    known = list(_paths(config))
    close = difflib.get_close_matches(name, known, n=1)
    # "prior" means net.prior: the last word decides.
    close = close or [path for path in known if path.split(".")[-1] == name]
    if not close:
        nearest = difflib.get_close_matches(name, [path.split(".")[-1] for path in known], n=1)
        close = [path for path in known if nearest and path.split(".")[-1] == nearest[0]]
    names = [field.name for field in fields(config)]
    hint = f"did you mean {prefix}{close[0]}?" if close else f"expected one of {', '.join(names)}"
    return f"there is no field {prefix + name!r}; {hint}"


def _paths(config: Any, prefix: str = "") -> Iterator[str]:
    """The names of all fields, those of parts with the name of the part before a point."""
    for field in fields(config):
        yield prefix + field.name
        if is_dataclass(value := getattr(config, field.name)):
            yield from _paths(value, f"{prefix}{field.name}.")


def _replaced(config: Any, path: list[str], value: str, setting: str, prefix: str = "") -> Any:
    name, *rest = path
    if name not in [field.name for field in fields(config)]:
        raise UsageError(f"--set {setting}: {unknown_field(config, name, prefix)}")
    old = getattr(config, name)
    if rest:
        if not is_dataclass(old):
            raise UsageError(f"--set {setting}: {name} has no fields of its own")
        return replace(config, **{name: _replaced(old, rest, value, setting, f"{prefix}{name}.")})
    if is_dataclass(old) or isinstance(old, dict):
        inner = "steps have their own option --steps" if isinstance(old, dict) else f"name a field of it: {name}.FIELD"
        raise UsageError(f"--set {setting}: {name} cannot be replaced as a whole; {inner}")
    try:
        return replace(config, **{name: _parsed(value, old)})
    except (TypeError, ValueError, UsageError) as error:
        raise UsageError(f"--set {setting}: {error}") from error


def _parsed(text: str, old: Any) -> Any:
    """`text` as a value of the type of `old`."""
    if isinstance(old, tuple):
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return tuple(_parsed(part, old[0] if old else "") for part in parts)
    if isinstance(old, bool):
        if text.lower() not in ("true", "false"):
            raise ValueError(f"expected true or false, got {text!r}")
        return text.lower() == "true"
    if isinstance(old, int | float) or old is None:
        try:
            number = json.loads(text)
        except ValueError:
            number = None
        whole = isinstance(old, int) or old is None
        if isinstance(number, bool) or not isinstance(number, int if whole else int | float):
            raise ValueError(f"expected a {'whole ' if whole else ''}number, got {text!r}")
        return number if whole else float(number)
    return text
