"""Distance between predicted and true depth: the relative error AbsRel, and the share of pixels within 25 %.

Depths are planar z in metres; 0 means that nothing was hit, and such pixels of the *true* image do not count. Results
are sums per image, so that seen and unseen pixels can be pooled and resampled apart (`bootstrap.Sums`).

Shape legend: N images · H W pixels.
"""

from __future__ import annotations

import numpy as np

from avw.model.metrics.bootstrap import Sums
from avw.sim_bridge.errors import UsageError

RATIO = 1.25


def abs_rel(predicted_NHW: np.ndarray, true_NHW: np.ndarray, mask_NHW: np.ndarray | None = None) -> Sums:
    """|d̂ - d| / d over the pixels that have a true depth and lie in the mask."""
    predicted, true, counted = _prepared(predicted_NHW, true_NHW, mask_NHW)
    return _sums(np.abs(predicted - true) / np.where(counted, true, 1.0), counted)


def within_ratio(predicted_NHW: np.ndarray, true_NHW: np.ndarray, mask_NHW: np.ndarray | None = None) -> Sums:
    """δ < 1.25: the share of pixels with max(d̂ / d, d / d̂) < 1.25. A predicted depth of 0 or less is outside."""
    predicted, true, counted = _prepared(predicted_NHW, true_NHW, mask_NHW)
    inside = (predicted * RATIO > true) & (predicted < true * RATIO)
    return _sums(inside.astype(np.float64), counted)


def _prepared(
    predicted_NHW: np.ndarray, true_NHW: np.ndarray, mask_NHW: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    predicted, true = np.asarray(predicted_NHW, np.float64), np.asarray(true_NHW, np.float64)
    if predicted.shape != true.shape or true.ndim != 3:
        raise UsageError(f"expected two depth arrays (N, H, W), got {predicted.shape} and {true.shape}")
    counted = true > 0.0
    if mask_NHW is not None:
        if mask_NHW.shape != true.shape:
            raise UsageError(f"the mask has shape {mask_NHW.shape}, the depth {true.shape}")
        counted &= np.asarray(mask_NHW, bool)
    return predicted, true, counted


def _sums(value_NHW: np.ndarray, counted_NHW: np.ndarray) -> Sums:
    return Sums(np.where(counted_NHW, value_NHW, 0.0).sum(axis=(1, 2)), counted_NHW.sum(axis=(1, 2)).astype(np.float64))
