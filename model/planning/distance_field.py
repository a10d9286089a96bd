"""A field over the map: how far it is from any place to the source, from the predictions of all decisions so far.

Each decision predicts distances for many poses. A prediction counts for the places near its pose; certain and new ones
count more. The predictions of one decision err together, so the field averages over decisions in different places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldConfig:
    """reach: metres; a prediction for one pose counts exp(-d² / 2 reach²) at d metres from it
    memory: share of its weight that a prediction keeps per decision
    doubt: square metres that are added to the variance of every prediction
    """

    reach: float = 0.5
    memory: float = 0.97
    doubt: float = 0.5


class DistanceField:
    """Places are (forward, left) metres in a fixed frame."""

    def __init__(self, config: FieldConfig | None = None) -> None:
        self.config = config or FieldConfig()
        self.place_N2 = np.zeros((0, 2))
        self.distance_N = np.zeros(0)
        self.weight_N = np.zeros(0)

    def add(self, place_K2: np.ndarray, distance_K: np.ndarray, variance_K: np.ndarray) -> None:
        """Add the predictions of a decision: expected metres to the source and their variance."""
        c = self.config
        kept = self.weight_N * c.memory
        weight_K = 1.0 / (np.asarray(variance_K) + c.doubt)
        keep = kept > 1e-3 * weight_K.max(initial=0.0)
        self.place_N2 = np.concatenate([self.place_N2[keep], place_K2])
        self.distance_N = np.concatenate([self.distance_N[keep], distance_K])
        self.weight_N = np.concatenate([kept[keep], weight_K])

    def at(self, place_K2: np.ndarray) -> np.ndarray:
        """Expected metres to the source from places, float64 (K,); NaN where nothing was predicted nearby."""
        squared_KN = np.square(np.asarray(place_K2)[:, None] - self.place_N2[None]).sum(-1)
        weight_KN = np.exp(-0.5 * squared_KN / self.config.reach**2) * self.weight_N
        total_K = weight_KN.sum(1)
        with np.errstate(invalid="ignore"):
            return np.asarray((weight_KN @ self.distance_N) / np.where(total_K > 1e-6, total_K, np.nan))
