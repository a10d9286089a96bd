"""The field of predicted distances."""

import numpy as np
import pytest

from avw.model.planning.distance_field import DistanceField, FieldConfig

HERE = np.zeros((1, 2))


def field(*decisions, **config) -> DistanceField:
    """A field with one prediction (distance, variance) per decision, all for the same place."""
    found = DistanceField(FieldConfig(**config))
    for distance, variance in decisions:
        found.add(HERE, np.array([distance]), np.array([variance]))
    return found


def test_a_prediction_is_returned_at_its_place():
    assert field((3.0, 1.0)).at(HERE) == pytest.approx([3.0])


def test_nothing_is_known_far_from_predictions_and_before_the_first():
    assert np.isnan(field((3.0, 1.0), reach=0.5).at(np.array([[9.0, 0.0]]))).all()
    assert np.isnan(DistanceField().at(HERE)).all()


def test_certain_predictions_count_more():
    assert field((2.0, 0.0), (4.0, 3.0), memory=1.0, doubt=1.0).at(HERE) == pytest.approx([(2.0 + 4.0 / 4) / 1.25])


def test_older_predictions_count_less():
    assert field((2.0, 0.0), (4.0, 0.0), memory=0.5).at(HERE) == pytest.approx([(0.5 * 2.0 + 4.0) / 1.5])


def test_nearer_predictions_count_more():
    found = DistanceField(FieldConfig(reach=0.5))
    found.add(np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([1.0, 2.0]), np.ones(2))
    near, middle, far = found.at(np.array([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]))
    assert middle == pytest.approx(1.5)
    assert 1.0 < near < 1.3
    assert far == pytest.approx(3.0 - near)


def test_independent_noise_averages_out():
    rng = np.random.default_rng(0)
    found = DistanceField(FieldConfig(memory=1.0))
    for noise in rng.normal(0.0, 1.0, 100):
        found.add(HERE, np.array([5.0 + noise]), np.ones(1))
    assert abs(found.at(HERE)[0] - 5.0) < 0.3
