"""Defaults and refusals of a request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from avw.model.imagine.request import ImagineConfig, resolve
from avw.model.imagine.subject import chosen_episode
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action

FORWARD, LEFT, RIGHT, STOP = Action.FORWARD, Action.TURN_LEFT, Action.TURN_RIGHT, Action.STOP


@dataclass
class Frames:
    rgb: np.ndarray
    depth: np.ndarray
    actions: np.ndarray


def test_the_recorded_actions_are_the_default(model, episode):
    request = resolve(model, episode, ImagineConfig(step=10, horizon=5))
    assert request.step == 10
    assert request.actions == tuple(episode.actions[10:15].tolist())
    assert resolve(model, episode, ImagineConfig(horizon=5)).step == 8  # a third of 24
    assert resolve(model, episode, ImagineConfig(horizon=12)).step == 8
    assert len(resolve(model, episode, ImagineConfig(step=20)).actions) == 4  # what is left
    assert resolve(model, episode, ImagineConfig(actions=(FORWARD, LEFT), step=24)).step == 24


def test_the_first_and_the_last_observation_can_be_the_context(model, episode):
    assert resolve(model, episode, ImagineConfig(step=0, horizon=2)).actions == tuple(episode.actions[:2].tolist())
    with pytest.raises(UsageError, match="so 0 are left after step 24, fewer than 1"):
        resolve(model, episode, ImagineConfig(step=24))


def test_swapped_actions_are_mirrored_or_given(model, episode):
    turning = ImagineConfig(step=3, actions=(LEFT, FORWARD), swap_action="mirror")
    assert resolve(model, episode, turning).others == (RIGHT, FORWARD)
    given = ImagineConfig(step=3, actions=(LEFT, FORWARD), swap_action=(FORWARD, FORWARD))
    assert resolve(model, episode, given).others == (FORWARD, FORWARD)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ImagineConfig(step=25, horizon=1), "step 25: the episode has observations 0 to 24"),
        (ImagineConfig(step=20, horizon=5), "so 4 are left after step 20, fewer than 5"),
        (ImagineConfig(step=3, actions=()), "there are no actions"),
        (ImagineConfig(step=3, actions=(STOP, FORWARD)), "can only be the last"),
        (ImagineConfig(step=3, actions=(FORWARD,) * 13), "at most 12 steps ahead.*Add --autoregressive"),
        (ImagineConfig(step=3, actions=(FORWARD,), swap_action="mirror"), "no turn"),
        (ImagineConfig(step=3, actions=(FORWARD,), swap_action=(LEFT, LEFT)), "1 actions and 2 other actions"),
    ],
)
def test_a_wrong_request_is_one_clear_sentence(model, episode, config, message):
    with pytest.raises(UsageError, match=message):
        resolve(model, episode, config)


def test_more_actions_than_the_model_knows_are_possible_step_by_step(model, episode):
    config = ImagineConfig(step=3, actions=(FORWARD,) * 13, autoregressive=True)
    assert len(resolve(model, episode, config).actions) == 13


def test_other_sizes_and_missing_depth_are_refused(model):
    frames = Frames(np.zeros((3, 16, 16, 3), np.uint8), np.ones((3, 16, 16)), np.ones(2, np.uint8))
    with pytest.raises(UsageError, match=r"16 x 16 pixels.*generated with --size 32"):
        resolve(model, frames, ImagineConfig(step=0))
    frames = Frames(np.zeros((3, 32, 32, 3), np.uint8), np.zeros((3, 32, 32)), np.ones(2, np.uint8))
    with pytest.raises(UsageError, match="has no depth"):
        resolve(model, frames, ImagineConfig(step=0))
    model.prior = "rotation"
    assert resolve(model, frames, ImagineConfig(step=0)).actions == (FORWARD, FORWARD)


def test_an_episode_is_chosen_by_its_number(episodes, episode):
    assert chosen_episode(episodes, None).index == episode.index
    assert chosen_episode(episodes, 2).index == 2
    with pytest.raises(UsageError, match="episodes 0 to 8; there is no episode 9"):
        chosen_episode(episodes, 9)
