"""Bars estimate nothing before they can, and a line says what is being done where nothing moves."""

from __future__ import annotations

import io
import time

import pytest

from avw.cli import progress
from avw.cli.progress import Bar, phase


def shown(done: int, elapsed: float) -> str:
    bar = Bar(total=100, unit="step", desc="work", file=io.StringIO(), mininterval=1e9)
    bar.start_t -= elapsed
    bar.n = done
    text = str(bar)
    bar.close()
    return text


def test_a_remaining_time_is_shown_only_when_it_means_something() -> None:
    assert "<" not in shown(1, 60.0), "one step, which includes the start"
    assert "<" not in shown(50, 2.0), "too early"
    assert "<" in shown(50, 60.0)


def test_a_line_says_what_is_done_where_nothing_moves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "STILL", 0.05)
    with phase("reading the scenes"):
        time.sleep(0.5)
    with phase("something quick"):
        pass
    with Bar(total=3, waiting="starting the workers"):
        time.sleep(0.5)
    time.sleep(0.1)
    lines = capsys.readouterr().err
    assert "avw: reading the scenes" in lines
    assert "avw: starting the workers" in lines
    assert "something quick" not in lines
