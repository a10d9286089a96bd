"""`SpatialMemory` in rooms of exact geometry."""

import numpy as np
import pytest

from avw.model.memory.config import MemoryConfig
from avw.model.memory.poses import compose
from avw.model.memory.rolling import commanded_steps
from avw.model.memory.spatial_memory import SpatialMemory, millimetres
from avw.model.memory.tracks import episode_tracks
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action, Observation
from tests.model.memory.rooms import closed_room, depth_in_room

F, L, R = Action.FORWARD, Action.TURN_LEFT, Action.TURN_RIGHT
WALLS = [*closed_room(ahead=2.0), (0.9, 1.3, -1.5, -0.8, 1.0)]
ACTIONS = [F, F, L, L, L, F, F, R, R, F, F, F, F, F, F, F, F, F, F, L, F]
SIZE = 64


def observed(pose, value=100, size=SIZE) -> Observation:
    depth = depth_in_room(WALLS, pose, size).astype(np.float32) / 1000
    return Observation(np.full((size, size, 3), value, np.uint8), depth, np.zeros((2, 4), np.float32))


@pytest.fixture(scope="module")
def walk():
    poses = [np.zeros(4)]
    for step in commanded_steps(ACTIONS):
        pose = compose(poses[-1], step)
        pose[0] = min(pose[0], 1.9)
        poses.append(pose)
    return np.array(poses)


def remembered(poses, **config) -> SpatialMemory:
    memory = SpatialMemory(90.0, MemoryConfig(**config))
    for t, pose in enumerate(poses):
        memory.observe(observed(pose, value=10 * (t % 20)), ACTIONS[t - 1] if t else None)
    return memory


@pytest.mark.parametrize("capacity", [2, 3, 16])
def test_a_memory_and_the_tracks_of_an_episode_agree(walk, capacity):
    """Training reads the tracks, acting runs the memory: both know the same poses, frames and motions."""
    config = MemoryConfig(keyframes=capacity)
    depth = np.stack([depth_in_room(WALLS, pose, SIZE) for pose in walk])
    tracks = episode_tracks(depth, ACTIONS, 90.0, horizon=6, config=config)
    memory = SpatialMemory(90.0, config)
    for t, pose in enumerate(walk):
        memory.observe(observed(pose), ACTIONS[t - 1] if t else None)
        np.testing.assert_array_equal(memory.pose_4, tracks.odometry_T4[t])
        held = tracks.keyframes_TK[t]
        assert [frame.step for frame in memory.frames()] == list(held[held >= 0])
        ahead = ACTIONS[t : t + 6]
        np.testing.assert_allclose(memory.roll(ahead), tracks.rolled_TN3[t, : len(ahead)], atol=1e-6)


def test_the_current_pose_shows_the_current_frame_with_age_zero(walk):
    memory = remembered(walk[:6])
    drawn = memory.reproject(np.zeros((1, 3)))
    current = observed(walk[5], 50)
    valid = current.depth_HW > 0
    assert (drawn.rgb_PHWC[0][valid] == 50).all()
    assert (drawn.age_PHW[0][valid] == 0).all()


def test_what_was_seen_before_a_turn_is_known_after_it_with_its_age(walk):
    memory = SpatialMemory(90.0)
    poses = np.zeros((10, 4))
    poses[:, 3] = np.radians(10.0) * np.arange(10)
    for t, pose in enumerate(poses):
        memory.observe(observed(pose, 10 + 20 * t), L if t else None)
    drawn = memory.reproject(np.array([[0.0, 0.0, -np.radians(90.0)]]))
    assert drawn.coverage_PHW.mean() > 0.98
    # The first frame fills the view of its own heading, except where the later ones overlap with it.
    assert np.median(drawn.rgb_PHWC[0, :, SIZE - 4 :]) == 10
    assert np.median(drawn.age_PHW[0, :, SIZE - 4 :]) == 9
    assert (drawn.age_PHW[~drawn.coverage_PHW] == -1).all()
    assert drawn.age_PHW.dtype == np.int32


