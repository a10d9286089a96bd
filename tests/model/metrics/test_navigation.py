"""The navigation metrics on examples computed by hand, and the bootstrap against statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avw.model.metrics.navigation import bootstrap_difference, bootstrap_mean, sna, soft_spl, spl, summarise
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng

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


def test_interval_of_a_proportion_agrees_with_the_normal_approximation():
    values = np.repeat([0.0, 1.0], [60, 40])
    interval = bootstrap_mean(values)
    half = 1.96 * np.sqrt(0.4 * 0.6 / 100)
    assert interval.mean == pytest.approx(0.4)
    assert interval.count == 100
    assert interval.low == pytest.approx(0.4 - half, abs=0.015)
    assert interval.high == pytest.approx(0.4 + half, abs=0.015)


def test_bootstrap_is_seeded():
    values = keyed_rng("values").random(30)
    assert bootstrap_mean(values, seed=1) == bootstrap_mean(values, seed=1)
    assert bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)


def test_pairing_shows_a_gain_that_two_separate_intervals_do_not():
    difficulty = keyed_rng("difficulty").random(50)
    better = difficulty + 0.05
    a, b = bootstrap_mean(better), bootstrap_mean(difficulty)
    assert a.low < b.high
    gain = bootstrap_difference(better, difficulty)
    assert gain.low > 0.0
    assert gain.mean == pytest.approx(0.05)


def test_a_summary_has_one_row_per_metric():
    outcomes = [
        Outcome(success=True, spl=0.5, softspl=0.6, sna=0.4, dtg=0.5, actions=80),
        Outcome(success=False, spl=0.0, softspl=0.2, sna=0.0, dtg=4.5, actions=500),
    ]
    rows = summarise(outcomes)
    means = {name: row.mean for name, row in rows.items()}
    assert means == pytest.approx({"SR": 0.5, "SPL": 0.25, "SoftSPL": 0.4, "SNA": 0.2, "DTG": 2.5, "NA": 290.0})
    assert str(rows["SR"]) == "0.500 [0.000, 1.000]"


@pytest.mark.parametrize("values", [[], [1.0, float("inf")], [float("nan")]])
def test_no_episodes_or_infinite_values_are_refused(values):
    with pytest.raises(UsageError, match="one finite number per episode"):
        bootstrap_mean(values)


def test_unpaired_episodes_are_refused():
    with pytest.raises(UsageError, match="paired episodes"):
        bootstrap_difference([1.0], [1.0, 0.0])
