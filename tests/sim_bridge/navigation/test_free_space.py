"""Properties of every free space, tested on two rooms: AVW's grid and Habitat's navigation mesh."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import AGENT_RADIUS, FORWARD_METRES, Action, Pose
from tests.sim_bridge.backends import BACKENDS, free_space
from tests.sim_bridge.boxes import box_scene, flat

GOAL = (8.5, 7.5)
SLACK = 0.07  # metres: a cell of 0.05, and the error of Recast's simplified outlines


@pytest.fixture(scope="module", params=BACKENDS)
def grid(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FreeSpace:
    return free_space(request.param, box_scene(*flat()), tmp_path_factory.mktemp("flat"))


def at(grid: FreeSpace, x: float, z: float) -> np.ndarray:
    return np.array([x, grid.floor_y, z])


def obstacle_distance(x: float, z: float) -> float:
    """Metres from a point to the nearest obstacle in the flat, from its plan."""
    boxes = [(4.95, 0.0, 5.05, 3.5), (4.95, 4.5, 5.05, 8.0), (1.0, 1.0, 2.5, 2.0), (7.0, 5.0, 8.5, 6.0), (6.0, 2.0, 7.0, 2.2)]  # fmt: skip # noqa: E501
    walls = min(x, 10.0 - x, z, 8.0 - z)
    return min([walls, *(math.hypot(max(a - x, 0, x - c), max(b - z, 0, z - d)) for a, b, c, d in boxes)])


def test_it_covers_the_floor_of_the_two_rooms(grid: FreeSpace) -> None:
    assert grid.radius == pytest.approx(AGENT_RADIUS)
    assert 0.0 <= grid.floor_y <= 0.1
    assert len(grid.floors) == 1
    # 10 x 8 m minus a rim, the furniture and the dividing wall, each grown by the agent's radius.
    assert grid.area == pytest.approx(9.8 * 7.8 - 1.7 * 1.2 - 1.7 * 1.2 - 1.2 * 0.4 - 0.3 * 6.8, rel=0.03)
    assert grid.islands[0] == pytest.approx(grid.area, rel=0.01)


def test_samples_are_free_and_depend_only_on_the_generator(grid: FreeSpace) -> None:
    points_N3 = np.array([grid.sample(keyed_rng("sample", index)) for index in range(100)])
    backwards_N3 = np.array([grid.sample(keyed_rng("sample", index)) for index in reversed(range(100))])
    assert np.array_equal(points_N3, backwards_N3[::-1])
    assert points_N3.dtype == np.float64
    assert all(grid.is_free(point_3) for point_3 in points_N3)
    assert all(obstacle_distance(x, z) > AGENT_RADIUS - 0.02 for x, _, z in points_N3)


def test_samples_are_uniform_over_the_floor(grid: FreeSpace) -> None:
    rng = keyed_rng("test", "uniform")
    points_N3 = np.array([grid.sample(rng) for _ in range(1200)])
    # Draws per cell of the plan against the free area of the cell, which is known: a chi-squared test.
    fine = np.stack(np.meshgrid(np.arange(0.01, 10, 0.02), np.arange(0.01, 8, 0.02)), axis=-1).reshape(-1, 2)
    fine = np.array([p for p in fine if obstacle_distance(*p) >= AGENT_RADIUS])
    cells = [np.histogram2d(p[:, 0], p[:, 1], bins=(5, 4), range=((0, 10), (0, 8)))[0].ravel() for p in (
        fine, points_N3[:, [0, 2]])]  # fmt: skip
    expected = cells[0] / cells[0].sum() * len(points_N3)
    chi2 = float(((cells[1] - expected) ** 2 / expected).sum())
    assert chi2 < 19 + 5 * math.sqrt(2 * 19), f"chi-squared {chi2:.0f} with 19 degrees of freedom"


def test_samples_keep_the_clearance_where_there_is_space(grid: FreeSpace) -> None:
    rng = keyed_rng("test", "roomy")
    for _ in range(60):
        point_3 = grid.sample(rng, clearance=0.5)
        assert grid.clearance(point_3) >= 0.5
        assert obstacle_distance(point_3[0], point_3[2]) >= 0.5 - SLACK
    assert grid.is_free(grid.sample(rng, clearance=50.0)), "no place keeps 50 m, so any free point is accepted"


def test_clearance_is_the_distance_to_the_nearest_obstacle(grid: FreeSpace) -> None:
    rng = keyed_rng("test", "clearance")
    for x, z in [(0.15, 1.5), (3.7, 0.18), (4.6, 2.0), *rng.uniform((0.2, 0.2), (9.8, 7.8), size=(100, 2))]:
        exact, measured = obstacle_distance(x, z), grid.clearance(at(grid, x, z))
        if exact < AGENT_RADIUS - SLACK:
            assert measured == 0.0 or not grid.is_free(at(grid, x, z))
        elif exact > AGENT_RADIUS + SLACK:
            assert min(exact, 1.0) - SLACK - 0.03 < measured < exact + SLACK
    assert grid.clearance(np.array([-5.0, grid.floor_y, 1.0])) == 0.0


def test_the_agent_fits_where_its_radius_does(grid: FreeSpace) -> None:
    assert grid.is_free(at(grid, AGENT_RADIUS + SLACK, 4.0))
    for x, z in [(AGENT_RADIUS - SLACK, 4.0), (-1.0, 1.0), (1.7, 1.5), (5.0, 2.0)]:
        assert not grid.is_free(at(grid, x, z))
    assert not grid.is_free(np.array([3.0, 2.75, 3.0])), "a point on the roof is not on this floor"
    assert not grid.is_free(np.array([3.0, 1.5, 3.0])), "a point in the air is not on it either"


def test_near_gives_floor_points_and_is_deterministic(grid: FreeSpace) -> None:
    near_N3 = grid.near(at(grid, 4.0, 4.0), 1.5)
    assert len(near_N3) > 100
    assert np.array_equal(near_N3, grid.near(at(grid, 4.0, 4.0), 1.5))
    assert (np.hypot(near_N3[:, 0] - 4.0, near_N3[:, 2] - 4.0) <= 1.5 + 1e-9).all()
    assert np.hypot(*(near_N3.mean(axis=0)[[0, 2]] - 4.0)) < 0.3
    assert all(grid.is_free(point_3) for point_3 in near_N3[::20])
    assert grid.near(at(grid, 50.0, 50.0), 1.5).shape == (0, 3)


def test_points_settle_on_free_floor_or_nowhere(grid: FreeSpace) -> None:
    rng = keyed_rng("test", "settle")
    points_N3 = np.stack([rng.uniform(-1, 11, 400), grid.floor_y + rng.uniform(-1, 1, 400), rng.uniform(-1, 9, 400)], 1)
    settled_N3 = grid.settle(points_N3, 2.0)
    missing_N = np.isnan(settled_N3).any(axis=1)
    assert np.array_equal(missing_N, np.isnan(settled_N3).all(axis=1))
    assert np.array_equal(settled_N3[~missing_N][:, [0, 2]], points_N3[~missing_N][:, [0, 2]])
    assert settled_N3[~missing_N, 1] == pytest.approx(grid.floor_y, abs=0.06)
    for point_3, missing in zip(points_N3, missing_N, strict=True):
        distance = obstacle_distance(point_3[0], point_3[2])
        if abs(distance - AGENT_RADIUS) > SLACK:
            assert missing == (distance < AGENT_RADIUS)
    assert np.isnan(grid.settle(at(grid, 3.0, 4.0)[None] + np.array([0.0, 0.8, 0.0]), 0.5)).all()
    assert not np.isnan(grid.settle(at(grid, 3.0, 4.0)[None] + np.array([0.0, 0.8, 0.0]), 1.0)).any()


def test_a_free_step_is_exactly_the_commanded_one_and_turning_never_collides(grid: FreeSpace) -> None:
    pose = Pose(3.0, grid.floor_y, 4.0, 0.7)
    reached, collided = grid.move(pose, pose.after(Action.FORWARD))
    assert (reached.x, reached.z, reached.yaw) == (pose.after(Action.FORWARD).x, pose.after(Action.FORWARD).z, 0.7)
    assert reached.y == pytest.approx(grid.floor_y, abs=1e-6)
    assert not collided
    wall = Pose(AGENT_RADIUS + 0.01, grid.floor_y, 4.0, 0.7)
    assert grid.move(wall, wall.after(Action.TURN_LEFT)) == (wall.after(Action.TURN_LEFT), False)


def test_walking_straight_into_a_wall_stops_the_agent_at_its_radius(grid: FreeSpace) -> None:
    pose = Pose(4.0, grid.floor_y, 2.0, -math.pi / 2)  # faces +x; the dividing wall begins at 4.95
    for _ in range(10):
        pose, collided = grid.move(pose, pose.after(Action.FORWARD))
    assert collided
    assert pose.x == pytest.approx(4.95 - AGENT_RADIUS, abs=SLACK)
    assert pose.z == pytest.approx(2.0, abs=1e-5)
    ahead = pose.after(Action.FORWARD)
    assert grid.move(pose, Pose(ahead.x, ahead.y, ahead.z, 1.0))[0].yaw == 1.0  # the wall stops the walk, not the turn


@pytest.mark.parametrize("degrees", [20, 45, 70])
def test_walking_obliquely_into_a_wall_slides_along_it(grid: FreeSpace, degrees: int) -> None:
    pose = Pose(4.6, grid.floor_y, 2.9, -math.pi / 2 + math.radians(degrees))
    while not grid.move(pose, pose.after(Action.FORWARD))[1]:
        pose, _ = grid.move(pose, pose.after(Action.FORWARD))
    start, _ = grid.move(pose, pose.after(Action.FORWARD))  # now it touches
    reached, collided = grid.move(start, start.after(Action.FORWARD))
    assert collided
    assert start.z - reached.z == pytest.approx(FORWARD_METRES * math.sin(math.radians(degrees)), rel=0.1)
    assert reached.x == pytest.approx(start.x, abs=0.01)


def test_no_walk_leaves_free_space_or_moves_farther_than_asked(grid: FreeSpace) -> None:
    rng = keyed_rng("test", "walk")
    met = 0
    for _ in range(20):
        x, y, z = grid.sample(rng)
        pose = Pose(x, y, z, rng.uniform(-math.pi, math.pi))
        for action in rng.choice([1, 1, 1, 2, 3], size=60):
            target = pose.after(Action(action))
            reached, collided = grid.move(pose, target)
            assert grid.is_free(reached.position_3)
            assert reached.yaw == target.yaw
            if collided:
                met += 1
                # Around a corner a slide may be longer than a step, but it ends at most one step away from the target.
                assert math.hypot(reached.x - target.x, reached.z - target.z) <= FORWARD_METRES * 1.01
            else:
                assert (reached.x, reached.z) == (target.x, target.z)
            pose = reached
    assert met > 50


def test_distance_is_symmetric_and_obeys_the_triangle_inequality(grid: FreeSpace) -> None:
    rng = keyed_rng("test", "metric")
    points = [grid.sample(rng) for _ in range(8)]
    fields = [grid.geodesic(point_3) for point_3 in points]
    distance_NN = np.array([[field.distance(point_3) for point_3 in points] for field in fields])
    assert np.isfinite(distance_NN).all()
    assert np.allclose(distance_NN, distance_NN.T, rtol=0.01, atol=0.01)
    assert np.allclose(np.diag(distance_NN), 0.0, atol=1e-5)
    straight_NN = np.linalg.norm(np.array(points)[:, None] - np.array(points)[None], axis=2)
    assert (distance_NN >= straight_NN - 1e-4).all()
    for middle in range(len(points)):
        assert (distance_NN <= distance_NN[:, middle, None] + distance_NN[None, middle, :] + 0.03).all()


def test_in_sight_of_the_goal_the_distance_is_the_straight_line(grid: FreeSpace) -> None:
    field = grid.geodesic(at(grid, 3.0, 6.0))
    assert field.navgrid is grid
    assert np.allclose(field.goal_3, at(grid, 3.0, 6.0), atol=1e-5)
    for x, z in [(0.5, 7.5), (3.0, 3.0), (4.5, 5.03)]:
        assert field.distance(at(grid, x, z)) == pytest.approx(math.hypot(x - 3.0, z - 6.0), abs=1e-4)


def test_a_step_changes_the_distance_by_no_more_than_its_length(grid: FreeSpace) -> None:
    """Smoothness: rewards are differences of distances, so a jump would be a wrong reward."""
    rng = keyed_rng("test", "smooth")
    field = grid.geodesic(at(grid, *GOAL))
    for _ in range(200):
        start_3 = grid.sample(rng)
        angle = rng.uniform(-math.pi, math.pi)
        end_3 = start_3 + 0.01 * np.array([math.cos(angle), 0.0, math.sin(angle)])
        if grid.is_free(end_3):
            assert abs(field.distance(end_3) - field.distance(start_3)) <= 0.01 + 0.004


def test_path_distance_and_towards_agree(grid: FreeSpace) -> None:
    rng = keyed_rng("test", "path")
    field = grid.geodesic(at(grid, *GOAL))
    for _ in range(60):
        start_3 = grid.sample(rng)
        path_N3 = field.path(start_3)
        assert np.allclose(path_N3[0], start_3, atol=1e-3)
        assert np.allclose(path_N3[-1], field.goal_3, atol=1e-3)
        length = np.linalg.norm(np.diff(path_N3, axis=0), axis=1).sum()
        assert length == pytest.approx(field.distance(start_3), abs=1e-3)
        distance, corner_3 = field.towards(start_3)
        assert distance == field.distance(start_3)
        to_corner = float(np.linalg.norm(corner_3 - start_3))
        assert to_corner > 1e-3 or distance < 1e-2
        assert to_corner + field.distance(corner_3) == pytest.approx(distance, abs=5e-3)
        for a_3, b_3 in itertools.pairwise(path_N3):
            for share in (0.25, 0.5, 0.75):
                x, _, z = a_3 + share * (b_3 - a_3)
                assert obstacle_distance(x, z) > AGENT_RADIUS - SLACK, "the path cuts a corner"


def test_the_distance_through_the_door_agrees_with_the_plan(grid: FreeSpace) -> None:
    # A taut string around the corner of the door jamb at (4.95, 3.5), grown by the radius.
    start, goal = (4.0, 1.0), (8.0, 4.0)
    corner = (4.95, 3.5 + AGENT_RADIUS)
    exact = math.dist(start, corner) + math.dist(corner, (5.05, corner[1])) + math.dist((5.05, corner[1]), goal)
    assert grid.geodesic(at(grid, *goal)).distance(at(grid, *start)) == pytest.approx(exact, rel=0.025)


def test_where_the_agent_cannot_stand_there_is_no_distance(grid: FreeSpace) -> None:
    field = grid.geodesic(at(grid, *GOAL))
    for point_3 in (at(grid, 1.7, 1.5), at(grid, -3.0, 1.0), np.array([3.0, 1.5, 3.0]), np.array([3.0, 2.75, 3.0])):
        assert field.distance(point_3) == math.inf
        assert field.path(point_3).shape == (0, 3)
        assert field.towards(point_3)[0] == math.inf


def test_a_goal_just_off_the_floor_counts_its_offset_and_a_farther_one_is_an_error(grid: FreeSpace) -> None:
    field = grid.geodesic(at(grid, 0.02, 5.0))
    assert field.distance(at(grid, 2.02, 5.0)) == pytest.approx(2.0, abs=SLACK)
    for goal_3 in (at(grid, -2.0, 5.0), np.array([3.0, 1.3, 3.0]), at(grid, 300.0, 5.0)):
        with pytest.raises(SceneError, match=r"flat|goal"):
            grid.geodesic(goal_3)
