"""The belief about the source: its features, its loss, and that bearings from several places triangulate."""

from __future__ import annotations

import math

import pytest
import torch

from avw.model.source_belief import (
    BEARINGS,
    RADII,
    RANGES,
    SourceBelief,
    SourceField,
    belief_features,
    belief_loss,
)


def certain(ring: int, spoke: int) -> SourceBelief:
    """The source is in one cell."""
    field = SourceField(3, 8)
    log_p = torch.full((1, len(RANGES) * BEARINGS), -60.0)
    log_p[0, ring * BEARINGS + spoke] = 0.0
    return SourceBelief(log_p, field.cell_G2)


def test_features_are_the_distance_and_bearing_of_the_source_from_each_pose() -> None:
    belief = certain(4, 6)  # 2.1 m to the left
    motion = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 1.1, 0.0], [0.0, 0.0, math.pi / 2]]])
    found = belief_features(belief, motion)[0]
    distance, harmonics = 4 * found[:, len(RADII)], found[:, len(RADII) + 2 :]
    torch.testing.assert_close(distance, torch.tensor([2.1, 1.0, 2.1]), atol=1e-3, rtol=0)
    torch.testing.assert_close(
        harmonics[:, 0], torch.tensor([0.0, 0.0, 1.0]), atol=1e-4, rtol=0
    )  # cosine of the bearing
    torch.testing.assert_close(harmonics[:, 1], torch.tensor([1.0, 1.0, 0.0]), atol=1e-4, rtol=0)  # sine: left positive
    assert found[1, : len(RADII)].argmax() == RADII.index(1.0)


@pytest.mark.parametrize(("ring", "spoke"), [(0, 0), (5, 7), (10, 23)])
def test_the_loss_is_least_for_the_true_place(ring: int, spoke: int) -> None:
    angle = 2 * math.pi * spoke / BEARINGS
    source = RANGES[ring] * torch.tensor([[math.cos(angle), math.sin(angle)]])
    right = belief_loss(certain(ring, spoke), source)
    assert float(right) == pytest.approx(0.0, abs=0.01)
    assert belief_loss(certain(ring, (spoke + 1) % BEARINGS), source) > 10
    # Between two cells, a belief in both is better than one in either.
    between = 0.5 * (RANGES[4] + RANGES[5]) * torch.tensor([[1.0, 0.0]])
    both = SourceBelief(
        torch.logaddexp(certain(4, 0).log_p_BG, certain(5, 0).log_p_BG) - math.log(2), certain(0, 0).cell_G2
    )
    assert belief_loss(both, between) < belief_loss(certain(4, 0), between)


def test_bearings_from_two_places_learn_to_triangulate() -> None:
    """Steps that know only the bearing: after training, the belief also knows the distance."""
    generator = torch.Generator().manual_seed(0)

    def draw(count: int) -> tuple[torch.Tensor, ...]:
        source = torch.rand(count, 2, generator=generator) * 6 - 3
        past = torch.cat([torch.rand(count, 8, 2, generator=generator) * 6 - 3, torch.zeros(count, 8, 1)], -1)
        away = source[:, None] - past[..., :2]
        bearing = torch.atan2(away[..., 1], away[..., 0])
        return source, past, torch.stack([bearing.cos(), bearing.sin()], -1), torch.zeros(count, 8)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        field = SourceField(2, 16)
    optimizer = torch.optim.Adam(field.parameters(), lr=1e-2)
    for _ in range(120):
        source, past, heard, age = draw(64)
        loss = belief_loss(field(heard, past, age), source)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source, past, heard, age = draw(200)
    with torch.no_grad():
        belief = field(heard, past, age)
    place = belief.cell_G2[belief.log_p_BG.argmax(-1)]
    error = (place - source).norm(dim=-1).median()
    assert error < 0.6  # cells are up to 0.9 m apart
    absent = field(heard, past, -torch.ones_like(age))
    torch.testing.assert_close(absent.log_p_BG[0], absent.log_p_BG[1])  # without steps: the prior


@pytest.mark.parametrize("layers", [0, 2])
def test_steps_that_are_not_there_say_nothing(layers: int) -> None:
    torch.manual_seed(0)
    field = SourceField(3, 16, layers=layers).requires_grad_(False)
    heard, past, age = torch.randn(2, 6, 3), torch.randn(2, 6, 3), torch.arange(6.0).repeat(2, 1)
    age[:, 4:] = -1.0
    other_heard, other_past = heard.clone(), past.clone()
    other_heard[:, 4:], other_past[:, 4:] = 9.0, 1.0
    torch.testing.assert_close(field(heard, past, age).log_p_BG, field(other_heard, other_past, age).log_p_BG)
    # The ones that are there do.
    other_heard[:, 3] += 1.0
    assert not torch.allclose(field(heard, past, age).log_p_BG, field(other_heard, past, age).log_p_BG, atol=1e-3)


def test_what_a_sound_says_depends_on_the_other_sounds_only_with_attention() -> None:
    """Without attention between steps, evidence adds up: one step makes the same change beside any other."""

    def change(layers: int, other: float) -> torch.Tensor:
        torch.manual_seed(0)
        field = SourceField(1, 16, layers=layers).requires_grad_(False)
        past, age = torch.zeros(1, 2, 3), torch.arange(2.0)[None]
        quiet, loud = (field(torch.tensor([[[x], [other]]]), past, age).log_p_BG for x in (0.0, 1.0))
        return (loud - quiet) - (loud - quiet).mean()

    torch.testing.assert_close(change(0, 0.0), change(0, 3.0), atol=1e-4, rtol=0)
    assert (change(2, 0.0) - change(2, 3.0)).abs().max() > 1e-3
