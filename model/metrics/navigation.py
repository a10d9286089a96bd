"""Navigation metrics: SR, SPL, SoftSPL, SNA, DTG and NA, each with a bootstrap interval.

Definitions as in SoundSpaces (S success, l shortest geodesic path, p path walked, d geodesic distance at the end):
    SPL = S l / max(l, p) · SoftSPL = max(0, 1 - d / l) l / max(l, p) · SNA = S N_ref / max(N_ref, N)
N_ref is the number of actions of a greedy shortest-path follower up to and including its first valid STOP.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng

RESAMPLES = 10_000


class NavigationOutcome(Protocol):
    """The fields of an episode record. dtg: distance to the source at the end, metres · actions: number of actions."""

    @property
    def success(self) -> bool: ...
    @property
    def spl(self) -> float: ...
    @property
    def softspl(self) -> float: ...
    @property
    def sna(self) -> float: ...
    @property
    def dtg(self) -> float: ...
    @property
    def actions(self) -> int: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A mean with its bootstrap interval, and the number of values."""

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def spl(success: bool, shortest: float, walked: float) -> float:
    """Success weighted by path length. `shortest`, `walked`: metres."""
    return float(success) * _efficiency(shortest, walked)


def soft_spl(distance_left: float, shortest: float, walked: float) -> float:
    """SPL with the relative progress towards the source in place of success. Lengths in metres."""
    if shortest <= 0.0:
        return float(distance_left <= 0.0)
    return max(0.0, 1.0 - distance_left / shortest) * _efficiency(shortest, walked)


def sna(success: bool, reference_actions: int, actions: int) -> float:
    """Success weighted by the number of actions."""
    return float(success) * _efficiency(float(reference_actions), float(actions))


def bootstrap_mean(values: Iterable[float], *, seed: int = 0, level: float = 0.95) -> Interval:
    """The mean of `values` and its percentile bootstrap interval (10,000 resamples of episodes, seeded).

    Raises UsageError for no values or values that are not finite.
    """
    sample = _finite(values)
    means = _resampled_means(sample, seed)
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(mean=float(sample.mean()), low=float(low), high=float(high), count=len(sample))


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


def summarise(outcomes: Sequence[NavigationOutcome], *, seed: int = 0) -> dict[str, Interval]:
    """SR, SPL, SoftSPL, SNA, DTG (metres) and NA (actions) over episodes, each with its interval."""
    columns = {
        "SR": [float(o.success) for o in outcomes],
        "SPL": [o.spl for o in outcomes],
        "SoftSPL": [o.softspl for o in outcomes],
        "SNA": [o.sna for o in outcomes],
        "DTG": [o.dtg for o in outcomes],
        "NA": [float(o.actions) for o in outcomes],
    }
    return {name: bootstrap_mean(column, seed=seed) for name, column in columns.items()}


def _efficiency(shortest: float, walked: float) -> float:
    longest = max(shortest, walked)
    return shortest / longest if longest > 0.0 else 1.0


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
