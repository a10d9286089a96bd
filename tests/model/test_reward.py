"""The reward histogram: expected distance, P(success), and its loss."""

from __future__ import annotations

import pytest
import torch

from avw.model.reward import COARSE_EDGES, DISTANCE_EDGES, RewardPrediction, bin_centres, distance_loss


def certain(distance: float, edges: tuple[float, ...]) -> RewardPrediction:
    """A histogram with two bins whose expected value is `distance`."""
    centres = bin_centres(edges)
    upper = next(i for i, centre in enumerate(centres) if centre > distance)
    share = (distance - centres[upper - 1]) / (centres[upper] - centres[upper - 1])
    p = torch.zeros(len(centres))
    p[upper - 1], p[upper] = 1 - share, share
    return RewardPrediction(None, p.clamp(min=1e-30).log().view(1, 1, -1), edges)


@pytest.mark.parametrize("edges", [COARSE_EDGES, DISTANCE_EDGES])
@pytest.mark.parametrize("distance", [0.3, 0.9, 2.2, 7.7, 11.0])
def test_the_best_histogram_has_the_true_expected_distance(edges: tuple[float, ...], distance: float) -> None:
    best = certain(distance, edges)
    assert float(best.distance_BK) == pytest.approx(distance, abs=1e-4)
    truth = torch.tensor([[distance]])
    for other in (0.5 * distance, 1.3 * distance):
        assert float(distance_loss(best, truth)) < float(distance_loss(certain(other, edges), truth))


def test_success_is_the_mass_below_one_metre() -> None:
    logits = torch.full((1, 1, len(DISTANCE_EDGES) + 1), -30.0)
    logits[..., 3], logits[..., 4] = torch.tensor(0.75).log(), torch.tensor(0.25).log()  # 0.75-1 m and 1-1.25 m
    reward = RewardPrediction(None, logits, DISTANCE_EDGES)
    assert float(reward.success_BK()) == pytest.approx(0.75, abs=1e-5)
    assert float(reward.success_BK(temperature=2.0)) == pytest.approx(3**0.5 / (1 + 3**0.5), abs=1e-5)


def test_distances_beyond_the_last_edge_have_a_finite_loss() -> None:
    reward = RewardPrediction(None, torch.zeros(1, 2, len(DISTANCE_EDGES) + 1), DISTANCE_EDGES)
    assert torch.isfinite(distance_loss(reward, torch.tensor([[0.0, 300.0]])))
