"""JSON values become a dataclass only if every field fits its annotation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from avw.sim_bridge.storage.typed_json import from_json


@dataclass(frozen=True)
class Inner:
    number: float = 1.0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outer:
    count: int
    inner: Inner
    pair: tuple[int, float] = (1, 2.0)
    mode: Literal["a", "b"] = "a"
    maybe: str | None = None
    table: dict[str, tuple[float, ...]] | None = None
    free: Any = None


GOOD: dict[str, Any] = {"count": 3, "inner": {"number": 2, "names": ["x"]}}


def test_a_valid_value_becomes_the_dataclass() -> None:
    values = {**GOOD, "pair": [4, 5], "mode": "b", "table": {"x": [1, 2.5]}, "free": [{}]}
    made = from_json(Outer, values)
    assert made == Outer(
        count=3, inner=Inner(2, ("x",)), pair=(4, 5), mode="b", table={"x": (1, 2.5)}, free=[{}]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"count": "3"}, "count is '3': expected a whole number"),
        ({"count": True}, "count is True: expected a whole number"),
        ({"count": 3.0}, "count is 3.0: expected a whole number"),
        ({"inner": 1}, "inner is 1: expected an object"),
        ({"inner": {"number": "x"}}, "inner.number is 'x': expected a number"),
        ({"inner": {"number": float("nan")}}, "inner.number is nan"),
        ({"inner": {"number": 10**400}}, "inner.number is "),
        ({"inner": {"names": "x"}}, "inner.names is 'x': expected a list"),
        ({"inner": {"names": ["x", 1]}}, r"inner.names\[1\] is 1: expected a text"),
        ({"inner": {"names": ["a\0b"]}}, r"inner.names\[0\]"),
        ({"inner": {"names": ["x" * 5000]}}, r"inner.names\[0\]"),
        ({"inner": {"other": 1}}, "there is no field 'inner.other'"),
        ({"pair": [1]}, "pair has 1 items: expected 2"),
        ({"mode": "c"}, "mode is 'c': expected one of a, b"),
        ({"maybe": 1}, "maybe is 1: expected a text"),
        ({"table": {"x": [None]}}, r"table.x\[0\] is None"),
        ({"more": 1}, "there is no field 'more'"),
    ],
)
def test_anything_else_is_refused_with_its_place(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_json(Outer, {**GOOD, **change})


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ValueError, match="count is missing"):
        from_json(Outer, {"inner": {}})
