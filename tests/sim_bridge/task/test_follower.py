"""The follower arrives from every start, with about as many actions as the shortest walk needs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from avw.sim_bridge.errors import AvwError, StuckError
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.task.follower import ShortestPathFollower, greedy_action, reference_actions
from avw.sim_bridge.task.task import sample_episode
from avw.sim_bridge.types import FORWARD_METRES, TURN_RADIANS, Action, Pose
from tests.sim_bridge.backends import BACKENDS, open_backend
from tests.sim_bridge.boxes import box_scene, flat, room

FLAT = free_space_of(box_scene(*flat()))


def _walk(grid: FreeSpace, start: Pose, actions: list[Action]) -> Pose:
    pose = start
    for action in actions:
        pose, _ = grid.move(pose, pose.after(action))
    return pose


def _random_pose(grid: FreeSpace, rng: np.random.Generator) -> Pose:
    x, y, z = (float(value) for value in grid.sample(rng))
    return Pose(x, y, z, float(rng.uniform(-math.pi, math.pi)))


@pytest.mark.parametrize("seed", range(4))
def test_it_arrives_from_random_starts_in_furnished_houses(seed: int) -> None:
    _arrives(free_space_of(generate_house(seed)), seed)


@pytest.mark.parametrize("backend", BACKENDS[1:])
def test_it_arrives_on_habitats_floor_too(backend: str) -> None:
    _arrives(open_backend(backend, "procedural-0001", size=16, emitters=500).navgrid, 1)


def _arrives(grid: FreeSpace, seed: int) -> None:
    rng = keyed_rng("test", "follower", seed)
    goal_3 = grid.sample(rng, clearance=0.5)
    field = grid.geodesic(goal_3)
    for _ in range(30):
        start = _random_pose(grid, rng)
        distance = field.distance(start.position_3)
        actions = reference_actions(grid, start, goal_3, max_actions=400)
        assert actions[-1] == Action.STOP
        assert Action.STOP not in actions[:-1]
        end = _walk(grid, start, actions)
        assert field.distance(end.position_3) < 1.0
        forward = sum(action == Action.FORWARD for action in actions)
        assert forward * FORWARD_METRES <= 1.15 * max(0.0, distance - 1.0) + 3 * FORWARD_METRES


def test_it_stops_within_the_requested_distance() -> None:
    rng = keyed_rng("test", "near")
    for _ in range(30):
        start, goal_3 = _random_pose(FLAT, rng), FLAT.sample(rng, clearance=0.3)
        actions = reference_actions(FLAT, start, goal_3, stop_distance=0.2, max_actions=500)
        end = _walk(FLAT, start, actions)
        assert FLAT.geodesic(goal_3).distance(end.position_3) < 0.2


def test_a_straight_walk_takes_the_minimal_actions() -> None:
    grid = free_space_of(box_scene(*room(10.0, 3.0)))
    start = Pose(1.0, 0.0, 1.5, 0.0)  # looks along -z; the goal is to the right, 6 m away
    actions = reference_actions(grid, start, (7.0, 0.0, 1.5))
    turns = round((math.pi / 2) / TURN_RADIANS)
    steps = math.floor((6.0 - 1.0) / FORWARD_METRES) + 1
    assert actions == [Action.TURN_RIGHT] * turns + [Action.FORWARD] * steps + [Action.STOP]


def test_it_turns_in_the_shorter_direction() -> None:
    grid = free_space_of(box_scene(*room(10.0, 10.0)))
    field = grid.geodesic((5.0, 0.0, 1.0))
    assert greedy_action(field, Pose(5.0, 0.0, 8.0, math.radians(-60))) == Action.TURN_LEFT
    assert greedy_action(field, Pose(5.0, 0.0, 8.0, math.radians(60))) == Action.TURN_RIGHT
    assert greedy_action(field, Pose(5.0, 0.0, 8.0, math.radians(4))) == Action.FORWARD
    assert greedy_action(field, Pose(5.0, 0.0, 1.9, 0.0)) == Action.STOP


def test_it_passes_a_gap_barely_wider_than_the_agent() -> None:
    gap = [((4.0, 0.0, 0.0), (4.1, 2.6, 1.36)), ((4.0, 0.0, 1.62), (4.1, 2.6, 3.0))]
    grid = free_space_of(box_scene(*room(8.0, 3.0), *gap))
    rng = keyed_rng("test", "gap")
    for _ in range(20):
        x, yaw = float(rng.uniform(0.2, 3.5)), float(rng.uniform(-math.pi, math.pi))
        start = Pose(x, 0.0, float(rng.uniform(0.2, 2.8)), yaw)
        assert len(reference_actions(grid, start, (7.5, 0.0, 2.5), max_actions=150)) <= 150


def test_a_gap_that_the_geodesic_allows_and_motion_does_not_is_an_error() -> None:
    start = Pose(6.55743031310164, 2.736253304443523e-05, 13.153485827376075, 1.277716720962581)
    with pytest.raises(StuckError, match=r"stuck at \(7.30, 13.16\).*too narrow"):
        reference_actions(free_space_of(generate_house(3050)), start, (7.994255848796442, 0.0, 5.936155554028401))


def test_a_start_off_the_floor_is_an_error_with_a_fix() -> None:
    with pytest.raises(AvwError, match=r"no path leads from .* Choose one with `navgrid.sample`"):
        reference_actions(FLAT, Pose(1.5, 0.0, 1.5, 0.0), (8.0, 0.0, 7.0))


def test_a_limit_that_is_too_low_is_an_error() -> None:
    with pytest.raises(AvwError, match="did not arrive"):
        reference_actions(FLAT, Pose(0.5, 0.0, 0.5, 0.0), (8.0, 0.0, 7.0), max_actions=3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_with_a_simulator_it_reaches_the_source_and_recovers_from_a_detour(backend: str) -> None:
    simulator = open_backend(backend, "procedural-0001", size=16, emitters=500)
    start, source = sample_episode(simulator, seed=5)
    simulator.reset(start, source)
    follower = ShortestPathFollower(simulator)
    for step in range(500):
        action = follower.next_action()
        if action == Action.STOP:
            break
        simulator.step(Action.TURN_LEFT if step % 7 == 3 else action)
    assert simulator.distance_to_source() < 1.0
    other_3 = simulator.navgrid.sample(keyed_rng("test", "waypoint"))
    follower = ShortestPathFollower(simulator, other_3, stop_distance=0.3)
    while (action := follower.next_action()) != Action.STOP:
        simulator.step(action)
    assert simulator.navgrid.geodesic(other_3).distance(simulator.pose.position_3) < 0.3
