"""The evidence for STOP."""

import pytest

from avw.model.planning.arrival import Arrival


def evidence(*predicted: float, memory: float = 0.5) -> float:
    arrival = Arrival(memory)
    return [arrival.add(success) for success in predicted][-1]


def test_equal_predictions_are_returned():
    assert evidence(0.7) == pytest.approx(0.7)
    assert evidence(0.7, 0.7, 0.7) == pytest.approx(0.7)


def test_the_newest_prediction_counts_most():
    assert evidence(0.1, 0.9) > 0.5 > evidence(0.9, 0.1)
    assert evidence(0.1, 0.9, memory=1.0) == pytest.approx(0.5)


def test_one_extreme_prediction_does_not_decide():
    assert evidence(0.2, 0.2, 1.0) == evidence(0.2, 0.2, 0.999999)
    assert evidence(*[0.2] * 5, 1.0, memory=0.9) < 0.5
    assert evidence(0.0, 0.0, 0.0) > 0.0


def test_without_memory_only_the_newest_counts():
    assert evidence(0.1, 0.8, memory=0.0) == pytest.approx(0.8)
