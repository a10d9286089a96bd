"""The torch version of the reprojection gives the same images as the compiled one."""

import numpy as np
import pytest
import torch

from avw.model.memory import reprojection, reprojection_torch
from avw.model.memory.poses import seen_from
from tests.model.memory.rooms import closed_room, depth_in_room

WALLS = [*closed_room(), (1.5, 1.9, -1.2, -0.7, 0.8), (2.5, 3.0, 0.6, 1.4, 1.9)]


@pytest.mark.parametrize(("source", "size"), [(64, 64), (64, 32), (50, 50)])
def test_both_versions_agree(source, size):
    rng = np.random.default_rng(source + size)
    F, N, P = 6, 4, 8
    pose_F4 = np.array([[0.15 * f, 0.02 * f, 0.0, 0.1 * f] for f in range(F)])
    depth = np.stack([depth_in_room(WALLS, pose, source, holes=0.002, seed=f) for f, pose in enumerate(pose_F4)])
    coarse = torch.from_numpy(rng.uniform(0, 255, (F, 3, 6, 6)))
    smooth = torch.nn.functional.interpolate(coarse, size=(source, source), mode="bilinear", align_corners=False)
    rgb = np.ascontiguousarray(smooth.permute(0, 2, 3, 1).round().to(torch.uint8).numpy())
    target_P4 = np.stack([rng.uniform(0, 1.2, P), rng.uniform(-0.4, 0.4, P), np.zeros(P), rng.uniform(-0.9, 0.9, P)], 1)
    frames = np.sort(rng.integers(-1, F, (P, N)), 1)
    frames[0] = -1
    poses = seen_from(target_P4[:, None], pose_F4[np.maximum(frames, 0)])
    compiled = reprojection.reproject_frames(rgb, depth, frames, poses, 90.0, size=size)
    tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in (rgb, depth.astype(np.int32), frames, poses)]
    scattered = reprojection_torch.reproject_frames(*tensors, 90.0, size=size)
    equal = compiled.coverage_PHW == scattered.coverage_PHW.numpy()
    assert equal.mean() > 0.995
    assert not compiled.coverage_PHW[0].any()
    assert 0.3 < compiled.coverage_PHW[1:].mean() < 0.99
    same = compiled.coverage_PHW & (compiled.source_PHW == scattered.source_PHW.numpy())
    assert same.sum() > 0.99 * compiled.coverage_PHW.sum()
    # Colours are compared where both drew the same surface: at edges, ties may be decided differently.
    depth_error = np.abs(compiled.depth_PHW - scattered.depth_PHW.numpy()) / compiled.depth_PHW
    assert (depth_error[same] < 0.01).mean() > 0.99
    colour_error = np.abs(compiled.rgb_PHWC.astype(int) - scattered.rgb_PHWC.numpy().astype(int)).max(-1)
    assert (colour_error[same & (depth_error < 0.01)] <= 2).mean() > 0.995
    assert colour_error[~compiled.coverage_PHW].mean() < 4.0
