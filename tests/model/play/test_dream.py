"""Imagination that grows by one action at a time is the roll-out of all of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from avw.avw4k.reading.episodes import EpisodeDataset, open_dataset
from avw.model.context import observer_at
from avw.model.imagination import Imagination
from avw.model.play.dream import Dream, Dreamed
from avw.model.rollout import RolloutConfig
from avw.model.world_model import WorldModel
from avw.sim_bridge.types import Action

FORWARD, LEFT, RIGHT, STOP = Action.FORWARD, Action.TURN_LEFT, Action.TURN_RIGHT, Action.STOP
WAY = [LEFT, FORWARD, FORWARD, RIGHT, FORWARD, LEFT, LEFT, FORWARD, FORWARD, FORWARD, RIGHT, FORWARD]
PIECE = RolloutConfig().chunk


@pytest.fixture(scope="module")
def episodes(data_path: Path) -> EpisodeDataset:
    return open_dataset(data_path)


@pytest.fixture(scope="module")
def dream(episodes: EpisodeDataset, model: WorldModel) -> Dream:
    dream = Dream(model)
    dream.anchor(observer_at(episodes[0], 8, model.needs))
    return dream


@pytest.fixture(scope="module")
def steps(dream: Dream) -> list[Dreamed]:
    return [dream.step(action) for action in WAY]


@pytest.fixture(scope="module")
def whole(episodes: EpisodeDataset, model: WorldModel) -> Imagination:
    return model.imagine(episodes[0], t=8, actions=WAY, every_step=True, autoregressive=True)


def test_the_steps_are_those_of_the_roll_out(steps: list[Dreamed], whole: Imagination):
    for number, step in enumerate(steps):
        assert step.steps == number + 1
        np.testing.assert_allclose(step.motion_3, whole.motion[number], atol=1e-5)
        assert step.distance == pytest.approx(float(np.asarray(whole.distance)[number]), abs=0.05)
        # Sound is decoded as a stream, so later pieces, which hear it, differ a little.
        difference = np.abs(step.rgb_HWC.astype(int) - whole.rgb[number]).mean()
        assert difference < (0.1 if number < PIECE else 1.0)
        if number < PIECE:
            np.testing.assert_array_equal(step.coverage_HW, whole.coverage[number])
    assert np.abs(steps[0].rgb_HWC.astype(int) - steps[-1].rgb_HWC).mean() > 2.0


def test_the_reward_is_that_of_the_roll_out(steps: list[Dreamed], whole: Imagination):
    np.testing.assert_allclose([step.reward for step in steps], whole.reward, atol=0.06)


def test_the_sound_goes_on_across_an_anchor(
    dream: Dream, steps: list[Dreamed], episodes: EpisodeDataset, model: WorldModel
):
    parts = [steps[-1].audio_ES]
    dream.anchor(observer_at(episodes[0], 20, model.needs))
    for action in (STOP, FORWARD):
        step = dream.step(action)
        parts.append(step.audio_ES)
    assert step.steps == 2
    assert step.motion_3[0] <= 0.15 + 1e-6
    jump = [np.abs(b[:, 0] - a[:, -1]).max() for a, b in pairwise(parts)]
    usual = max(np.abs(np.diff(part, axis=1)).max() for part in parts)
    assert max(jump) <= usual
    assert all(part.shape == (2, 2400) for part in parts)
