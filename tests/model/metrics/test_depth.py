"""Depth errors on depths whose error is known, with masks and holes."""

from __future__ import annotations

import numpy as np
import pytest

from avw.model.metrics.bootstrap import Sums
from avw.model.metrics.depth import abs_rel, within_ratio
from avw.sim_bridge.errors import UsageError


def test_abs_rel_of_a_constant_factor():
    true = np.full((2, 4, 4), 3.0, np.float32)
    assert abs_rel(true * 1.2, true).mean == pytest.approx(0.2)
    assert abs_rel(true * 0.9, true).mean == pytest.approx(0.1)
    assert abs_rel(true, true).mean == 0.0


def test_within_ratio_counts_both_directions():
    true = np.full((1, 1, 4), 2.0)
    predicted = np.array([[[2.4, 2.6, 1.7, 1.5]]])  # ratios 1.2, 1.3, 1.18, 1.33
    assert within_ratio(predicted, true).mean == 0.5


def test_pixels_without_true_depth_and_outside_of_the_mask_do_not_count():
    true = np.array([[[1.0, 0.0], [2.0, 4.0]]])
    predicted = np.array([[[2.0, 9.0], [2.0, 2.0]]])
    sums = abs_rel(predicted, true)
    assert (sums.total_N.tolist(), sums.weight_N.tolist()) == ([1.5], [3.0])
    masked = abs_rel(predicted, true, np.array([[[True, True], [False, False]]]))
    assert (masked.total_N.tolist(), masked.weight_N.tolist()) == ([1.0], [1.0])
    assert np.isnan(abs_rel(predicted, true, np.zeros((1, 2, 2), bool)).mean)


def test_a_missing_prediction_is_wrong():
    true = np.full((1, 2, 2), 5.0)
    assert abs_rel(np.zeros_like(true), true).mean == 1.0
    assert within_ratio(np.zeros_like(true), true).mean == 0.0


def test_seen_and_unseen_pixels_add_up():
    true = np.linspace(1.0, 6.0, 32).reshape(2, 4, 4)
    predicted, seen = true + 0.5, np.arange(32).reshape(2, 4, 4) % 3 == 0
    parts = [abs_rel(predicted, true, mask) for mask in (seen, ~seen)]
    both = Sums(parts[0].total_N + parts[1].total_N, parts[0].weight_N + parts[1].weight_N)
    assert both.mean == pytest.approx(abs_rel(predicted, true).mean)


def test_unequal_shapes_are_refused():
    with pytest.raises(UsageError, match="two depth arrays"):
        abs_rel(np.zeros((1, 2, 2)), np.zeros((1, 2, 3)))
    with pytest.raises(UsageError, match="mask"):
        within_ratio(np.ones((1, 2, 2)), np.ones((1, 2, 2)), np.ones((1, 2, 3), bool))
