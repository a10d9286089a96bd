"""True futures: recorded ones, and simulated ones that agree with them."""

from __future__ import annotations

import numpy as np
import pytest

from avw.model.imagine.subject import walk
from avw.model.imagine.truth import true_future
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.types import Action


def test_recorded_actions_have_the_recorded_future(episode):
    actions = [Action(int(action)) for action in episode.actions[6:12]]
    future = true_future(episode, 6, actions)
    assert future.recorded
    np.testing.assert_array_equal(future.rgb_NHWC, episode.rgb[7:13])
    np.testing.assert_array_equal(future.audio_NES, episode.audio[7:13])
    np.testing.assert_allclose(future.reward_N, np.cumsum(episode.rewards[6:12]), atol=1e-4)
    np.testing.assert_allclose(future.progress_N, episode.geodesic[6] - episode.geodesic[7:13], atol=1e-6)


def test_other_actions_are_simulated_from_the_same_state(episode):
    """The first actions are the recorded ones, so their future is known."""
    actions = [Action(int(action)) for action in episode.actions[6:9]]
    last = Action.TURN_LEFT if episode.actions[9] != Action.TURN_LEFT else Action.TURN_RIGHT
    future = true_future(episode, 6, [*actions, last])
    assert not future.recorded
    np.testing.assert_array_equal(future.rgb_NHWC[:3], episode.rgb[7:10])
    np.testing.assert_allclose(future.audio_NES[:3], episode.audio[7:10], atol=1e-4)
    np.testing.assert_allclose(future.distance_N[:3], episode.geodesic[7:10], atol=1e-5)
    assert not np.array_equal(future.rgb_NHWC[3], episode.rgb[10])


def test_a_stop_beside_the_source_earns_the_success_reward(episodes):
    approach = next(e for e in episodes if e.mode == "approach")
    assert approach.actions[-1] == Action.STOP
    future = true_future(approach, len(approach.actions) - 1, [Action.STOP])
    assert future.reward_N[-1] == pytest.approx(10.0 - 0.01, abs=1e-3)


def test_a_walk_depends_on_its_seed_only_and_can_be_continued(data_path):
    scene, config = "flat-a.glb", SimulatorConfig(size=32, emitters=200)
    one = walk(scene, config, seed=3, steps=6, sound="ring")
    again = walk(scene, config, seed=3, steps=6, sound="ring")
    other = walk(scene, config, seed=4, steps=6, sound="ring")
    assert len(one.rgb) == len(one.audio) == len(one.poses) == len(one.odometry) == 7
    np.testing.assert_array_equal(one.rgb, again.rgb)
    np.testing.assert_array_equal(one.audio, again.audio)
    assert not np.array_equal(one.rgb[0], other.rgb[0])
    different = [Action.TURN_LEFT if one.actions[3] != Action.TURN_LEFT else Action.TURN_RIGHT] * 2
    future = true_future(one, 3, different)
    assert not future.recorded
    np.testing.assert_array_equal(future.rgb_NHWC, true_future(one, 3, different).rgb_NHWC)
