"""Reward, success and the end of an episode, on real simulators with small images and few emitters."""

from __future__ import annotations

import math

import pytest

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.task.follower import ShortestPathFollower
from avw.sim_bridge.task.task import AudioNavTask, StepResult, TaskConfig, sample_episode, step_reward, succeeded
from avw.sim_bridge.types import Action, Pose, Source
from tests.sim_bridge.backends import BACKENDS, open_backend


@pytest.fixture(scope="module", params=BACKENDS)
def simulator(request: pytest.FixtureRequest) -> Simulator:
    return open_backend(request.param, "procedural-0001", size=16, emitters=500)


def _follow(task: AudioNavTask) -> list[StepResult]:
    follower = ShortestPathFollower(task.simulator)
    results = []
    while not results or not results[-1].done:
        results.append(task.step(follower.next_action()))
    return results


def test_the_reward_is_slack_plus_progress_plus_success() -> None:
    config = TaskConfig()
    assert step_reward(config, 3.0, 2.85, success=False) == pytest.approx(0.14)
    assert step_reward(config, 0.9, 0.9, success=True) == pytest.approx(9.99)
    assert step_reward(TaskConfig(slack=0.0, success_reward=1.0), 1.0, 2.0, success=False) == -1.0


def test_success_is_a_stop_less_than_a_metre_away() -> None:
    config = TaskConfig()
    assert succeeded(config, Action.STOP, 0.999)
    assert not succeeded(config, Action.STOP, 1.0)
    assert not succeeded(config, Action.FORWARD, 0.2)


def test_rewards_sum_to_progress_plus_success_reward(simulator: Simulator) -> None:
    task = AudioNavTask(simulator)
    start, source = sample_episode(simulator, seed=0)
    task.reset(start, source, seed=0)
    first = task.geodesic
    assert first >= 3.0
    results = _follow(task)
    assert [result.terminated for result in results] == [False] * (len(results) - 1) + [True]
    assert results[-1].success
    assert not any(result.success for result in results[:-1])
    total = sum(result.reward for result in results)
    assert total == pytest.approx(10.0 + first - results[-1].geodesic - 0.01 * len(results))


def test_stopping_far_away_ends_the_episode_without_success(simulator: Simulator) -> None:
    task = AudioNavTask(simulator)
    task.reset(*sample_episode(simulator, seed=1))
    result = task.step(Action.STOP)
    assert result.terminated
    assert not result.success
    assert not result.truncated
    assert result.reward == pytest.approx(-0.01)
    with pytest.raises(UsageError, match="the episode is over"):
        task.step(Action.FORWARD)


def test_the_last_permitted_step_truncates_unless_it_is_a_stop(simulator: Simulator) -> None:
    for last, ends in [(Action.TURN_LEFT, (False, True)), (Action.STOP, (True, False))]:
        task = AudioNavTask(simulator, TaskConfig(max_steps=3))
        task.reset(*sample_episode(simulator, seed=2))
        results = [task.step(action) for action in (1, 2, last)]
        assert not any(result.done for result in results[:2])
        assert (results[-1].terminated, results[-1].truncated) == ends


def test_a_step_before_reset_is_refused(simulator: Simulator) -> None:
    with pytest.raises(UsageError, match="call `reset`"):
        AudioNavTask(simulator).step(Action.FORWARD)


def test_episodes_depend_only_on_their_seed(simulator: Simulator) -> None:
    episodes = [sample_episode(simulator, seed) for seed in range(8)]
    again = [sample_episode(simulator, seed) for seed in reversed(range(8))][::-1]
    assert episodes == again
    assert len(set(episodes)) == 8


def test_starts_and_sources_are_where_they_should_be(simulator: Simulator) -> None:
    for seed in range(20):
        start, source = sample_episode(simulator, seed, min_distance=4.0)
        field = simulator.navgrid.geodesic(source.floor_3)
        assert 4.0 <= field.distance(start.position_3) < math.inf
        assert -math.pi <= start.yaw < math.pi
        x, y, z = source.floor_3
        assert source.position_3 == (x, y + 1.5, z)
        assert simulator.navgrid.clearance(source.floor_3) >= 0.5
        assert source.phase >= 0


def test_a_scene_too_small_for_the_distance_is_an_error_with_a_fix(simulator: Simulator) -> None:
    with pytest.raises(UsageError, match=r"no start at least 500\.0 m of walking.*smaller min_distance"):
        sample_episode(simulator, seed=0, min_distance=500.0)


def test_a_start_off_the_floor_is_an_error_with_a_fix(simulator: Simulator) -> None:
    _, source = sample_episode(simulator, seed=0)
    with pytest.raises(UsageError, match=r"the agent cannot stand at .*Choose a start"):
        AudioNavTask(simulator).reset(Pose(-50.0, 0.0, 0.0, 0.0), source)


def test_a_source_off_the_floor_is_an_error_with_a_fix(simulator: Simulator) -> None:
    start, source = sample_episode(simulator, seed=0)
    away = Source(position_3=source.position_3, floor_3=(90.0, 0.0, 0.0))
    with pytest.raises(UsageError, match=r"not on the floor that the agent can reach|cannot be walked to"):
        AudioNavTask(simulator).reset(start, away)
