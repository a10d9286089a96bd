"""From JSON values to a dataclass: every field that the class has, of the type that its annotation names, and no other.

The annotation is the schema, so a configuration has one definition and needs no reader of its own.

    from_json(TaskConfig, {"slack": "x"})    # ValueError: slack is 'x': expected a number
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

LONGEST_TEXT = 4096  # characters; the longest path of Linux
MOST_ITEMS = 1_000_000  # of a list
NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", types.NoneType: "null"}

Made = TypeVar("Made")


def from_json(kind: type[Made], values: Any, where: str = "") -> Made:
    """A `kind` (a dataclass) with the fields in `values`. where: name of the object in messages, e.g. "simulator"

    Raises ValueError for an unknown or missing field and for a value of another type, and whatever `kind` raises for a
    value that it does not allow.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{where or 'the value'} is {_shown(values)}: expected an object with fields")
    hints = _hints(kind)  # type: ignore[arg-type]
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    prefix = f"{where}." if where else ""
    for name in values:
        if name not in fields:
            raise ValueError(f"there is no field {(prefix + str(name))[:80]!r}")
    for name, field in fields.items():
        absent = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if absent and name not in values:
            raise ValueError(f"{prefix}{name} is missing")
    return kind(**{name: typed(hints[name], value, prefix + name) for name, value in values.items()})


def typed(kind: Any, value: Any, where: str) -> Any:
    """`value` as `kind`: a type, or an annotation such as `tuple[int, ...] | None`. Raises ValueError."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return from_json(kind, value, where)  # type: ignore[arg-type]
    if origin in (Union, types.UnionType):
        return _one_of(arguments, value, where)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{where} is {_shown(value)}: expected one of {', '.join(map(str, arguments))}")
        return value
    if origin in (tuple, list):
        return _sequence(origin, arguments, value, where)
    if origin is dict or (isinstance(origin, type) and issubclass(origin, Mapping)):
        if not isinstance(value, dict) or len(value) > MOST_ITEMS:
            raise ValueError(f"{where} is {_shown(value)}: expected an object with fields")
        return {str(name): typed(arguments[1], item, f"{where}.{str(name)[:40]}") for name, item in value.items()}
    return _scalar(kind, value, where)


def _scalar(kind: Any, value: Any, where: str) -> Any:
    fits = {
        bool: isinstance(value, bool),
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, int | float) and not isinstance(value, bool) and _finite(value),
        str: isinstance(value, str) and len(value) <= LONGEST_TEXT and "\0" not in value,
        types.NoneType: value is None,
    }
    if kind not in fits:
        raise TypeError(f"{where}: values of type {kind} are not read from JSON")
    if not fits[kind]:
        raise ValueError(f"{where} is {_shown(value)}: expected {NAMES[kind]}")
    return value


def _one_of(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    reasons = []  # texts: an exception that is kept keeps the callers and their files alive
    for kind in kinds:
        try:
            return typed(kind, value, where)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(reasons[0])


def _sequence(origin: type, kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, list | tuple) or len(value) > MOST_ITEMS:
        raise ValueError(f"{where} is {_shown(value)}: expected a list")
    if origin is list or (len(kinds) == 2 and kinds[1] is Ellipsis):
        each: tuple[Any, ...] = (kinds[0],) * len(value)
    else:
        each = kinds
        if len(value) != len(kinds):
            raise ValueError(f"{where} has {len(value)} items: expected {len(kinds)}")
    return origin(
        typed(kind, item, f"{where}[{number}]") for number, (kind, item) in enumerate(zip(each, value, strict=True))
    )


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return text if len(text) <= 80 else f"{text[:76]} …"
