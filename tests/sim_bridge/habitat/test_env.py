"""The Gymnasium environment on a real Habitat-Sim: the same task, whichever simulator is behind it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from sim_bridge.env import ENV_ID, AudioNavEnv
from sim_bridge.follower import ShortestPathFollower
from sim_bridge.simulator import SimulatorConfig, open_simulator
from sim_bridge.task import TaskConfig, sample_episode
from sim_bridge.types import Action

pytestmark = pytest.mark.habitat
SMALL = SimulatorConfig(backend="habitat", size=32, emitters=500)
SCENE = "procedural-0000"


@pytest.fixture(scope="module")
def env() -> Iterator[AudioNavEnv]:
    env = AudioNavEnv("procedural:1", SMALL, TaskConfig(max_steps=20))
    yield env
    env.close()


def test_check_env_has_nothing_to_say() -> None:
    made = gymnasium.make(f"sim_bridge.env:{ENV_ID}", scenes="procedural:1", simulator=SMALL, render_mode="rgb_array")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made.unwrapped)
    made.close()


def test_episodes_follow_from_the_seed(env: AudioNavEnv) -> None:
    def play() -> list[np.ndarray]:
        observation, info = env.reset(seed=11)
        arrays = [*observation.values(), np.array(info["geodesic"])]
        for action in (1, 2, 1, 1, 3):
            observation, reward, _, _, info = env.step(action)
            arrays += [*observation.values(), np.array([reward, info["geodesic"]])]
        return arrays

    assert all(np.array_equal(one, other) for one, other in zip(play(), play(), strict=True))


def test_an_episode_ends_with_a_stop_at_the_source() -> None:
    env = AudioNavEnv("procedural:1", SMALL)
    _, info = env.reset(seed=0, options={"episode": 3})
    before, total, steps = info["geodesic"], 0.0, 0
    simulator = open_simulator(SCENE, SMALL)  # walks beside it: the oracle's knowledge is not the environment's
    start, source = sample_episode(simulator, 3)
    simulator.reset(start, source, seed=3)
    follower, terminated = ShortestPathFollower(simulator), False
    while not terminated:
        action = follower.next_action()
        simulator.step(action)
        _, reward, terminated, truncated, info = env.step(action)
        total, steps = total + reward, steps + 1
        assert not truncated
    assert action == Action.STOP
    assert info["success"]
    assert info["geodesic"] < 1.0
    assert total == pytest.approx(-0.01 * steps + before - info["geodesic"] + 10.0, abs=1e-6)
    env.close()


def test_cameras_of_different_sizes_in_one_process_see_the_same_scene() -> None:
    """A Habitat-Sim that is only reconfigured keeps the cameras that the scene was opened with."""
    shapes = []
    for size in (32, 64, 32):
        simulator = open_simulator(SCENE, SimulatorConfig(backend="habitat", size=size, emitters=500))
        observation = simulator.reset(*sample_episode(simulator, 0))
        shapes.append(observation.rgb_HWC.shape)
        simulator.close()
    assert shapes == [(32, 32, 3), (64, 64, 3), (32, 32, 3)]
