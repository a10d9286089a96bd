"""How well predicted distances order the poses that an agent can reach from one state.

A planner compares candidates of one state, so what matters is the order *within* a state. A correlation over all states
together would mostly say that far states are far.

Shape legend: B states · K candidate poses of each. Distances are geodesic metres to the source; a candidate with a
distance that is not finite does not count.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from avw.model.metrics.bootstrap import Sums
from avw.sim_bridge.errors import UsageError

MIN_CANDIDATES = 4


def rank_correlation(
    predicted_BK: np.ndarray, true_BK: np.ndarray, metres_BK: np.ndarray | None = None, *, low: float = 1.0,
    high: float = 6.0,
) -> np.ndarray:  # fmt: skip
    """float64 (B,): Spearman's rank correlation of predicted and true distance over the candidates of each state.

    metres_BK: how far each candidate is from the agent; only those from `low` to `high` metres count. None: all count

    NaN for states with fewer than four candidates or with equal true distances. The correlation is 0 where all
    predictions are equal, because they order nothing.
    """
    return np.array(
        [_spearman(p[c], t[c]) for p, t, c in zip(*_prepared(predicted_BK, true_BK, metres_BK, low, high), strict=True)]
    )


def argmax_gain(
    predicted_BK: np.ndarray, true_BK: np.ndarray, metres_BK: np.ndarray | None = None, *, low: float = 1.0,
    high: float = 6.0,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Metres by which the candidate with the smallest predicted distance is closer to the source than the mean
    candidate, float64 (B,), and the same for the smallest true distance: the largest possible gain, (B,).

    Among equal predictions, the expectation of a random choice. NaN for states with fewer than four candidates.
    """
    gain_B, best_B = [], []
    for p, t, c in zip(*_prepared(predicted_BK, true_BK, metres_BK, low, high), strict=True):
        enough = c.sum() >= MIN_CANDIDATES
        gain_B.append(t[c].mean() - t[c][p[c] == p[c].min()].mean() if enough else np.nan)
        best_B.append(t[c].mean() - t[c].min() if enough else np.nan)
    return np.array(gain_B), np.array(best_B)


def distance_error(predicted_BK: np.ndarray, true_BK: np.ndarray, *, below: float = 4.0) -> Sums:
    """Absolute error in metres over the candidates whose true distance is below `below`, summed per state."""
    predicted_BK, true_BK = np.asarray(predicted_BK, np.float64), np.asarray(true_BK, np.float64)
    counted_BK = np.isfinite(true_BK) & np.isfinite(predicted_BK) & (true_BK < below)
    error_BK = np.abs(np.where(counted_BK, predicted_BK - true_BK, 0.0))
    return Sums(error_BK.sum(axis=1), counted_BK.sum(axis=1).astype(np.float64))


def _prepared(
    predicted_BK: np.ndarray, true_BK: np.ndarray, metres_BK: np.ndarray | None, low: float, high: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    predicted_BK, true_BK = np.asarray(predicted_BK, np.float64), np.asarray(true_BK, np.float64)
    if predicted_BK.shape != true_BK.shape or true_BK.ndim != 2:
        raise UsageError(f"expected two arrays (B, K) of distances, got {predicted_BK.shape} and {true_BK.shape}")
    counted_BK = np.isfinite(predicted_BK) & np.isfinite(true_BK)
    if metres_BK is not None:
        counted_BK &= (np.asarray(metres_BK) >= low) & (np.asarray(metres_BK) <= high)
    return predicted_BK, true_BK, counted_BK


def _spearman(predicted: np.ndarray, true: np.ndarray) -> float:
    if len(true) < MIN_CANDIDATES:
        return float("nan")
    a, b = (rankdata(x) - (len(x) + 1) / 2.0 for x in (predicted, true))
    if not b.any():
        return float("nan")
    return float(a @ b / np.sqrt((a @ a) * (b @ b))) if a.any() else 0.0
