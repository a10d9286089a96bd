"""Where two configurations differ, field by field, for messages about a folder that holds another one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LONGEST = 80  # characters of a value in a message


def config_differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(name, value in the first, value in the second) of each field of two JSON objects that differs, by name.

    Fields of nested objects are named "simulator.size". Long values are shortened; a missing one is None.
    """
    mine, theirs = _flat(first), _flat(second)
    names = sorted(name for name in mine | theirs if mine.get(name) != theirs.get(name))
    return [(name, _shown(mine.get(name)), _shown(theirs.get(name))) for name in names]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = json.dumps(value)
    return flat


def _shown(text: str | None) -> str:
    if text is None:
        return "None"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} …]"
