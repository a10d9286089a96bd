"""Bootstrap intervals: of a mean, of a paired difference, and of both over windows that are clustered by episode.

Windows of one episode share the house, the source and most of what was seen, so they are not independent. Drawing
single windows with replacement would give intervals that are too narrow; here whole clusters are drawn.

Shapes: N windows · C clusters · R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng

RESAMPLES = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean with its bootstrap interval, and the number of values (of clusters, where values are clustered)."""

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap_mean(values: Iterable[float], *, seed: int = 0, level: float = 0.95) -> Interval:
    """The mean of `values` and its percentile bootstrap interval (10,000 resamples of episodes, seeded).

    Raises UsageError for no values or values that are not finite.
    """
    sample = _finite(values)
    low, high = _quantiles(_resampled_means(sample, seed), level)
    return Interval(mean=float(sample.mean()), low=low, high=high, count=len(sample))


def bootstrap_difference(
    first: Sequence[float], second: Sequence[float], *, seed: int = 0, level: float = 0.95
) -> Interval:
    """The mean of first[i] - second[i] over *paired* episodes, with its bootstrap interval.

    Pairing (same scene, start and source for both policies) removes the variance that the episodes have in common. The
    difference is significant at `level` if the interval does not contain 0. Raises UsageError for unequal lengths.
    """
    if len(first) != len(second):
        raise UsageError(f"expected paired episodes, got {len(first)} of one policy and {len(second)} of the other")
    return bootstrap_mean(np.subtract(_finite(first), _finite(second)), seed=seed, level=level)


@dataclass(frozen=True, slots=True)
class Sums:
    """A figure of every window as a sum and its weight, so that windows can be pooled: Σ total / Σ weight.

    total_N, weight_N: float64. A window without a figure (no such pixels, an inaudible clip) has weight 0
    """

    total_N: np.ndarray
    weight_N: np.ndarray

    @classmethod
    def of(cls, values_N: np.ndarray) -> Sums:
        """One value per window, all of the same weight; NaN and infinity mean that there is none."""
        values_N = np.asarray(values_N, np.float64)
        present_N = np.isfinite(values_N)
        return cls(np.where(present_N, values_N, 0.0), present_N.astype(np.float64))

    @classmethod
    def joined(cls, parts: Sequence[Sums]) -> Sums:
        """The windows of several batches."""
        return cls(np.concatenate([p.total_N for p in parts]), np.concatenate([p.weight_N for p in parts]))

    @property
    def mean(self) -> float:
        """The pooled mean; NaN if no window has a figure."""
        weight = float(self.weight_N.sum())
        return float(self.total_N.sum()) / weight if weight > 0.0 else float("nan")

    def where(self, chosen_N: np.ndarray) -> Sums:
        """The same windows, with weight 0 where `chosen_N` is False."""
        return Sums(np.where(chosen_N, self.total_N, 0.0), np.where(chosen_N, self.weight_N, 0.0))


def clustered_interval(
    sums: Sums,
    clusters_N: Sequence[Hashable],
    *,
    transform: Callable[[float], float] = float,
    seed: int = 0,
    level: float = 0.95,
) -> Interval | None:
    """`transform` of the pooled mean, with the interval of resampled clusters. None if no window has a figure.

    transform: e.g. `psnr_from_mse`, so that the squared error is pooled before it becomes a PSNR
    """
    return _clustered((sums,), clusters_N, lambda means: _each(transform, means[0]), seed, level)


def clustered_difference(
    first: Sums,
    second: Sums,
    clusters_N: Sequence[Hashable],
    *,
    transform: Callable[[float], float] = float,
    seed: int = 0,
    level: float = 0.95,
) -> Interval | None:
    """transform(pooled first) - transform(pooled second) over the same windows, with the interval over clusters.

    Only windows that have a figure of both are used, and every resample draws the same clusters for both, so that the
    variance that they have in common cancels. None if there is no such window.
    """
    if len(first.total_N) != len(second.total_N):
        raise UsageError(f"expected paired windows, got {len(first.total_N)} and {len(second.total_N)}")
    both_N = (first.weight_N > 0.0) & (second.weight_N > 0.0)
    pair = first.where(both_N), second.where(both_N)
    return _clustered(
        pair, clusters_N, lambda means: _each(transform, means[0]) - _each(transform, means[1]), seed, level
    )


def _clustered(
    sums: tuple[Sums, ...],
    clusters_N: Sequence[Hashable],
    statistic: Callable[[np.ndarray], np.ndarray],
    seed: int,
    level: float,
) -> Interval | None:
    """The interval of a statistic of pooled means, over resamples of the clusters that have a figure.

    statistic: (sums, R) → (R,)
    """
    if any(len(part.total_N) != len(clusters_N) for part in sums):
        raise UsageError(f"expected one cluster per window, got {len(clusters_N)} for {len(sums[0].total_N)} windows")
    numbers: dict[Hashable, int] = {}
    index_N = np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters_N], dtype=np.int64)
    columns = [np.bincount(index_N, x, len(numbers)) for part in sums for x in (part.total_N, part.weight_N)]
    present_C = np.logical_and.reduce([weight_C > 0.0 for weight_C in columns[1::2]]) if numbers else np.zeros(0, bool)
    count = int(present_C.sum())
    if count == 0:
        return None
    table_CX = np.stack([column[present_C] for column in columns], axis=1)
    rng = keyed_rng(seed, "bootstrap", "clusters", count)
    resampled_RX = rng.multinomial(count, np.full(count, 1.0 / count), RESAMPLES) @ table_CX
    rows_RX = np.concatenate([table_CX.sum(axis=0, keepdims=True), resampled_RX])  # the first row: the sample itself
    with np.errstate(invalid="ignore"):  # the PSNR of a resample without any error is infinite; it is dropped below
        mean, *values = statistic((rows_RX[:, 0::2] / rows_RX[:, 1::2]).T)
    values_R = np.array(values)
    values_R = values_R[np.isfinite(values_R)]
    if not np.isfinite(mean) or not len(values_R):
        return None
    low, high = _quantiles(values_R, level)
    return Interval(mean=float(mean), low=low, high=high, count=count)


def _each(transform: Callable[[float], float], values_R: np.ndarray) -> np.ndarray:
    return values_R if transform is float else np.array([transform(value) for value in values_R.tolist()])


def _quantiles(values_R: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(values_R, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def _finite(values: Iterable[float]) -> np.ndarray:
    sample = np.asarray(list(values), dtype=np.float64)
    if sample.ndim != 1 or len(sample) == 0 or not np.isfinite(sample).all():
        raise UsageError(
            f"expected one finite number per episode and at least one episode, got {len(sample)} values"
            " (an infinite distance means that start and source are on separate parts of the floor)"
        )
    return sample


def _resampled_means(sample_N: np.ndarray, seed: int) -> np.ndarray:
    rng = keyed_rng(seed, "bootstrap", len(sample_N))
    # In blocks, because 10,000 resamples of 10,000 episodes would need 800 MB.
    block = max(1, min(RESAMPLES, 4_000_000 // len(sample_N)))
    means = [
        sample_N[rng.integers(0, len(sample_N), (min(block, RESAMPLES - start), len(sample_N)))].mean(axis=1)
        for start in range(0, RESAMPLES, block)
    ]
    return np.concatenate(means)
