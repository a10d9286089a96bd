"""Counterfactual poses can be walked to, are spread as described, and depend on nothing but their key."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from avw.avw4k.plan.counterfactual import POSES, REACH, RISE, CounterfactualPoses
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.types import TURN_RADIANS, Pose
from tests.sim_bridge.backends import open_mesh
from tests.sim_bridge.boxes import box_scene, flat, room
from tests.sim_bridge.storeys import two_storeys


@pytest.fixture(scope="module")
def hall() -> FreeSpace:
    """One empty room, large enough that every place within reach of its middle is free."""
    return free_space_of(box_scene(*room(16.0, 16.0)))


@pytest.fixture(scope="module")
def house() -> FreeSpace:
    """Two storeys with stairs."""
    return free_space_of(box_scene(*two_storeys()))


def drawn(navgrid: FreeSpace, pose: Pose, observations: int = 60, seed: int = 3) -> np.ndarray:
    """(observations, 16, 5) at one pose; the source is where the agent stands."""
    field = navgrid.geodesic(pose.position_3)
    poses = CounterfactualPoses(field, seed, "scene", observations)
    return np.stack([poses.draw(t, pose, field.distance(pose.position_3)) for t in range(observations)])


def across(poses_TN5: np.ndarray, pose: Pose) -> np.ndarray:
    return np.hypot(poses_TN5[..., 0] - pose.x, poses_TN5[..., 2] - pose.z)


def test_distances_directions_and_turns_are_uniform_where_all_is_free(hall: FreeSpace) -> None:
    pose = Pose(8.0, hall.floor_y, 8.0, 0.3)
    poses_TN5 = drawn(hall, pose, observations=200)
    metres_N = across(poses_TN5, pose).ravel()
    counts = np.histogram(metres_N, 6, (0.0, REACH))[0]
    assert counts.sum() == 200 * POSES
    assert counts.min() > 0.85 * counts.mean()
    angle_N = np.arctan2(poses_TN5[..., 0] - pose.x, poses_TN5[..., 2] - pose.z).ravel()
    assert np.histogram(angle_N, 8, (-math.pi, math.pi))[0].min() > 0.85 * 200 * POSES / 8
    turns_N = ((poses_TN5[..., 3].ravel() - pose.yaw) / TURN_RADIANS) % 36
    assert np.allclose(turns_N, turns_N.round(), atol=1e-4)
    assert set(turns_N.round().astype(int) % 36) == set(range(36))
    # In an empty room the walk to the middle is a straight line.
    assert poses_TN5[..., 4].ravel() == pytest.approx(metres_N, abs=1e-3)


@pytest.mark.parametrize("backend", ["flat", "layered", pytest.param("habitat", marks=pytest.mark.habitat)])
def test_every_pose_can_be_walked_to(backend: str, hall: FreeSpace, house: FreeSpace, tmp_path_factory) -> None:
    open_space: dict[str, Callable[[], FreeSpace]] = {
        "flat": lambda: free_space_of(box_scene(*flat())),
        "layered": lambda: house,
        "habitat": lambda: open_mesh("habitat", box_scene(*two_storeys()), tmp_path_factory.mktemp("mesh")).navgrid,
    }
    navgrid = open_space[backend]()
    rng = np.random.default_rng(0)
    for _ in range(6):
        x, y, z = (float(value) for value in navgrid.sample(rng))
        field = navgrid.geodesic((x, y, z))
        poses_TN5 = drawn(navgrid, Pose(x, y, z, 0.0), observations=6)
        assert across(poses_TN5, Pose(x, y, z, 0.0)).max() <= REACH + 1e-3
        assert np.abs(poses_TN5[..., 1] - y).max() <= RISE + 1e-3
        for pose_5 in poses_TN5.reshape(-1, 5).astype(np.float64):
            assert field.distance(pose_5[:3]) == pytest.approx(pose_5[4], abs=1e-3)


def test_on_stairs_the_points_follow_the_floor(house: FreeSpace) -> None:
    heights_N = np.linspace(house.floors[0].y + 0.8, house.floors[-1].y - 0.8, 3)
    points_N3 = np.concatenate([house.near(np.array([0.0, y, 0.0]), 50.0) for y in heights_N + 1.0])
    for y in heights_N:
        on_stairs_3 = points_N3[np.abs(points_N3[:, 1] - y).argmin()]
        assert on_stairs_3[1] == pytest.approx(y, abs=0.1), "the house has no stairs: nothing is tested here"
        poses_TN5 = drawn(house, Pose(*map(float, on_stairs_3), 0.0))
        assert (poses_TN5[..., 1] > y + 0.5).any()
        assert (poses_TN5[..., 1] < y - 0.5).any()


def test_upstairs_the_rooms_below_are_not_offered(house: FreeSpace) -> None:
    low, high = house.floors[0].y, house.floors[-1].y
    assert high - low > 2 * RISE - 1.0
    rng = np.random.default_rng(1)
    x, y, z = next(point for point in (house.sample(rng) for _ in range(500)) if point[1] > high - 0.05)
    assert drawn(house, Pose(float(x), float(y), float(z), 0.0))[..., 1].min() > high - RISE - 1e-3


def test_a_row_depends_on_its_number_and_pose_only(hall: FreeSpace) -> None:
    pose, other = Pose(5.0, hall.floor_y, 6.0, 0.1), Pose(7.0, hall.floor_y, 6.0, 0.1)
    field = hall.geodesic((4.0, hall.floor_y, 4.0))
    first, second = (CounterfactualPoses(field, 9, "scene", length) for length in (5, 40))
    for t in range(3):
        first.draw(t, other, 1.0)
    assert first.draw(4, pose, 1.0).tobytes() == second.draw(4, pose, 1.0).tobytes()
    assert first.draw(4, pose, 1.0).tobytes() != second.draw(5, pose, 1.0).tobytes()
    assert first.draw(4, pose, 1.0).tobytes() != first.draw(4, other, 1.0).tobytes()
    other_seed = CounterfactualPoses(field, 10, "scene", 5)
    assert first.draw(4, pose, 1.0).tobytes() != other_seed.draw(4, pose, 1.0).tobytes()


def test_where_nothing_is_found_the_pose_of_the_agent_is_repeated() -> None:
    closet = free_space_of(box_scene(*room(1.05, 1.05)))
    x, y, z = (float(value) for value in closet.sample(np.random.default_rng(2)))
    pose = Pose(x, y, z, 0.5)
    poses_TN5 = drawn(closet, pose)
    own = np.array([x, y, z, 0.5, 0.0], dtype=np.float32)
    repeated_TN = (poses_TN5 == own).all(axis=-1)
    assert repeated_TN.any()
    assert not repeated_TN.all()
    assert np.isfinite(poses_TN5).all()
