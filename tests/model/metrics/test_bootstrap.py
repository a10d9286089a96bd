"""Bootstrap intervals against statistics: proportions, paired gains, and windows that are clustered by episode."""

from __future__ import annotations

import math

import numpy as np
import pytest

from avw.model.metrics.bootstrap import (
    Sums,
    bootstrap_difference,
    bootstrap_mean,
    clustered_difference,
    clustered_interval,
)
from avw.model.metrics.vision import psnr_from_mse
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng


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


@pytest.mark.parametrize("values", [[], [1.0, float("inf")], [float("nan")]])
def test_no_episodes_or_infinite_values_are_refused(values):
    with pytest.raises(UsageError, match="one finite number per episode"):
        bootstrap_mean(values)


def test_unpaired_episodes_are_refused():
    with pytest.raises(UsageError, match="paired episodes"):
        bootstrap_difference([1.0], [1.0, 0.0])


def test_clusters_of_equal_windows_have_the_interval_of_one_value_each():
    """Ten copies of a value say no more than the value: without clusters the interval would be 3.2 times narrower."""
    values = keyed_rng("clusters").normal(0.0, 1.0, 40)
    single = clustered_interval(Sums.of(values), range(40))
    repeated = clustered_interval(Sums.of(np.repeat(values, 10)), np.repeat(np.arange(40), 10))
    assert single is not None
    assert repeated is not None
    assert (repeated.mean, repeated.low, repeated.high) == pytest.approx((single.mean, single.low, single.high))
    assert single.count == repeated.count == 40
    half = 1.96 * values.std() / math.sqrt(40)
    assert single.high - single.low == pytest.approx(2 * half, rel=0.05)
    naive = bootstrap_mean(np.repeat(values, 10))
    assert naive.high - naive.low < 0.4 * (repeated.high - repeated.low)


def test_pooled_sums_weigh_windows_by_their_pixels():
    sums = Sums(np.array([100.0, 3.0]), np.array([100.0, 1.0]))
    assert sums.mean == pytest.approx(103 / 101)
    assert Sums.joined([sums, sums]).mean == pytest.approx(sums.mean)
    assert math.isnan(sums.where(np.zeros(2, bool)).mean)


def test_a_window_without_a_figure_does_not_count():
    sums = Sums.of(np.array([1.0, np.nan, 3.0, np.inf]))
    assert sums.mean == 2.0
    interval = clustered_interval(sums, ["a", "b", "c", "d"])
    assert interval is not None
    assert (interval.mean, interval.count) == (2.0, 2)
    assert clustered_interval(Sums.of(np.full(3, np.nan)), range(3)) is None
    assert clustered_interval(Sums.of(np.zeros(0)), []) is None


def test_psnr_is_pooled_before_the_logarithm():
    mse = Sums.of(np.array([0.0, 50.0, 100.0]))
    interval = clustered_interval(mse, range(3), transform=psnr_from_mse)
    assert interval is not None
    assert interval.mean == pytest.approx(psnr_from_mse(50.0))
    assert interval.low < interval.mean < interval.high


def test_pairing_removes_what_the_windows_have_in_common():
    difficulty = keyed_rng("mse").uniform(50.0, 400.0, 200)
    clusters = np.repeat(np.arange(20), 10)
    better, worse = Sums.of(difficulty * 10**-0.1), Sums.of(difficulty)  # 1 dB
    gain = clustered_difference(better, worse, clusters, transform=psnr_from_mse)
    assert gain is not None
    assert (gain.mean, gain.low, gain.high) == pytest.approx((1.0, 1.0, 1.0))
    back = clustered_difference(worse, better, clusters, transform=psnr_from_mse)
    assert back is not None
    assert back.mean == pytest.approx(-gain.mean)


def test_an_infinite_psnr_has_no_interval():
    """A blocked agent sees the same frame twice: without any error, two PSNRs are infinite and have no difference."""
    perfect, wrong = Sums.of(np.zeros(3)), Sums.of(np.array([0.0, 0.0, 90.0]))
    assert clustered_difference(perfect, perfect, range(3), transform=psnr_from_mse) is None
    assert clustered_interval(perfect, range(3), transform=psnr_from_mse) is None
    some = clustered_interval(wrong, range(3), transform=psnr_from_mse)
    assert some is not None
    assert np.isfinite([some.mean, some.low, some.high]).all()


def test_a_paired_difference_uses_only_windows_that_have_both():
    first, second = Sums.of(np.array([1.0, 5.0, np.nan])), Sums.of(np.array([0.0, np.nan, 7.0]))
    gain = clustered_difference(first, second, range(3))
    assert gain is not None
    assert (gain.mean, gain.count) == (1.0, 1)
    assert clustered_difference(first, Sums.of(np.full(3, np.nan)), range(3)) is None


def test_an_interval_covers_the_true_mean_about_as_often_as_it_says():
    """95 % intervals over clustered windows: of 100 draws, about 95 contain the mean 0."""
    rng = keyed_rng("coverage")
    clusters = np.repeat(np.arange(30), 5)
    inside = 0
    for _ in range(100):
        values = np.repeat(rng.normal(0.0, 1.0, 30), 5) + rng.normal(0.0, 0.3, 150)
        interval = clustered_interval(Sums.of(values), clusters)
        assert interval is not None
        inside += interval.low <= 0.0 <= interval.high
    assert 86 <= inside <= 99


def test_unequal_lengths_are_refused():
    with pytest.raises(UsageError, match="one cluster per window"):
        clustered_interval(Sums.of(np.zeros(3)), [1, 2])
    with pytest.raises(UsageError, match="paired windows"):
        clustered_difference(Sums.of(np.zeros(3)), Sums.of(np.zeros(2)), range(3))
