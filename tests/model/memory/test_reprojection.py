"""Reprojection of RGB-D frames: closed forms, symmetries, and every kind of input that may be incomplete."""

import math

import numpy as np
import pytest
import torch

from avw.model.memory.reprojection import reproject_frames
from avw.model.rotation import Rotation
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import TURN_RADIANS

SIZE = 64


def picture(size: int = SIZE, seed: int = 0) -> np.ndarray:
    """A smooth random picture, uint8 (size, size, 3)."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.uniform(0, 255, (1, 3, 6, 6)))
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False)
    return smooth[0].permute(1, 2, 0).clamp(0, 255).round().to(torch.uint8).numpy()


def wall(metres: float, size: int = SIZE) -> np.ndarray:
    return np.full((size, size), round(metres * 1000), np.uint16)


def one(rgb, depth, pose, hfov=90.0, size=None):
    """One frame drawn from one target; `pose` is that of the frame seen from the target."""
    return reproject_frames(rgb[None], depth[None], np.array([[0]]), np.array([[pose]], np.float64), hfov, size=size)


def random_depth(rng: np.random.Generator, size: int = SIZE, holes: float = 0.1) -> np.ndarray:
    """Boxes before a wall, with holes."""
    depth = wall(rng.uniform(2.0, 6.0), size)
    for _ in range(6):
        i, j = rng.integers(0, size, 2)
        depth[i : i + size // 3, j : j + size // 4] = rng.integers(300, 3000)
    depth[rng.random(depth.shape) < holes] = 0
    return depth


@pytest.mark.parametrize("size", [16, 33, 64, 96, 100])
@pytest.mark.parametrize("hfov", [60.0, 90.0, 120.0])
def test_the_own_pose_shows_the_frame_itself(size, hfov):
    rgb, depth = picture(size), random_depth(np.random.default_rng(size), size, holes=0.0)
    drawn = one(rgb, depth, (0, 0, 0, 0), hfov)
    np.testing.assert_array_equal(drawn.rgb_PHWC[0], rgb)
    np.testing.assert_allclose(drawn.depth_PHW[0], depth / 1000, rtol=1e-6)
    assert drawn.coverage_PHW.all()
    assert (drawn.source_PHW == 0).all()


@pytest.mark.parametrize("turns", [1, -3])
def test_a_turn_on_the_spot_is_the_rotation_warp(turns):
    """After a turn to the left by a, the frame is seen at -a, at any depth."""
    rgb, angle = picture(), turns * TURN_RADIANS
    # Far away at equal distance, so that the planar depth of the drawn pixels follows from the geometry of a sphere.
    axis = ((np.arange(SIZE) + 0.5) / SIZE * 2 - 1)[None]
    depth = np.round(1000 * 8.0 / np.sqrt(1 + axis**2 + axis.T**2)).astype(np.uint16)
    drawn = one(rgb, depth, (0, 0, 0, -angle))
    warped, seen = Rotation(SIZE, 90.0).turned(torch.from_numpy(rgb)[None], torch.tensor([angle]), smooth=True)
    # The outermost column in view is drawn where half of a source pixel is in view.
    inner = np.zeros((SIZE, SIZE), bool)
    inner[2:-2, 2:-2] = True
    both = seen[0].numpy() & drawn.coverage_PHW[0] & inner
    assert both.sum() > 0.98 * (seen[0].numpy() & inner).sum()
    difference = np.abs(drawn.rgb_PHWC[0].astype(int) - warped[0].numpy().astype(int))[both]
    assert np.quantile(difference, 0.99) <= 2
    np.testing.assert_allclose(drawn.depth_PHW[0][both], depth[both] / 1000, rtol=0.02)


def test_a_wall_moves_by_the_parallax():
    """A step of b metres to the left moves a wall z metres ahead by focal·b/z pixels to the right."""
    rgb, z = picture(), 2.0
    pixels = 8
    step = pixels * z / (SIZE / 2)
    drawn = one(rgb, wall(z), (0, -step, 0, 0))
    np.testing.assert_array_equal(drawn.rgb_PHWC[0][:, pixels:], rgb[:, :-pixels])
    assert drawn.coverage_PHW[0][:, pixels:].all()
    assert not drawn.coverage_PHW[0][:, :pixels].any()
    np.testing.assert_allclose(drawn.depth_PHW[0], z, rtol=1e-5)


def test_a_step_up_moves_a_wall_down():
    rgb, z = picture(), 2.0
    step = 4 * z / (SIZE / 2)
    drawn = one(rgb, wall(z), (0, 0, -step, 0))
    np.testing.assert_array_equal(drawn.rgb_PHWC[0][4:], rgb[:-4])
    assert not drawn.coverage_PHW[0][:4].any()


def test_a_step_ahead_brings_a_wall_nearer_and_magnifies_it():
    drawn = one(picture(), wall(2.0), (-1.0, 0, 0, 0))
    np.testing.assert_allclose(drawn.depth_PHW[0], 1.0, rtol=1e-5)
    assert drawn.coverage_PHW.all()
    centre = picture()[SIZE // 4 : -SIZE // 4, SIZE // 4 : -SIZE // 4].astype(float)
    shrunk = drawn.rgb_PHWC[0].astype(float).reshape(SIZE // 2, 2, SIZE // 2, 2, 3).mean((1, 3))
    assert np.abs(shrunk - centre).mean() < 1.5


def test_the_newest_frame_hides_older_ones_where_it_was_drawn():
    old, new = np.full((SIZE, SIZE, 3), 50, np.uint8), np.full((SIZE, SIZE, 3), 200, np.uint8)
    depth = np.stack([wall(1.0), wall(3.0)])
    depth[1, :, : SIZE // 2] = 0  # the new frame saw nothing on its left
    poses = np.zeros((1, 2, 4))
    drawn = reproject_frames(np.stack([old, new]), depth, np.array([[0, 1]]), poses, 90.0)
    assert (drawn.rgb_PHWC[0, :, SIZE // 2 :] == 200).all()
    assert (drawn.rgb_PHWC[0, :, : SIZE // 2] == 50).all()
    assert (drawn.source_PHW[0, :, SIZE // 2 :] == 1).all()
    assert (drawn.source_PHW[0, :, : SIZE // 2] == 0).all()


def test_the_nearest_surface_of_a_frame_hides_the_others():
    """From a place to the left, a post in the middle covers another part of the wall."""
    rgb, depth = np.full((SIZE, SIZE, 3), 100, np.uint8), wall(4.0)
    post = slice(SIZE // 2 - 4, SIZE // 2 + 4)
    rgb[:, post], depth[:, post] = 250, 1000
    pixels = 8  # of the post; a quarter of it for the wall
    drawn = one(rgb, depth, (0, -pixels * 1.0 / (SIZE / 2), 0, 0))
    np.testing.assert_allclose(drawn.depth_PHW[0][:, post.start + pixels : post.stop + pixels], 1.0, rtol=1e-5)
    assert (drawn.rgb_PHWC[0][:, post.start + pixels + 1 : post.stop + pixels - 1] == 250).all()
    behind = drawn.coverage_PHW[0][:, post.start + 2 : post.stop + 2]
    assert not behind.all()  # the wall behind the post was never seen


def test_unseen_pixels_get_the_colours_and_depths_around_them():
    rgb, depth = np.full((SIZE, SIZE, 3), 90, np.uint8), wall(2.5)
    depth[20:40, 10:50] = 0
    drawn = one(rgb, depth, (0, 0, 0, 0))
    assert not drawn.coverage_PHW[0, 20:40, 10:50].all()
    assert (drawn.source_PHW[0][~drawn.coverage_PHW[0]] == -1).all()
    assert (drawn.rgb_PHWC == 90).all()
    np.testing.assert_allclose(drawn.depth_PHW, 2.5, rtol=1e-4)


@pytest.mark.parametrize("frames", [[-1, -1], [-1, 0]])
def test_a_target_that_no_frame_shows_is_filled_with_a_neutral_colour(frames):
    """No frames at all, or one that looks the other way."""
    rgb = np.full((1, SIZE, SIZE, 3), 77, np.uint8)
    poses = np.zeros((1, 2, 4))
    poses[..., 3] = math.pi
    drawn = reproject_frames(rgb, wall(3.0)[None], np.array([frames]), poses, 90.0)
    assert not drawn.coverage_PHW.any()
    assert (drawn.source_PHW == -1).all()
    assert (drawn.rgb_PHWC == (77 if frames[-1] == 0 else 128)).all()
    assert (drawn.depth_PHW > 0.5).all()


@pytest.mark.parametrize("size", [16, 32, 48, 128])
def test_targets_of_other_sizes_show_the_same(size):
    rgb, depth = picture(), wall(2.0)
    drawn = one(rgb, depth, (-0.2, 0.1, 0, 0.1), size=size)
    full = one(rgb, depth, (-0.2, 0.1, 0, 0.1))
    assert drawn.rgb_PHWC.shape == (1, size, size, 3)
    as_image = [torch.from_numpy(r.rgb_PHWC).permute(0, 3, 1, 2).float() for r in (drawn, full)]
    small = [torch.nn.functional.adaptive_avg_pool2d(image, 16) for image in as_image]
    assert float((small[0] - small[1]).abs().mean()) < 2.0
    assert abs(drawn.coverage_PHW.mean() - full.coverage_PHW.mean()) < 0.04


@pytest.mark.parametrize("size", [24, 32, 50])
def test_random_poses_give_complete_images_again_and_again(size):
    rng = np.random.default_rng(size)
    F, N, P = 5, 4, 12
    rgb = np.stack([picture(size, k) for k in range(F)])
    depth = np.stack([random_depth(rng, size) for _ in range(F)])
    frames = rng.integers(-1, F, (P, N))
    poses = rng.normal(0.0, [1.0, 1.0, 0.3, 1.5], (P, N, 4))
    drawn = reproject_frames(rgb, depth, frames, poses, 90.0)
    again = reproject_frames(rgb, depth, frames, poses, 90.0)
    assert (drawn.rgb_PHWC.dtype, drawn.depth_PHW.dtype) == (np.uint8, np.float32)
    assert (drawn.coverage_PHW.dtype, drawn.source_PHW.dtype) == (bool, np.int8)
    assert np.isfinite(drawn.depth_PHW).all()
    assert (drawn.depth_PHW > 0).all()
    np.testing.assert_array_equal(drawn.coverage_PHW, drawn.source_PHW >= 0)
    assert 0.05 < drawn.coverage_PHW.mean() < 1.0
    for p in range(P):
        used = np.unique(drawn.source_PHW[p])
        assert (frames[p, used[used >= 0]] >= 0).all()
    for name in ("rgb_PHWC", "depth_PHW", "coverage_PHW", "source_PHW"):
        np.testing.assert_array_equal(getattr(drawn, name), getattr(again, name))


@pytest.mark.parametrize("seed", range(4))
def test_skipping_hidden_blocks_loses_nothing(seed):
    """What a frame alone covers is covered when newer frames are drawn first."""
    rng = np.random.default_rng(seed)
    rgb = np.stack([picture(64, k) for k in range(3)])
    depth = np.stack([random_depth(rng, 64, holes=0.0) for _ in range(3)])
    poses = rng.normal(0.0, [0.4, 0.4, 0.1, 0.4], (1, 3, 4))
    drawn = reproject_frames(rgb, depth, np.array([[0, 1, 2]]), poses, 90.0)
    alone = [reproject_frames(rgb, depth, np.array([[k]]), poses[:, k : k + 1], 90.0) for k in range(3)]
    any_alone = np.logical_or.reduce([a.coverage_PHW for a in alone])
    # Cracks are closed between equal depths, which a newer frame in between may change: a few pixels differ.
    assert (any_alone & ~drawn.coverage_PHW).mean() < 0.001
    assert (drawn.source_PHW == 0).any()
    assert (drawn.source_PHW == 2).any()


@pytest.mark.parametrize(
    ("shape", "hfov", "word"), [((32, 64), 90.0, "square"), ((64, 64), 360.0, "square"), ((64, 64), 180.0, "180")]
)
def test_panoramas_are_refused_in_a_sentence(shape, hfov, word):
    rgb, depth = np.zeros((1, *shape, 3), np.uint8), np.ones((1, *shape), np.uint16)
    with pytest.raises(UsageError, match=word):
        reproject_frames(rgb, depth, np.zeros((1, 1), int), np.zeros((1, 1, 4)), hfov)


def test_a_frame_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="frame 1 does not exist"):
        reproject_frames(picture()[None], wall(1.0)[None], np.array([[1]]), np.zeros((1, 1, 4)), 90.0)
