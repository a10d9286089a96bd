"""Ranking of candidate poses, on orders that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from avw.model.metrics.ranking import argmax_gain, distance_error, rank_correlation
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng

TRUE = np.array([[1.0, 2.0, 3.0, 4.0, 5.0]])


def test_correlation_of_known_orders():
    assert rank_correlation(TRUE**3, TRUE) == pytest.approx([1.0])
    assert rank_correlation(-TRUE, TRUE) == pytest.approx([-1.0])
    assert rank_correlation(np.array([[2.0, 1.0, 3.0, 4.0, 5.0]]), TRUE) == pytest.approx([0.9])  # 1 - 6·2 / (5·24)
    assert rank_correlation(np.full((1, 5), 7.0), TRUE) == [0.0]


def test_correlation_agrees_with_scipy_also_with_ties():
    rng = keyed_rng("ranks")
    predicted, true = rng.integers(0, 6, (8, 16)).astype(float), rng.integers(0, 9, (8, 16)).astype(float)
    expected = [spearmanr(p, t).statistic for p, t in zip(predicted, true, strict=True)]
    assert rank_correlation(predicted, true) == pytest.approx(expected)


def test_the_level_of_a_state_does_not_help():
    """Predictions that know only how far the state is have no correlation within a state."""
    true = np.arange(6.0)[:, None] * 10 + keyed_rng("levels").random((6, 16))
    level = np.repeat(true.mean(axis=1, keepdims=True), 16, axis=1)
    assert rank_correlation(level, true).tolist() == [0.0] * 6


def test_only_candidates_in_range_count():
    metres = np.array([[0.5, 1.0, 2.0, 3.0, 6.0, 6.5]])
    true = np.array([[9.0, 1.0, 2.0, 3.0, 4.0, 0.0]])
    predicted = np.array([[0.0, 1.0, 2.0, 3.0, 4.0, 9.0]])
    assert rank_correlation(predicted, true, metres) == pytest.approx([1.0])
    assert rank_correlation(predicted, true)[0] < 0.0
    assert np.isnan(rank_correlation(predicted, true, metres, low=2.0)).tolist() == [True]  # three candidates are left


def test_poses_that_cannot_be_reached_do_not_count():
    true = np.array([[1.0, 2.0, 3.0, 4.0, np.inf], [1.0, 2.0, np.nan, np.inf, np.inf]])
    predicted = np.array([[1.0, 2.0, 3.0, 4.0, 0.0]] * 2)
    correlation = rank_correlation(predicted, true)
    assert correlation[0] == pytest.approx(1.0)
    assert np.isnan(correlation[1])
    assert np.isnan(rank_correlation(TRUE, np.ones((1, 5)))).all()


def test_gain_of_the_best_candidate():
    gain, best = argmax_gain(np.array([[5.0, 1.0, 3.0, 4.0, 2.0]]), TRUE)
    assert (gain.tolist(), best.tolist()) == ([1.0], [2.0])  # mean 3, chosen 2, best 1
    gain, _ = argmax_gain(np.zeros((1, 5)), TRUE)
    assert gain == pytest.approx([0.0])  # a random choice
    assert np.isnan(argmax_gain(TRUE[:, :3], TRUE[:, :3])).all()


def test_distance_error_below_a_limit():
    error = distance_error(TRUE + 0.5, TRUE, below=4.0)
    assert (error.total_N.tolist(), error.weight_N.tolist()) == ([1.5], [3.0])
    assert distance_error(np.zeros((1, 2)), np.array([[1.0, np.inf]])).weight_N.tolist() == [1.0]


def test_unequal_shapes_are_refused():
    with pytest.raises(UsageError, match=r"\(B, K\)"):
        rank_correlation(TRUE, TRUE[0])
