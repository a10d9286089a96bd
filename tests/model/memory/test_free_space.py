"""Free space and reachable poses in rooms of exact geometry."""

import heapq
import itertools
import math

import numpy as np
import pytest

from avw.model.memory.free_space import (
    FreeSpace,
    carve,
    enclosed,
    flood,
    reachable,
    reachable_poses,
    space_around,
    walking_cost,
)
from avw.model.memory.rolling import Obstacles
from avw.sim_bridge.types import FORWARD_METRES, TURN_RADIANS
from tests.model.memory.rooms import closed_room, depth_in_room

AROUND = [(0.0, 0.0, 0.0, math.radians(turn)) for turn in range(0, 360, 60)]


def seen(walls, poses=AROUND) -> Obstacles:
    obstacles = Obstacles(90.0)
    for pose in poses:
        depth = depth_in_room(walls, pose, 128)
        obstacles.add(depth, np.array(pose))
        carve(obstacles, depth, np.array(pose))
    return obstacles


@pytest.fixture(scope="module")
def room():
    """A closed room with a wall 1.5 m ahead that leaves a way past its left end."""
    obstacles = seen([*closed_room(ahead=3.0, behind=1.5, left=2.0, right=1.0), (1.5, 1.6, -1.0, 0.8, 2.6)])
    return space_around(obstacles, np.zeros(4))


def test_cells_are_free_occupied_or_unknown(room):
    for forward, left, free, occupied in (
        (1.0, 0.0, True, False),
        (-1.0, -0.5, True, False),
        (1.55, -0.3, False, True),
        (0.0, -1.05, False, True),
        (2.3, -0.3, False, False),  # behind the wall
        (5.0, 5.0, False, False),
    ):
        cell = room.nodes(forward, left)
        around = tuple(slice(int(node) - 1, int(node) + 2) for node in cell)
        assert bool(room.free_HW[cell]) is free
        assert bool(room.obstacle_HW[around].any()) is occupied
    assert not (room.free_HW & room.obstacle_HW).any()


def test_the_agent_does_not_fit_beside_walls(room):
    cost_HW = walking_cost(room)
    assert np.isinf(cost_HW[room.nodes(1.55, -0.3)])
    assert cost_HW[room.nodes(0.5, 0.3)] == 1.0
    assert cost_HW[room.nodes(1.25, 0.0)] > 1.0
    known = walking_cost(room, through_unknown=False)
    assert np.isinf(known[room.nodes(2.3, -0.3)])
    assert np.isfinite(cost_HW[room.nodes(2.3, -0.3)])


def test_reachable_poses_end_paths_around_the_wall(room):
    found = reachable_poses(room)
    assert len(found) > 20
    assert found.motion_K3.dtype == np.float32
    straight_K = np.hypot(found.motion_K3[:, 0], found.motion_K3[:, 1])
    assert (found.metres_K > 0.95 * straight_K - 0.15).all()
    assert ((found.metres_K > 0.4) & (found.metres_K < 6.3)).all()
    assert (found.steps_K >= found.metres_K / FORWARD_METRES - 1).all()
    behind = (found.motion_K3[:, 0] > 1.9) & (found.motion_K3[:, 1] < 0.3) & (found.motion_K3[:, 0] < 2.9)
    assert behind.any()
    assert (found.metres_K[behind] > straight_K[behind] + 0.15).all()
    cost_HW = walking_cost(room)
    for path_N2, motion_3 in zip(found.paths, found.motion_K3, strict=True):
        np.testing.assert_allclose(path_N2[0], 0.0)
        np.testing.assert_allclose(path_N2[-1], motion_3[:2], atol=1e-5)
        assert np.isfinite(cost_HW[room.nodes(path_N2[:, 0], path_N2[:, 1])]).all()
        end = math.atan2(*(path_N2[-1] - path_N2[-2])[::-1])
        assert abs((motion_3[2] - end + math.pi) % (2 * math.pi) - math.pi) < TURN_RADIANS


def test_motions_are_relative_to_the_pose_of_the_agent():
    obstacles = seen(closed_room())
    pose = np.array([0.5, -0.4, 0.0, 1.0])
    found = reachable_poses(space_around(obstacles, pose), farthest=1.2)
    for path_N2, motion_3 in zip(found.paths, found.motion_K3, strict=True):
        dx, dy = path_N2[-1] - pose[:2]
        c, s = math.cos(1.0), math.sin(1.0)
        np.testing.assert_allclose(motion_3[:2], [c * dx + s * dy, c * dy - s * dx], atol=1e-5)


def test_turns_cost_steps():
    found = reachable_poses(space_around(Obstacles(90.0), np.zeros(4)), nearest=0.6, farthest=1.2)
    bearing_K = np.abs(np.arctan2(found.motion_K3[:, 1], found.motion_K3[:, 0]))
    ahead, back = found.steps_K[bearing_K < 0.2], found.steps_K[bearing_K > 2.9]
    assert back.min() >= ahead.min() + 15


