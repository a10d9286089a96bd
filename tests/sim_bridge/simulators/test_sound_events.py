"""Sounds that end, move, or come from two places, on the embedded simulator."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.simulators.sound_events import SoundEvents
from avw.sim_bridge.task.task import sample_episode, sample_source
from avw.sim_bridge.types import Action, Pose, Source
from tests.sim_bridge.backends import open_backend


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return open_backend("embedded", "procedural-0001", size=16, emitters=500)


@pytest.fixture(scope="module")
def episode(simulator: Simulator) -> tuple[Pose, Source]:
    return sample_episode(simulator, 0)


def heard(
    simulator: Simulator, episode: tuple[Pose, Source], events: SoundEvents | None, steps: int = 14
) -> np.ndarray:
    """float32 (steps + 1, 2, S): the sound of a walk."""
    observations = [simulator.reset(*episode, seed=3, events=events)]
    observations += [simulator.step(Action(1 + step % 2)) for step in range(steps)]
    return np.stack([observation.audio_ES for observation in observations])


def test_without_events_nothing_changes(simulator: Simulator, episode: tuple[Pose, Source]) -> None:
    np.testing.assert_array_equal(heard(simulator, episode, None), heard(simulator, episode, SoundEvents()))


def test_a_sound_that_ends_decays_and_is_silent_after_the_longest_response(
    simulator: Simulator, episode: tuple[Pose, Source]
) -> None:
    whole_TES, ended_TES = heard(simulator, episode, None), heard(simulator, episode, SoundEvents(silent_after=3))
    np.testing.assert_allclose(ended_TES[:4], whole_TES[:4], atol=1e-6)
    assert np.square(ended_TES[6]).mean() < 0.1 * np.square(whole_TES[6]).mean()
    np.testing.assert_allclose(ended_TES[-1], 0.0, atol=1e-8)  # 1.25 s of response are 9 steps


def test_a_distractor_is_added_to_the_source(simulator: Simulator, episode: tuple[Pose, Source]) -> None:
    start, source = episode
    other = sample_source(simulator.navgrid, np.random.default_rng(5), sound="alarm")
    both_TES = heard(simulator, episode, SoundEvents(distractor=other))
    assert simulator.source == source  # it is not the goal
    alone_TES = [heard(simulator, (start, one), None) for one in (source, other)]
    np.testing.assert_allclose(both_TES, alone_TES[0] + alone_TES[1], atol=1e-6)


def test_a_moving_source_is_where_its_route_says(simulator: Simulator, episode: tuple[Pose, Source]) -> None:
    source = episode[1]
    other = sample_source(simulator.navgrid, np.random.default_rng(6))
    events = SoundEvents(route=(source.floor_3, other.floor_3), leg_steps=4)
    before_TES = heard(simulator, episode, None, steps=3)
    moved_TES = heard(simulator, episode, events, steps=3)
    np.testing.assert_array_equal(moved_TES, before_TES)
    assert simulator.source.floor_3 == source.floor_3
    simulator.step(Action.STOP)
    assert simulator.source.floor_3 == other.floor_3
    simulator.step(Action.STOP)
    expected = simulator.navgrid.geodesic(other.floor_3).distance(simulator.pose.position_3)
    assert simulator.distance_to_source() == expected
    pose = simulator.pose
    sound_ES = simulator.step(Action.STOP).audio_ES
    there = dataclasses.replace(other, sound=source.sound, phase=source.phase + 2_400 * 6)
    still_ES = simulator.reset(pose, there, seed=3).audio_ES
    np.testing.assert_allclose(sound_ES, still_ES, atol=1e-6)


def test_times_that_are_not_possible_are_refused() -> None:
    with pytest.raises(UsageError, match="leg_steps = 0"):
        SoundEvents(leg_steps=0)
    with pytest.raises(UsageError, match="silent_after = -1"):
        SoundEvents(silent_after=-1)


def test_in_sight_is_the_straight_line_to_the_ears(simulator: Simulator, episode: tuple[Pose, Source]) -> None:
    simulator.reset(*episode)
    assert simulator.in_sight(simulator.pose.ears_3 + 0.05 * simulator.pose.forward_3)
    assert not simulator.in_sight(simulator.pose.position_3 - np.array([0.0, 1.0, 0.0]))  # below the floor
