"""Navigation metrics: SR, SPL, SoftSPL, SNA, DTG and NA, each with a bootstrap interval.

Definitions as in SoundSpaces (S success, l shortest geodesic path, p path walked, d geodesic distance at the end):
    SPL = S l / max(l, p) · SoftSPL = max(0, 1 - d / l) l / max(l, p) · SNA = S N_ref / max(N_ref, N)
N_ref is the number of actions of a greedy shortest-path follower up to and including its first valid STOP.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from avw.model.metrics.bootstrap import Interval, bootstrap_mean


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


def spl(success: bool, shortest: float, walked: float) -> float:
    """Success weighted by path length. `shortest`, `walked`: metres."""
    return float(success) * _efficiency(shortest, walked)


def soft_spl(distance_left: float, shortest: float, walked: float, at_start: float | None = None) -> float:
    """SPL with the relative progress towards the source in place of success. Lengths in metres.

    at_start: distance to the source at the start, where the shortest walk has another length: to a source that moves
    """
    at_start = shortest if at_start is None else at_start
    if at_start <= 0.0:
        return float(distance_left <= 0.0)
    return max(0.0, 1.0 - distance_left / at_start) * _efficiency(shortest, walked)


def sna(success: bool, reference_actions: int, actions: int) -> float:
    """Success weighted by the number of actions."""
    return float(success) * _efficiency(float(reference_actions), float(actions))


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
