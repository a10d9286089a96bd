"""The environment passes Gymnasium's own check and equals the task."""

from __future__ import annotations

import pickle
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.env import AudioNavEnv
from avw.sim_bridge.task.follower import ShortestPathFollower
from avw.sim_bridge.task.task import TaskConfig, sample_episode
from avw.sim_bridge.types import Action
from tests.sim_bridge.backends import BACKENDS, config_of

SMALL = SimulatorConfig(size=32, emitters=500)


@pytest.fixture(scope="module", params=BACKENDS)
def config(request: pytest.FixtureRequest) -> SimulatorConfig:
    return config_of(request.param, size=32, emitters=500)


@pytest.fixture(scope="module")
def env(config: SimulatorConfig) -> AudioNavEnv:
    return AudioNavEnv("procedural:2", config, TaskConfig(max_steps=20))


def test_check_env_reports_nothing(config: SimulatorConfig) -> None:
    made = gymnasium.make("avw/AudioNav-v0", scenes="procedural:2", simulator=config, render_mode="rgb_array")
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


def test_options_choose_scene_and_episode(env: AudioNavEnv) -> None:
    first, info = env.reset(seed=0, options={"scene": "procedural-0001", "episode": 5})
    assert info["scene"] == "procedural-0001"
    again, _ = env.reset(seed=99, options={"scene": "procedural-0001", "episode": 5})
    assert all(np.array_equal(first[key], again[key]) for key in first)


def test_observations_contain_no_privileged_values(env: AudioNavEnv) -> None:
    observation, info = env.reset(seed=3)
    assert set(observation) == {"rgb", "depth", "audio"}
    assert set(info) == {"scene", "geodesic", "collided", "success"}


def test_stop_terminates_and_the_step_limit_truncates(env: AudioNavEnv) -> None:
    env.reset(seed=3)
    assert env.step(Action.STOP)[2:4] == (True, False)
    env.reset(seed=3)
    ends = [env.step(Action.TURN_LEFT)[2:4] for _ in range(20)]
    assert ends == [(False, False)] * 19 + [(False, True)]


def test_an_episode_ends_with_a_stop_at_the_source(config: SimulatorConfig) -> None:
    env = AudioNavEnv("procedural:1", config)
    _, info = env.reset(seed=0, options={"episode": 3})
    before, total, steps = info["geodesic"], 0.0, 0
    simulator = open_simulator("procedural-0000", config)  # walks in parallel, as the oracle
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


def test_render_is_the_last_frame() -> None:
    env = AudioNavEnv("procedural:1", SMALL, render_mode="rgb_array")
    assert env.render() is None
    observation, _ = env.reset(seed=0)
    assert np.array_equal(env.render(), observation["rgb"])
    env.close()


def test_wrong_use_is_an_error_with_a_fix() -> None:
    with pytest.raises(UsageError, match="render_mode"):
        AudioNavEnv("procedural:1", SMALL, render_mode="human")
    with pytest.raises(UsageError, match="call `reset`"):
        AudioNavEnv("procedural:1", SMALL).step(0)


def test_a_copy_starts_with_reset_and_gives_the_same_episodes(env: AudioNavEnv) -> None:
    env.reset(seed=3)
    env.step(int(Action.TURN_LEFT))
    copied = pickle.loads(pickle.dumps(env))
    with pytest.raises(UsageError, match="call `reset`"):
        copied.step(int(Action.FORWARD))
    (first, info), (second, same) = env.reset(seed=4), copied.reset(seed=4)
    assert info == same
    assert all(np.array_equal(first[key], second[key]) for key in first)
    copied.close()
