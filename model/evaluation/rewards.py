"""How well the predicted distance orders the places that can be reached from one state.

Needs the counterfactual poses of datasets with schema 3: 16 random reachable poses around each frame, with their
geodesic distance to the source.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from avw.model.evaluation.horizons import as_json
from avw.model.evaluation.measures import NEAR, rounded
from avw.model.evaluation.source import Candidates, Source
from avw.model.metrics.bootstrap import Sums, clustered_interval
from avw.model.metrics.ranking import argmax_gain, distance_error, rank_correlation

LOW, HIGH = 1.0, 6.0  # metres from the agent to the candidates


def measure_ranking(source: Source, states: int, *, batch: int = 32) -> dict[str, Any] | str:
    """The "ranking" part of evaluation.json, or why it is not available.

    rank_correlation: Spearman's, mean over states · argmax_gain: metres by which the candidate with the smallest
    predicted distance is closer to the source than the mean candidate; possible_gain: that of the best candidate
    distance_error: metres, over candidates with a true distance below 4 m
    """
    windows = source.windows
    t_N = windows.at(1, states).context_BT[:, -1]
    parts: list[Candidates] = []
    for first in range(0, len(t_N), batch):
        candidates = source.rank(t_N[first : first + batch])
        if candidates is None:
            return (
                "the dataset has no counterfactual poses (schema 3); generate it again: avw generate "
                f"{windows.dataset.path.name}"
            )
        parts.append(candidates)
    predicted, true, metres = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("predicted_BN", "true_BN", "metres_BN")
    )
    correlation_N = rank_correlation(predicted, true, metres, low=LOW, high=HIGH)
    gain_N, best_N = argmax_gain(predicted, true, metres, low=LOW, high=HIGH)
    episodes = [windows.episodes[number].index for number in windows.episode_F[t_N].tolist()]
    columns = {
        "rank_correlation": Sums.of(correlation_N),
        "argmax_gain": Sums.of(gain_N),
        "possible_gain": Sums.of(best_N),
        "distance_error": distance_error(predicted, true, below=NEAR),
    }
    found: dict[str, Any] = {"states": int(np.isfinite(correlation_N).sum()), "metres": [LOW, HIGH]}
    for name, sums in columns.items():
        interval = clustered_interval(sums, episodes)
        found[name] = rounded(sums.mean)
        found[f"{name}_interval"] = None if interval is None else as_json(interval)[1:]
    return found
