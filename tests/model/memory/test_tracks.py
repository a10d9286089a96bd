"""What a memory knows at each frame of an episode."""

import numpy as np
import pytest

from avw.model.memory.config import MemoryConfig
from avw.model.memory.poses import compose, seen_from
from avw.model.memory.rolling import commanded_steps
from avw.model.memory.tracks import episode_tracks, held_frames
from avw.sim_bridge.types import Action
from tests.model.memory.rooms import closed_room, depth_in_room

F, L, R = Action.FORWARD, Action.TURN_LEFT, Action.TURN_RIGHT
ACTIONS = [F, F, L, L, L, F, F, R, F, F, F, F, F, F, F, F, F, R, R, F]


def walked(walls, actions):
    """True poses of an agent that stops 0.1 m before a wall at forward = 1.5 and slides along it, and its depth."""
    poses = [np.zeros(4)]
    for step in commanded_steps(actions):
        pose = compose(poses[-1], step)
        pose[0] = min(pose[0], 1.4)
        poses.append(pose)
    return np.array(poses), np.stack([depth_in_room(walls, pose, 128) for pose in poses])


@pytest.fixture(scope="module")
def episode():
    return walked([*closed_room(ahead=1.5), (0.8, 1.2, -1.5, -1.0, 1.0)], ACTIONS)


def test_odometry_follows_the_true_path(episode):
    poses, depth = episode
    tracks = episode_tracks(depth, ACTIONS, 90.0, horizon=8)
    assert np.abs(poses[:, 0] - np.cumsum(commanded_steps([0, *ACTIONS])[:, 0])).max() > 0.2  # the wall was hit
    # At the wall, which fills the view, the distance along it can only be assumed.
    np.testing.assert_allclose(tracks.odometry_T4, poses, atol=0.08)
    np.testing.assert_allclose(tracks.odometry_T4[:12], poses[:12], atol=0.02)


def test_rolled_motions_foresee_the_wall(episode):
    poses, depth = episode
    tracks = episode_tracks(depth, ACTIONS, 90.0, horizon=8)
    assert (tracks.rolled_TN3.shape, tracks.rolled_TN3.dtype) == ((len(poses), 8, 3), np.float32)
    for t in range(len(poses)):
        for n in range(8):
            true = seen_from(poses[t], poses[min(t + n + 1, len(poses) - 1)])
            if t < len(ACTIONS):
                np.testing.assert_allclose(tracks.rolled_TN3[t, n], true[[0, 1, 3]], atol=0.08)
    assert (tracks.rolled_TN3[-1] == 0).all()


def test_keyframes_are_far_apart_and_end_in_the_current_frame():
    turns = np.zeros((12, 4))
    turns[:, 3] = np.arange(12) * np.radians(10.0)
    held = held_frames(turns, MemoryConfig(keyframes=3))
    np.testing.assert_array_equal(
        held[:8],
        [[-1, -1, 0], [-1, 0, 1], [-1, 0, 2], [-1, 0, 3], [0, 3, 4], [0, 3, 5], [0, 3, 6], [3, 6, 7]],
    )
    steps = np.zeros((6, 4))
    steps[:, 0] = np.arange(6) * 0.15
    np.testing.assert_array_equal(held_frames(steps, MemoryConfig(keyframes=4))[-1], [0, 2, 4, 5])


def test_an_episode_without_actions():
    tracks = episode_tracks(np.full((1, 16, 16), 2000, np.uint16), [], 90.0, horizon=4)
    assert (tracks.odometry_T4 == 0).all()
    assert (tracks.rolled_TN3 == 0).all()
    assert tracks.keyframes_TK[0, -1] == 0


def test_poses_compose_and_are_seen_from_each_other():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20, 4))
    np.testing.assert_allclose(compose(a, seen_from(a, b))[:, :3], b[:, :3], atol=1e-12)
    np.testing.assert_allclose(seen_from(a, compose(a, b))[:, :3], b[:, :3], atol=1e-12)
    np.testing.assert_allclose(compose([0, 0, 0, np.pi / 2], [1.0, 0.0, 0.0]), [0, 1, 0, np.pi / 2], atol=1e-12)
