"""The ranking of candidate poses, with known predictions; and datasets that have none."""

from __future__ import annotations

import numpy as np
import pytest

from avw.avw4k.reading.dataset import Dataset
from avw.model.evaluation.rewards import measure_ranking
from avw.model.evaluation.source import Candidates
from avw.sim_bridge.randomness import keyed_rng
from tests.model.evaluation.scripted import ScriptedSource


class Ranking(ScriptedSource):
    """Candidates whose predicted distance is the true one, plus noise."""

    noise = 0.0

    def rank(self, t_B: np.ndarray) -> Candidates:
        rng = keyed_rng("candidates", int(t_B[0]))
        true = rng.uniform(0.5, 9.0, (len(t_B), 16))
        metres = rng.uniform(0.5, 6.5, true.shape)
        return Candidates(true + self.noise * rng.standard_normal(true.shape) + 0.25, true, metres)


def test_perfect_predictions_rank_perfectly(dataset: Dataset):
    found = measure_ranking(Ranking(dataset), 20, batch=6)
    assert isinstance(found, dict)
    assert (found["states"], found["rank_correlation"], found["rank_correlation_interval"]) == (20, 1.0, [1.0, 1.0])
    assert found["argmax_gain"] == found["possible_gain"] > 1.0
    assert found["distance_error"] == pytest.approx(0.25)


def test_noise_lowers_the_correlation_and_the_gain(dataset: Dataset):
    source = Ranking(dataset)
    source.noise = 6.0
    found = measure_ranking(source, 20)
    assert isinstance(found, dict)
    low, high = found["rank_correlation_interval"]
    assert low < found["rank_correlation"] < high < 0.8
    assert found["argmax_gain"] < found["possible_gain"]


def test_a_dataset_without_candidates_says_so(dataset: Dataset):
    found = measure_ranking(ScriptedSource(dataset), 5)
    assert isinstance(found, str)
    assert "schema 3" in found
