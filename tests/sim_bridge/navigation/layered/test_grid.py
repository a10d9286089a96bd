"""Stairs, ramps and mezzanines: where the agent can walk, at what height, and how far it is."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from avw.sim_bridge.errors import SceneError, UsageError
from avw.sim_bridge.navigation.layered.grid import LayeredGrid
from avw.sim_bridge.navigation.open_free_space import NavGrid, free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.follower import ShortestPathFollower, reference_actions
from avw.sim_bridge.task.task import AudioNavTask, sample_source, sample_start
from avw.sim_bridge.types import AGENT_RADIUS, FORWARD_METRES, Action, Pose, Source
from tests.sim_bridge.boxes import box_scene, flat, mesh_scene, room
from tests.sim_bridge.scans import building, scan
from tests.sim_bridge.storeys import RISE, STAIRS, ramp_scene, tower, two_storeys

HOUSE = free_space_of(box_scene(*two_storeys()))
RAMP = free_space_of(ramp_scene())
UPSTAIRS, DOWNSTAIRS = np.array([9.0, RISE, 5.3]), np.array([1.0, 0.0, 5.3])


def test_only_scenes_with_several_connected_levels_are_layered() -> None:
    assert isinstance(HOUSE, LayeredGrid)
    assert isinstance(RAMP, LayeredGrid)
    assert not isinstance(free_space_of(box_scene(*flat())), LayeredGrid)
    assert not isinstance(free_space_of(box_scene(*two_storeys(stairs=False))), LayeredGrid)


def test_storeys_have_heights_and_areas() -> None:
    low, high = HOUSE.floors
    assert (low.y, high.y) == (pytest.approx(0.0, abs=0.01), pytest.approx(RISE, abs=0.01))
    # 9.8 x 5.8 m to walk in, minus the stairs and the space below them that is too low.
    assert 45.0 < low.area < 9.8 * 5.8
    assert 45.0 < high.area < 9.8 * 5.8
    assert HOUSE.area == pytest.approx(low.area + high.area)
    assert [round(floor.y, 2) for floor in RAMP.floors] == [0.0, 1.2]


def test_a_storey_without_stairs_is_another_island() -> None:
    apart = free_space_of(box_scene(*two_storeys(stairs=False)))
    assert apart.is_free(np.array([5.0, 0.0, 2.0])) != apart.is_free(np.array([5.0, RISE, 2.0]))
    assert len(apart.floors) == 1


def test_the_agent_stands_on_treads_and_not_in_them() -> None:
    assert HOUSE.is_free(np.array([5.1, 1.4, 5.3])), "half-way up"
    assert not HOUSE.is_free(np.array([5.1, 0.0, 5.3])), "inside the stairs"
    assert not HOUSE.is_free(np.array([5.1, RISE, 5.3])), "in the air above them"
    assert not HOUSE.is_free(np.array([5.1, RISE + 2.7, 2.0])), "on the roof"
    assert HOUSE.clearance(np.array([5.1, 1.4, 5.9])) == pytest.approx(0.1, abs=0.01), "the wall along the flight"


def test_samples_are_on_every_storey_and_never_on_the_roof() -> None:
    points_N3 = np.array([HOUSE.sample(keyed_rng("storeys", index)) for index in range(400)])
    assert all(HOUSE.is_free(point_3) for point_3 in points_N3)
    upstairs = (points_N3[:, 1] > RISE - 0.05).mean()
    assert 0.35 < upstairs < 0.65
    assert points_N3[:, 1].max() < RISE + 0.05
    roomy_N3 = np.array([HOUSE.sample(keyed_rng("roomy", index), clearance=0.5) for index in range(50)])
    assert min(HOUSE.clearance(point_3) for point_3 in roomy_N3) >= 0.5


@pytest.mark.parametrize(("grid", "scene"), [(HOUSE, box_scene(*two_storeys())), (RAMP, ramp_scene())])
def test_walking_follows_the_floor(grid: NavGrid, scene: Scene) -> None:
    """Over treads the agent walks on the ramp through them, never more than the height of a tread off the surface."""
    rng = keyed_rng("test", "height")
    points_N3 = np.array([grid.sample(rng) for _ in range(200)])
    down_N3 = np.tile([0.0, -1.0, 0.0], (200, 1))
    depth_N = RayScene(scene).closest(points_N3 + np.array([0.0, 0.5, 0.0]), down_N3)[1]
    assert np.abs(depth_N - 0.5).max() <= 0.19


def test_up_the_stairs_and_down_again() -> None:
    pose = Pose(2.0, 0.0, 5.3, -math.pi / 2)
    heights = []
    while pose.x < 8.0:
        before = pose
        pose, collided = HOUSE.move(pose, pose.after(Action.FORWARD))
        assert not collided
        assert pose.x == pytest.approx(before.x + FORWARD_METRES), "a free step is exactly the commanded one"
        heights.append(pose.y)
    assert pose.y == pytest.approx(RISE, abs=0.005)
    assert all(0.0 - 1e-9 <= later - earlier < 0.15 for earlier, later in itertools.pairwise(heights))
    for _ in range(40):
        pose, _ = HOUSE.move(pose, Pose(pose.x - FORWARD_METRES, pose.y, pose.z, pose.yaw))
    assert pose.y == pytest.approx(0.0, abs=0.005)


def test_the_agent_does_not_fall_off_the_open_side_or_over_the_banister() -> None:
    half_way = Pose(5.1, 1.4, 5.3, 0.0)
    for _ in range(10):
        half_way, collided = HOUSE.move(half_way, half_way.after(Action.FORWARD))  # towards -z, the open side
    assert collided
    assert half_way.y == pytest.approx(1.4, abs=0.1)
    assert half_way.z > 4.7 + AGENT_RADIUS - 0.05
    above = Pose(5.0, RISE, 4.0, math.pi)
    for _ in range(10):
        above, collided = HOUSE.move(above, above.after(Action.FORWARD))
    assert collided
    assert above.z < 4.6 - AGENT_RADIUS + 0.02
    ahead = above.after(Action.FORWARD)
    assert HOUSE.move(above, Pose(ahead.x, ahead.y, ahead.z, 1.0))[0].yaw == 1.0  # a blocked walk still turns


@pytest.mark.parametrize("seed", range(6))
def test_no_walk_leaves_free_space_or_moves_farther_than_asked(seed: int) -> None:
    rng = keyed_rng("test", "storeys", seed)
    x, y, z = HOUSE.sample(rng)
    pose = Pose(x, y, z, rng.uniform(-math.pi, math.pi))
    for action in rng.choice([1, 1, 1, 1, 2, 3], size=150):
        target = pose.after(Action(action))
        reached, collided = HOUSE.move(pose, target)
        assert HOUSE.is_free(reached.position_3)
        assert math.hypot(reached.x - pose.x, reached.z - pose.z) <= FORWARD_METRES * 1.001
        assert abs(reached.y - pose.y) < 0.2
        if not collided:
            assert (reached.x, reached.z) == (target.x, target.z)
        pose = reached


def test_geodesics_on_a_ramp_are_those_of_the_unrolled_floor() -> None:
    """Unrolled, the floor (level, slope, level) is one rectangle, and every shortest walk is a straight line."""
    slope = math.hypot(6.0, 1.2) / 6.0

    def unrolled(x: float) -> float:
        return min(x, 3.0) + slope * min(max(x - 3.0, 0.0), 6.0) + max(x - 9.0, 0.0)

    rng = keyed_rng("test", "ramp")
    errors = []
    for _ in range(4):
        goal_3 = RAMP.sample(rng)
        field = RAMP.geodesic(goal_3)
        for _ in range(60):
            start_3 = RAMP.sample(rng)
            exact = math.hypot(unrolled(start_3[0]) - unrolled(goal_3[0]), start_3[2] - goal_3[2])
            if exact > 1.0:
                errors.append(field.distance(start_3) / exact - 1.0)
    error = np.array(errors)
    assert np.abs(error).mean() < 0.004
    assert np.quantile(np.abs(error), 0.95) < 0.012


def test_geodesics_up_a_flight_are_straight_over_its_ramp() -> None:
    field = HOUSE.geodesic(DOWNSTAIRS)
    # The ramp begins half a tread before the first riser and ends half a tread before the landing.
    exact = 8.0 - STAIRS + math.hypot(STAIRS, RISE)
    assert field.distance(UPSTAIRS) == pytest.approx(exact, rel=0.01)
    assert HOUSE.geodesic(UPSTAIRS).distance(DOWNSTAIRS) == pytest.approx(exact, rel=0.01)
    # Around the banister: to its end at the top of the flight, and then down.
    behind = np.array([5.0, RISE, 4.0])
    straight = field.distance(np.array([7.6, RISE, 5.3]))
    assert straight + 2.5 < field.distance(behind) < straight + 4.0


def test_distance_is_symmetric_obeys_the_triangle_inequality_and_changes_smoothly() -> None:
    rng = keyed_rng("test", "storeys metric")
    points = [HOUSE.sample(rng) for _ in range(5)]
    fields = [HOUSE.geodesic(point_3) for point_3 in points]
    distance_NN = np.array([[field.distance(point_3) for point_3 in points] for field in fields])
    assert np.isfinite(distance_NN).all(), "all free floor is on one island"
    assert np.allclose(distance_NN, distance_NN.T, rtol=0.01, atol=0.02)
    for middle in range(len(points)):
        assert (distance_NN <= distance_NN[:, middle, None] + distance_NN[None, middle, :] + 0.05).all()
    for _ in range(200):
        start_3 = HOUSE.sample(rng)
        angle = rng.uniform(-math.pi, math.pi)
        pose = Pose(*(float(v) for v in start_3), 0.0)
        end_3 = start_3 + 0.01 * np.array([math.cos(angle), 0.0, math.sin(angle)])
        reached, collided = HOUSE.move(pose, Pose(float(end_3[0]), pose.y, float(end_3[2]), 0.0))
        if not collided:
            change = abs(fields[0].distance(reached.position_3) - fields[0].distance(start_3))
            assert change <= math.hypot(0.01, reached.y - pose.y) + 0.006


def test_a_path_is_walkable_and_as_long_as_its_distance() -> None:
    rng = keyed_rng("test", "storeys path")
    field = HOUSE.geodesic(DOWNSTAIRS)
    for _ in range(60):
        start_3 = HOUSE.sample(rng)
        path_N3 = field.path(start_3)
        np.testing.assert_allclose(path_N3[0], start_3, atol=0.01)
        assert np.array_equal(path_N3[-1], DOWNSTAIRS)
        length = sum(HOUSE.walk_length(a_3, b_3) for a_3, b_3 in itertools.pairwise(path_N3))
        assert length == pytest.approx(field.distance(start_3), abs=0.02)


def test_scripts_walk_from_any_floor_to_any_other() -> None:
    rng = keyed_rng("test", "storeys follower")
    for index in range(6):
        source = sample_source(HOUSE, rng)
        start = sample_start(HOUSE, source, rng, min_distance=3.0)
        assert start is not None
        field = HOUSE.geodesic(source.floor_3)
        actions = reference_actions(HOUSE, start, source.floor_3)
        steps = actions.count(Action.FORWARD) * FORWARD_METRES
        assert steps < 1.15 * field.distance(start.position_3) + 0.5, index
    actions = reference_actions(HOUSE, Pose(9.0, RISE, 5.3, math.pi / 2), DOWNSTAIRS)
    assert Action.FORWARD in actions


def test_goals_off_the_floor() -> None:
    beside_the_wall = HOUSE.geodesic((9.98, RISE, 2.0))
    assert beside_the_wall.offset == pytest.approx(0.08, abs=0.05)
    assert beside_the_wall.distance(beside_the_wall.goal_3) == pytest.approx(beside_the_wall.offset, abs=1e-6)
    with pytest.raises(SceneError, match="not on the floor that the agent can reach"):
        HOUSE.geodesic((5.0, 1.4, 2.0))
    field = HOUSE.geodesic(DOWNSTAIRS)
    assert field.distance(np.array([5.0, 1.4, 2.0])) == math.inf
    assert field.path(np.array([5.0, 1.4, 2.0])).shape == (0, 3)


def test_a_mezzanine_and_a_stage() -> None:
    """The agent walks on a platform of 0.72 m that has steps, and around one without steps."""
    platform = ((4.0, 0.0, 0.0), (8.0, 0.72, 3.0))
    steps = [((4.0 - 0.3 * k, 0.0, 1.0), (4.3 - 0.3 * k, 0.72 - 0.18 * k, 2.0)) for k in (1, 2, 3)]
    with_steps = free_space_of(box_scene(*room(8.0, 6.0), platform, *steps))
    assert with_steps.is_free(np.array([6.0, 0.72, 1.5]))
    assert [round(floor.y, 2) for floor in with_steps.floors] == [0.0, 0.72]
    without = free_space_of(box_scene(*room(8.0, 6.0), platform))
    assert not without.is_free(np.array([6.0, 0.72, 1.5]))


def test_a_noisy_scan_with_holes_is_the_same_house() -> None:
    mesh = scan(building(*two_storeys()), edge=0.12, noise=0.004, holes=12, hole=0.12)
    grid = free_space_of(mesh_scene(mesh.vertices, mesh.faces, "scan"))
    assert isinstance(grid, LayeredGrid)
    assert grid.area == pytest.approx(HOUSE.area, rel=0.05)
    measured = grid.geodesic(DOWNSTAIRS).distance(grid.surface.on_floor(UPSTAIRS))
    assert measured == pytest.approx(HOUSE.geodesic(DOWNSTAIRS).distance(UPSTAIRS), rel=0.025)


def test_stairs_that_turn_lead_up_a_tower() -> None:
    grid = free_space_of(tower())
    assert [round(floor.y, 1) for floor in grid.floors] == [0.0, 1.5, 3.0, 4.5, 6.0], "with the landings"
    ground, top = np.array([1.0, 0.0, 5.0]), np.array([1.0, 6.0, 5.0])
    field = grid.geodesic(ground)
    path_N3 = field.path(top)
    assert path_N3[0, 1] == pytest.approx(6.0, abs=0.01)
    assert (np.diff(path_N3[:, 1]) < 0.05).all(), "down all the way"
    # Two storeys with two flights each, every flight at least as long as its ramp.
    assert field.distance(top) > 4 * math.hypot(9 * 0.28 - 0.3, 1.5) + 2 * 3.0
    pose = Pose(1.0, 6.0, 5.0, 0.0)
    for action in reference_actions(grid, pose, ground)[:-1]:
        pose, _ = grid.move(pose, pose.after(action))
    assert field.distance(pose.position_3) < 1.0


def test_a_house_wound_inside_out_is_the_same_house() -> None:
    scene = box_scene(*two_storeys())
    grid = free_space_of(mesh_scene(scene.vertices_V3, scene.faces_F3[:, ::-1]))
    assert grid.area == pytest.approx(HOUSE.area, rel=0.01)


def test_the_same_scene_gives_the_same_grid() -> None:
    again = free_space_of(box_scene(*two_storeys()))
    assert isinstance(again, LayeredGrid)
    assert isinstance(HOUSE, LayeredGrid)
    assert np.array_equal(again.surface.arrays.height_KHW, HOUSE.surface.arrays.height_KHW)
    assert np.array_equal(again.surface.arrays.clearance_KHW, HOUSE.surface.arrays.clearance_KHW)


def test_an_episode_over_two_floors_in_the_simulator(tmp_path: Path) -> None:
    export_glb(box_scene(*two_storeys()), tmp_path / "two.glb")
    simulator = open_simulator(str(tmp_path / "two.glb"), SimulatorConfig(size=8, emitters=200))
    task = AudioNavTask(simulator)
    source = Source(position_3=(1.0, 1.5, 5.3), floor_3=(1.0, 0.0, 5.3))
    task.reset(Pose(8.5, RISE, 5.3, math.pi / 2), source, seed=0)
    first = task.geodesic
    follower = ShortestPathFollower(simulator)
    heights, rewards = [], []
    while True:
        result = task.step(follower.next_action())
        heights.append(simulator.pose.y)
        rewards.append(result.reward)
        if result.done:
            break
    assert result.success
    assert heights[0] == pytest.approx(RISE, abs=0.01)
    assert heights[-1] == pytest.approx(0.0, abs=0.2)
    assert max(later - earlier for earlier, later in itertools.pairwise(heights)) < 0.01, "downwards only"
    # The rewards add up to the length of the walk down the stairs.
    assert sum(rewards) == pytest.approx(first - result.geodesic - 0.01 * len(rewards) + 10.0, abs=1e-6)
    wall = replace(source, position_3=(5.0, RISE - 0.1, 2.0), floor_3=(5.0, 0.0, 2.0))
    with pytest.raises(UsageError, match="source-in-wall"):
        simulator.reset(Pose(8.5, RISE, 5.3, 0.0), wall)
