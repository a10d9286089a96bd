"""The geometry of depth images, and the obstacle map made from them."""

import math

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from avw.model.planning.depth_map import DepthMap, cost_to_go
from avw.model.planning.sight import blocked_ahead, obstacles, points
from avw.sim_bridge.types import CAMERA_HEIGHT, Action

SIZE = 64


def wall_at(metres: float) -> np.ndarray:
    """A depth image of an infinite wall across the view: planar z is equal in all pixels above the floor."""
    up_H = (0.5 * (SIZE - 1) - np.arange(SIZE)) / (SIZE / 2)
    with np.errstate(divide="ignore"):
        floor_H = np.where(up_H < 0, CAMERA_HEIGHT / -up_H, np.inf)
    return np.broadcast_to(np.minimum(metres, floor_H)[:, None], (SIZE, SIZE)).astype(np.float32)


def test_points_have_the_position_that_the_image_shows():
    seen_N3 = points(wall_at(2.0))
    assert seen_N3[:, 0].max() == pytest.approx(2.0)
    assert seen_N3[:, 2].min() == pytest.approx(0.0, abs=1e-5)
    assert seen_N3[:, 1].max() == pytest.approx(-seen_N3[:, 1].min())


def test_pixels_without_depth_give_no_points():
    assert len(points(np.zeros((SIZE, SIZE), np.float32))) == 0


def test_the_floor_is_not_an_obstacle_but_a_wall_is():
    assert len(obstacles(points(wall_at(100.0)))) == 0
    assert obstacles(points(wall_at(2.0)))[:, 0] == pytest.approx(2.0)


@pytest.mark.parametrize(("metres", "blocked"), [(0.3, True), (0.45, False), (3.0, False)])
def test_blocked_ahead(metres, blocked):
    assert blocked_ahead(wall_at(metres), reach=0.3) is blocked


def test_actions_change_the_pose():
    grid = DepthMap()
    grid.update(None, wall_at(3.0))
    for depth, action in ((2.85, Action.FORWARD), (2.7, Action.FORWARD), (5.0, Action.TURN_LEFT)):
        grid.update(action, wall_at(depth))
    assert (grid.x, grid.y) == pytest.approx((0.3, 0.0))
    assert grid.heading == pytest.approx(math.radians(10.0))


def test_a_step_that_changes_nothing_is_blocked_and_adds_an_obstacle():
    grid = DepthMap()
    grid.update(None, wall_at(3.0))
    before = grid.hits_HW.copy()
    grid.update(Action.FORWARD, wall_at(3.0))
    assert grid.blocked
    assert (grid.x, grid.y) == pytest.approx((0.0, 0.0), abs=0.01)
    row, column = grid.nodes(0.2, 0.0)
    assert grid.hits_HW[row, column] > before[row, column]


def test_the_path_through_free_space_is_straight():
    grid = DepthMap()
    bearing, length = grid.path_to(3.0, 0.0)
    assert abs(bearing) < math.radians(6.0)
    assert length == pytest.approx(3.0, abs=0.3)


def test_the_path_leads_around_a_wall():
    grid = DepthMap()
    # A wall 1 m ahead, from y = -6 to y = +1: only the left is open.
    wall_N2 = np.array([[1.0, y] for y in np.arange(-6.0, 1.0, 0.05)])
    grid.add_obstacles(wall_N2, weight=9)
    bearing, length = grid.path_to(2.0, -0.5)
    assert bearing > math.radians(20.0)
    assert length > 3.0


def test_a_goal_inside_an_obstacle_is_replaced_by_the_nearest_free_cell():
    grid = DepthMap()
    grid.add_obstacles(
        np.array([[2.0 + dx, dy] for dx in np.arange(0, 0.5, 0.05) for dy in np.arange(-0.3, 0.3, 0.05)]), 9
    )
    bearing, length = grid.path_to(2.2, 0.0)
    assert math.isfinite(length)
    assert abs(bearing) < math.radians(15.0)


def test_there_is_no_path_out_of_a_closed_box():
    grid = DepthMap()
    ring = np.arange(0.0, 2 * math.pi, 0.02)
    grid.add_obstacles(np.stack([np.cos(ring), np.sin(ring)], axis=1), 9)
    assert grid.path_to(3.0, 0.0)[1] == math.inf


def test_the_cost_to_go_agrees_with_scipy():
    rng = np.random.default_rng(0)
    cost_HW = rng.uniform(1.0, 4.0, (9, 11))
    cost_HW[rng.random((9, 11)) < 0.25] = np.inf
    cost_HW[0, 0] = cost_HW[8, 10] = 1.0
    nodes = [tuple(n) for n in np.argwhere(np.isfinite(cost_HW))]
    index = {node: i for i, node in enumerate(nodes)}
    edges = [
        (index[a], index[b], math.hypot(dr, dc) * 0.5 * (cost_HW[a] + cost_HW[b]))
        for a in nodes
        for dr in (-1, 0, 1)
        for dc in (-1, 0, 1)
        if (dr or dc) and (b := (a[0] + dr, a[1] + dc)) in index
    ]
    rows, columns, lengths = zip(*edges, strict=True)
    graph = coo_matrix((lengths, (rows, columns)), (len(nodes), len(nodes))).tocsr()
    expected = dijkstra(graph, indices=index[8, 10])
    found = cost_to_go(cost_HW, 8, 10, 0, 0)
    assert found[0, 0] == pytest.approx(expected[index[0, 0]])
    settled = [n for n in nodes if found[n] <= found[0, 0]]
    np.testing.assert_allclose([found[n] for n in settled], [expected[index[n]] for n in settled])


def corridor_at(metres: float) -> np.ndarray:
    """A depth image in a corridor 1.2 m wide and 2.6 m high that ends `metres` ahead."""
    axis = (0.5 * (SIZE - 1) - np.arange(SIZE)) / (SIZE / 2)
    up, left = np.meshgrid(axis, axis, indexing="ij")
    with np.errstate(divide="ignore"):
        floor_or_ceiling = np.where(up < 0, CAMERA_HEIGHT / -up, 1.35 / np.maximum(up, 1e-9))
        return np.minimum(np.minimum(floor_or_ceiling, 0.6 / np.abs(left)), metres).astype(np.float32)


def test_steps_in_a_corridor_are_not_blocked():
    """Walls, floor and ceiling of a corridor look alike everywhere along it: the median pixel does not change."""
    change = np.abs(corridor_at(5.0) - corridor_at(4.85))
    assert np.median(change) < 0.02
    grid = DepthMap()
    grid.update(None, corridor_at(5.0))
    for step in range(1, 5):
        grid.update(Action.FORWARD, corridor_at(5.0 - 0.15 * step))
        assert not grid.blocked
    assert (grid.x, grid.y) == pytest.approx((0.6, 0.0), abs=0.01)
    grid.update(Action.FORWARD, corridor_at(4.4))
    assert grid.blocked
    assert (grid.x, grid.y) == pytest.approx((0.6, 0.0), abs=0.01)
