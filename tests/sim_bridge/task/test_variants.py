"""Variants of the task: the same starts and sources, and another sound."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from avw.sim_bridge.acoustics.sounds import SOUNDS, load_sound
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.catalogue import resolve_scenes
from avw.sim_bridge.scenes.houses.floor_plan import draw_floor_plan
from avw.sim_bridge.scenes.scene_ref import house_number
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.simulators.sound_events import NOTHING, SoundEvents
from avw.sim_bridge.task.difficulty import difficulty
from avw.sim_bridge.task.task import sample_episode
from avw.sim_bridge.task.variants import LEG_STEPS, SPEED, VARIANTS, Scenario, scenario, shortest_walk
from avw.sim_bridge.types import FORWARD_METRES, STEP_SECONDS, Pose
from tests.sim_bridge.backends import open_backend


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return open_backend("embedded", "procedural-0001", size=16, emitters=200)


def drawn(simulator: Simulator, variant: str, seed: int = 4) -> Scenario:
    start, source = sample_episode(simulator, seed)
    made = scenario(variant, simulator.navgrid, start, source, seed)
    assert made == scenario(variant, simulator.navgrid, start, source, seed)
    assert (made.start, made.source.position_3, made.source.phase) == (start, source.position_3, source.phase)
    return made


@pytest.mark.parametrize("variant", ["standard", "small-houses", "large-houses"])
def test_variants_of_houses_change_nothing_else(simulator: Simulator, variant: str) -> None:
    start, source = sample_episode(simulator, 4)
    assert drawn(simulator, variant) == Scenario(start, source, NOTHING)


def test_unheard_sounds_are_shipped_sounds_other_than_that_of_the_training(simulator: Simulator) -> None:
    sounds = {drawn(simulator, "unheard", seed).source.sound for seed in range(12)}
    assert sounds <= set(SOUNDS) - {"ring"}
    assert len(sounds) > 1


def test_shipped_sounds_are_normalised_and_differ() -> None:
    clips = {name: load_sound(name) for name in SOUNDS}
    for clip_S in clips.values():
        assert 0.04 < np.sqrt(np.square(clip_S).mean()) <= 0.1 + 1e-6
        assert np.abs(clip_S).max() <= 0.5 + 1e-6
        spectrum_F = np.square(np.abs(np.fft.rfft(clip_S)))
        hertz_F = np.fft.rfftfreq(len(clip_S), 1 / 16_000)
        assert spectrum_F[(hertz_F > 150) & (hertz_F < 7_300)].sum() > 0.95 * spectrum_F.sum()
    assert len({clip_S.tobytes() for clip_S in clips.values()}) == len(SOUNDS)
    assert len(load_sound("melody", 48_000)) == 3 * len(load_sound("melody"))


def test_a_sound_ends_within_the_range(simulator: Simulator) -> None:
    ends = [drawn(simulator, "silent", seed).events.silent_after for seed in range(8)]
    assert all(end is not None and 10 <= end <= 40 for end in ends)
    assert len(set(ends)) > 2


def test_a_distractor_plays_another_sound_elsewhere(simulator: Simulator) -> None:
    made = drawn(simulator, "distractor")
    other = made.events.distractor
    assert other is not None
    assert other.sound != made.source.sound
    assert simulator.navgrid.geodesic(made.source.floor_3).distance(np.array(other.floor_3)) >= 1.0


def test_a_moving_source_stays_on_the_floor_and_moves_at_its_speed(simulator: Simulator) -> None:
    route = drawn(simulator, "moving").events.route
    assert len(route) * LEG_STEPS > 500
    stride = SPEED * LEG_STEPS * STEP_SECONDS
    for here_3, next_3 in itertools.pairwise(route):
        assert simulator.navgrid.is_free(np.array(next_3))
        assert np.linalg.norm(np.subtract(next_3, here_3)) < 2.5 * stride  # more where a walk ends and another begins


def test_the_shortest_walk_to_a_moving_source_ends_where_it_can_first_be_met(simulator: Simulator) -> None:
    start, source = sample_episode(simulator, 4)
    grid = simulator.navgrid
    still = grid.geodesic(source.floor_3).distance(start.position_3)
    assert shortest_walk(grid, start, source, NOTHING) == still
    nearer = grid.geodesic(start.position_3).path(np.array(source.floor_3))
    near_3 = tuple(float(value) for value in nearer[-1] + 0.2 * (nearer[-2] - nearer[-1]))
    soon = SoundEvents(route=(source.floor_3, near_3), leg_steps=1)  # type: ignore[arg-type]
    assert shortest_walk(grid, start, source, soon) == pytest.approx(
        grid.geodesic(start.position_3).distance(np.array(near_3))
    )
    late = SoundEvents(route=(source.floor_3, near_3), leg_steps=int(still / FORWARD_METRES) + 1)  # type: ignore[arg-type]
    assert shortest_walk(grid, start, source, late) == pytest.approx(still, abs=0.05)


def test_an_unknown_task_is_refused(simulator: Simulator) -> None:
    start, source = sample_episode(simulator, 4)
    with pytest.raises(UsageError, match="unknown task 'quiet': expected one of standard"):
        scenario("quiet", simulator.navgrid, start, source, 0)


@pytest.mark.parametrize(("variant", "rooms"), [("small-houses", {3, 4}), ("large-houses", {12})])
def test_houses_of_other_sizes_have_the_rooms_that_the_task_says(variant: str, rooms: set[int]) -> None:
    numbers = [house_number(scene.scene_id) for scene in resolve_scenes(VARIANTS[variant].scenes)]
    assert len(numbers) == 4
    assert {len(draw_floor_plan(keyed_rng(number, "floor plan")).rooms) for number in numbers if number} <= rooms


def test_difficulty_follows_from_the_path_and_the_line_of_sight(simulator: Simulator) -> None:
    levels = set()
    for seed in range(12):
        start, source = sample_episode(simulator, seed)
        simulator.reset(start, source)
        found = difficulty(simulator)
        assert found.ratio == pytest.approx(max(1.0, simulator.distance_to_source() / found.euclidean))
        assert found.occluded != simulator.in_sight(source.position_3)
        if found.level == "easy":
            assert not found.occluded
            assert found.ratio < 1.1
        if found.level == "hard":
            assert found.occluded
            assert found.ratio >= 1.4
        levels.add(found.level)
    assert len(levels) > 1
    x, y, z = sample_episode(simulator, 0)[1].floor_3
    simulator.reset(Pose(x, y, z, 0.0), sample_episode(simulator, 0)[1])
    assert difficulty(simulator).level == "easy"