def test_imagined_frames_never_hide_observed_ones(walk):
    memory = remembered(walk[:3])
    before = memory.reproject(np.array([[0.3, 0.0, 0.8]]))
    dream = memory.copy()
    imagined = observed(compose(memory.pose_4, np.array([0.3, 0.0, 0.8])), value=255)
    dream.add(imagined.rgb_HWC, imagined.depth_HW, compose(memory.pose_4, np.array([0.3, 0.0, 0.8])), imagined=True)
    after = dream.reproject(np.array([[0.3, 0.0, 0.8]]))
    assert 0.05 < before.coverage_PHW.mean() < 0.95
    assert after.coverage_PHW.mean() > 0.98
    seen = before.coverage_PHW[0]
    assert (after.source_PHW[0][seen] >= dream.imagined).mean() > 0.995
    assert (after.rgb_PHWC[0][seen] < 255).mean() > 0.97
    assert (after.rgb_PHWC[0][~seen & after.coverage_PHW[0]] == 255).mean() > 0.9
    # The copy left the memory as it was, and the current pose and the obstacles do not depend on what was imagined.
    np.testing.assert_array_equal(memory.reproject(np.array([[0.3, 0.0, 0.8]])).rgb_PHWC, before.rgb_PHWC)
    assert (memory.imagined, dream.imagined, len(dream.frames())) == (0, 1, len(memory.frames()) + 1)
    np.testing.assert_array_equal(dream.pose_4, memory.pose_4)
    np.testing.assert_array_equal(dream.roll([F] * 12), memory.roll([F] * 12))


def test_many_imagined_frames_push_out_no_observed_one(walk):
    memory = remembered(walk[:6], keyframes=4)
    held = [frame.step for frame in memory.frames()]
    depth = depth_in_room(WALLS, (0, 0, 0, 0), SIZE)
    for k in range(20):
        memory.add(np.zeros((SIZE, SIZE, 3), np.uint8), depth, np.array([0.2 * k, 0.0, 0.0]), imagined=True)
    assert memory.imagined == 4
    assert [frame.step for frame in memory.frames()[4:]] == held


def test_frames_with_given_poses_and_heights():
    memory = SpatialMemory(90.0)
    depth = np.full((SIZE, SIZE), 2000, np.uint16)
    memory.add(np.full((SIZE, SIZE, 3), 9, np.uint8), depth, np.array([1.0, 2.0, 0.5, 0.1]))
    np.testing.assert_allclose(memory.pose_4, [1.0, 2.0, 0.5, 0.1])
    raised = memory.reproject(np.array([[0.0, 0.0, 4 * 2.0 / (SIZE / 2), 0.0]]))
    assert not raised.coverage_PHW[0, :4].any()
    assert raised.coverage_PHW[0, 4:].all()


def test_smaller_images_for_a_planner(walk):
    drawn = remembered(walk[:4]).reproject(np.zeros((5, 3)), size=32)
    assert drawn.rgb_PHWC.shape == (5, 32, 32, 3)


def test_depth_in_metres_is_rounded_and_bad_values_are_no_depth():
    depth = np.array([[1.2344, np.inf], [np.nan, -1.0]], np.float32)
    np.testing.assert_array_equal(millimetres(depth), [[1234, 0], [0, 0]])


def test_wrong_input_is_refused_in_a_sentence(walk):
    memory = SpatialMemory(90.0)
    with pytest.raises(UsageError, match="empty"):
        memory.reproject(np.zeros((1, 3)))
    with pytest.raises(UsageError, match="panoramas"):
        SpatialMemory(360.0)
    with pytest.raises(UsageError, match="square"):
        memory.add(np.zeros((32, 64, 3), np.uint8), np.ones((32, 64), np.uint16), np.zeros(3))
    memory.observe(observed(walk[0]))
    with pytest.raises(UsageError, match="64 pixels per side, the new one has 32"):
        memory.observe(observed(walk[0], size=32), F)
    with pytest.raises(UsageError, match="at least 2 keyframes"):
        MemoryConfig(keyframes=1)
