"""The navigation metrics on examples computed by hand, and their summary."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avw.model.metrics.navigation import sna, soft_spl, spl, summarise

metres = st.floats(0.0, 50.0)


@dataclass(frozen=True)
class Outcome:
    success: bool
    spl: float
    softspl: float
    sna: float
    dtg: float
    actions: int


def test_by_hand():
    assert spl(True, 4.0, 8.0) == 0.5
    assert spl(True, 4.0, 3.9) == 1.0
    assert spl(False, 4.0, 4.0) == 0.0
    assert soft_spl(1.0, 4.0, 8.0) == pytest.approx(0.75 * 0.5)
    assert soft_spl(9.0, 4.0, 8.0) == 0.0
    assert soft_spl(1.0, 4.0, 8.0, at_start=10.0) == pytest.approx(0.9 * 0.5)  # of a source that comes closer
    assert sna(True, 10, 40) == 0.25
    assert sna(False, 10, 10) == 0.0


def test_an_episode_that_starts_at_the_source():
    assert spl(True, 0.0, 0.0) == 1.0
    assert spl(True, 0.0, 2.0) == 0.0
    assert soft_spl(0.0, 0.0, 0.0) == 1.0


@given(st.booleans(), metres, metres, metres)
def test_every_metric_lies_between_zero_and_one(success, left, shortest, walked):
    assert 0.0 <= spl(success, shortest, walked) <= 1.0
    assert 0.0 <= soft_spl(left, shortest, walked) <= 1.0


def test_a_summary_has_one_row_per_metric():
    outcomes = [
        Outcome(success=True, spl=0.5, softspl=0.6, sna=0.4, dtg=0.5, actions=80),
        Outcome(success=False, spl=0.0, softspl=0.2, sna=0.0, dtg=4.5, actions=500),
    ]
    rows = summarise(outcomes)
    means = {name: row.mean for name, row in rows.items()}
    assert means == pytest.approx({"SR": 0.5, "SPL": 0.25, "SoftSPL": 0.4, "SNA": 0.2, "DTG": 2.5, "NA": 290.0})
    assert str(rows["SR"]) == "0.500 [0.000, 1.000]"
