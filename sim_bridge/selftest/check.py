"""One check of the self-test: what was expected, what was measured, and how to fix a failure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from avw.sim_bridge.acoustics.engine import AcousticEngine
from avw.sim_bridge.errors import AvwError

EngineMaker = Callable[..., AcousticEngine]
"""Makes an engine for a scene; for AVW's own engine, fields of EmittersConfig may follow the scene."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """An expectation and its result. `fix` says what to do if `ok` is False."""

    name: str
    expected: str
    measured: str
    ok: bool
    fix: str
    seconds: float = 0.0


def run_check(check: Callable[[Any], Check], make: Any) -> Check:
    """The result of a check and the time it took. An AvwError that it raises is a failure."""
    begin = time.perf_counter()
    try:
        result = check(make)
    except AvwError as error:
        name = check.__name__.replace("_", " ")
        result = Check(name=name, expected="an answer", measured="none", ok=False, fix=str(error))
    return replace(result, ok=bool(result.ok), seconds=time.perf_counter() - begin)