def test_an_agent_that_is_walled_in_reaches_nothing():
    ring = closed_room(ahead=0.35, behind=0.35, left=0.35, right=0.35)
    assert len(reachable_poses(space_around(seen(ring), np.zeros(4)))) == 0


def drawn(rows: str, cell: float = 0.1) -> FreeSpace:
    """A map from text: # obstacle, . free, ? unknown, A the agent, in a free cell."""
    cells_HW = np.array([list(row) for row in rows.split()])
    row, column = (int(node[0]) for node in np.nonzero(cells_HW == "A"))
    pose_4 = np.array([(row + 0.5) * cell, (column + 0.5) * cell, 0.0, 0.0])
    return FreeSpace(np.isin(cells_HW, [".", "A"]), cells_HW == "#", (0.0, 0.0), cell, pose_4)


GAP = """
    ?????????????????????
    ???????.........?????
    ???????.........?????
    ???????.........?????
    ??????###..######????
    ?????#..........#????
    ?????#..........#????
    ?????#....A.....#????
    ?????#..........#????
    ?????############????
    ?????????????????????
"""


def test_a_gap_that_looks_too_narrow_is_the_last_way_out():
    space = drawn(GAP)
    strict_HW, open_HW = walking_cost(space), walking_cost(space, squeeze=True)
    assert enclosed(space, strict_HW)
    assert not enclosed(space, open_HW)
    assert np.isinf(open_HW[space.obstacle_HW]).all()
    ahead_K, kept_K = (reachable_poses(space, cost_HW=x).motion_K3[:, 0] for x in (open_HW, strict_HW))
    assert ahead_K.min() < -0.35 < min(kept_K, default=0.0)


def test_a_room_with_a_door_is_not_enclosed():
    space = drawn(GAP.replace("###..######", "#####...###"))
    assert not enclosed(space, walking_cost(space))


def test_free_cells_are_not_points_of_obstacles():
    walls = closed_room(ahead=1.0, behind=1.0, left=1.0, right=1.0)
    points_N2 = seen(walls).points()
    assert len(points_N2) > 100
    assert np.abs(points_N2).max(axis=1).min() > 0.95  # the floor of the room is free, and all points are on its walls


def dijkstra(cost_HW: np.ndarray, start: int) -> tuple[dict[int, float], dict[int, int]]:
    """(cost, parent) of the cells that can be reached, with a heap; ties go to the parent that was taken first."""
    height, width = cost_HW.shape
    cost, parent, queue = {start: 0.0}, {start: -1}, [(0.0, start)]
    while queue:
        reached, node = heapq.heappop(queue)
        if reached > cost[node]:
            continue
        for down, across in itertools.product((-1, 0, 1), repeat=2):
            r, c = node // width + down, node % width + across
            if (down, across) == (0, 0) or not (0 <= r < height and 0 <= c < width and np.isfinite(cost_HW[r, c])):
                continue
            length = math.sqrt(2.0) if down and across else 1.0
            onward = reached + length * (0.5 * cost_HW[r, c] + 0.5 * cost_HW[node // width, node % width])
            if onward < cost.get(r * width + c, math.inf):
                cost[r * width + c], parent[r * width + c] = onward, node
                heapq.heappush(queue, (onward, r * width + c))
    return cost, parent


@pytest.mark.parametrize("seed", range(12))
def test_buckets_find_the_paths_that_a_heap_finds(seed: int):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(3, 40, 2))
    cost_HW = [np.ones(shape), rng.choice([1.0, 2.5, 10.0], shape), rng.uniform(1, 4, shape)][seed % 3]
    cost_HW[rng.random(shape) < 0.25] = np.inf
    row, column = (int(rng.integers(side)) for side in shape)
    cost_HW[row, column] = 1.0
    _, parent = dijkstra(cost_HW, row * shape[1] + column)
    metres_HW, parent_HW = flood(cost_HW, row, column, np.inf, 0.1)
    found = {node: int(parent_HW.flat[node]) for node in np.flatnonzero(np.isfinite(metres_HW))}
    assert found == parent
    for node, before in parent.items():
        if before >= 0:
            step = 0.1 * math.hypot(node // shape[1] - before // shape[1], node % shape[1] - before % shape[1])
            assert metres_HW.flat[node] == pytest.approx(metres_HW.flat[before] + step)
    near_HW, _ = flood(cost_HW, row, column, np.inf, 0.1, np.array([row * shape[1] + column]))
    assert np.isfinite(near_HW).sum() <= 9  # the search ends at the start, whose neighbours it has reached
    few = rng.integers(cost_HW.size, size=4)
    np.testing.assert_array_equal(flood(cost_HW, row, column, np.inf, 0.1, few)[0].flat[few], metres_HW.flat[few])


def test_places_behind_a_closed_wall_cannot_be_reached():
    space = space_around(seen(closed_room(ahead=2.0, behind=2.0, left=2.0, right=2.0)), np.zeros(4))
    places_N2 = np.array([[1.0, 1.0], [-1.5, 0.0], [3.5, 0.0], [0.0, -4.0], [50.0, 0.0]])
    assert reachable(space, walking_cost(space), places_N2).tolist() == [True, True, False, False, True]
