"""RGB-D frames drawn as seen from another pose: what a camera would see of the surfaces that were seen before.

Three passes, without learning. (1) Every pixel of a frame becomes a point and is drawn into the target with a depth
test, newest frame first; an older frame draws only where no newer one did, because positions from odometry drift and
the newest fit best. (2) The colour of each drawn pixel is looked up, bilinear, in the frame it came from. (3) Pixels
that nothing was drawn into are filled smoothly from their surroundings (push-pull).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.errors import UsageError

MOST_FRAMES = 127  # `source` is int8


@dataclass(frozen=True, slots=True)
class Reprojection:
    """What the memory shows from P target poses.

    rgb_PHWC: uint8, filled · depth_PHW: float32 metres, planar z, filled
    coverage_PHW: bool; whether a frame shows the pixel; the other pixels are filled in
    source_PHW: int8; index into the N frames of the target, -1 where no frame shows the pixel
    age_PHW: int32 steps since the frame of the pixel was observed, -1 where no frame shows it; None without a memory
    """

    rgb_PHWC: np.ndarray
    depth_PHW: np.ndarray
    coverage_PHW: np.ndarray
    source_PHW: np.ndarray
    age_PHW: np.ndarray | None = None


def with_arrays(change: Callable[..., np.ndarray], *parts: Reprojection) -> Reprojection:
    """The reprojection whose every array is `change` of the arrays of `parts`; an age that is missing stays missing."""
    arrays = {name: [getattr(part, name) for part in parts] for name in Reprojection.__slots__}
    changed = {name: change(*found) for name, found in arrays.items() if found[0] is not None}
    return Reprojection(**changed)


def reproject_frames(
    rgb_FHWC: np.ndarray,
    depth_FHW: np.ndarray,
    frames_PN: np.ndarray,
    pose_PN4: np.ndarray,
    hfov: float,
    *,
    size: int | None = None,
) -> Reprojection:
    """Draw P targets of `size` pixels from N frames each. Deterministic; runs on one thread and releases the GIL.

    rgb_FHWC: uint8, square · depth_FHW: uint16 millimetres, 0 = nothing hit
    frames_PN: indices into F, the newest last; -1 for none
    pose_PN4: (forward, left, up, turn) of each frame seen from its target: metres, radians
    hfov: horizontal field of view of frames and targets, degrees
    size: pixels per side of the targets; by default that of the frames. Smaller targets are cheaper.

    Raises UsageError for images that are not square and for a list of frames that is too long.
    """
    from avw.model.memory.reprojection_kernels import reproject_all

    size = checked_size(rgb_FHWC, depth_FHW, frames_PN, pose_PN4, hfov, size)
    source = depth_FHW.shape[1]
    P = len(frames_PN)
    rgb_PHWC = np.empty((P, size, size, 3), np.uint8)
    depth_PHW = np.empty((P, size, size), np.float32)
    coverage_PHW = np.empty((P, size, size), np.bool_)
    source_PHW = np.empty((P, size, size), np.int8)
    stride = max(1, source // size)
    reproject_all(
        np.ascontiguousarray(rgb_FHWC),
        np.ascontiguousarray(depth_FHW),
        np.ascontiguousarray(frames_PN, np.int64),
        np.ascontiguousarray(pose_PN4, np.float64),
        math.tan(math.radians(hfov) / 2),
        stride,
        max(1, round(source / size / 2)),
        rgb_PHWC,
        depth_PHW,
        coverage_PHW,
        source_PHW,
    )
    return Reprojection(rgb_PHWC, depth_PHW, coverage_PHW, source_PHW)


def checked_size(rgb_FHWC, depth_FHW, frames_PN, pose_PN4, hfov: float, size: int | None) -> int:
    """Pixels per side of the targets; raises UsageError for input that cannot be reprojected."""
    F, height, width = depth_FHW.shape
    if height != width or not 0 < hfov < 180:
        raise UsageError(
            f"reprojection needs square images with a field of view below 180°, not {width} x {height} pixels and "
            f"{hfov:g}°: panoramas cannot be reprojected; generate the dataset with a field of view of 90°"
        )
    if tuple(rgb_FHWC.shape) != (F, height, width, 3):
        raise UsageError(f"colour and depth differ in shape: {tuple(rgb_FHWC.shape)} and {tuple(depth_FHW.shape)}")
    if tuple(pose_PN4.shape) != (*frames_PN.shape, 4):
        raise UsageError(
            f"{tuple(pose_PN4.shape)} poses do not fit {tuple(frames_PN.shape)} frames: expected (P, N, 4)"
        )
    if frames_PN.shape[1] > MOST_FRAMES:
        raise UsageError(f"a target can be drawn from at most {MOST_FRAMES} frames, not {frames_PN.shape[1]}")
    if 0 not in frames_PN.shape and int(frames_PN.max()) >= F:
        raise UsageError(f"frame {int(frames_PN.max())} does not exist: there are {F} frames")
    size = height if size is None else int(size)
    if size < 2 or height < 2:
        raise UsageError(f"a reprojection of {size} pixels from {height} pixels is too small: at least 2 are needed")
    return size
