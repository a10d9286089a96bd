"""Arithmetic of planar poses with height: (forward, left, up, turn) in metres and radians, left positive.

A pose is given in some frame, for example that of the agent at the start of an episode. A motion is a pose in the frame
of another pose; a motion of three numbers has no `up`.
"""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.types import FORWARD_METRES, TURN_RADIANS


def with_height(motion: np.ndarray) -> np.ndarray:
    """Motions (…, 3) or (…, 4) as float64 (…, 4)."""
    motion = np.asarray(motion, np.float64)
    if motion.shape[-1] == 4:
        return motion
    return np.insert(motion, 2, 0.0, axis=-1)


def compose(pose: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """The poses reached by `motion` from `pose`, in the frame of `pose`; float64 (…, 4). Shapes broadcast."""
    pose, motion = with_height(pose), with_height(motion)
    c, s = np.cos(pose[..., 3]), np.sin(pose[..., 3])
    forward = pose[..., 0] + c * motion[..., 0] - s * motion[..., 1]
    left = pose[..., 1] + s * motion[..., 0] + c * motion[..., 1]
    return np.stack([forward, left, pose[..., 2] + motion[..., 2], wrapped(pose[..., 3] + motion[..., 3])], -1)


def seen_from(origin: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """`pose` in the frame of `origin`, both given in one frame: float64 (…, 4). Shapes broadcast."""
    origin, pose = with_height(origin), with_height(pose)
    c, s = np.cos(origin[..., 3]), np.sin(origin[..., 3])
    dx, dy = pose[..., 0] - origin[..., 0], pose[..., 1] - origin[..., 1]
    turn = wrapped(pose[..., 3] - origin[..., 3])
    return np.stack([c * dx + s * dy, c * dy - s * dx, pose[..., 2] - origin[..., 2], turn], -1)


def places_on(pose: np.ndarray, place_N2: np.ndarray) -> np.ndarray:
    """Places (N, 2) in the frame of `pose`, in the frame that `pose` is given in; float64 (N, 2)."""
    return compose(pose, np.pad(place_N2, ((0, 0), (0, 1))))[:, :2]


def wrapped(angle: np.ndarray) -> np.ndarray:
    """Angles in [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def walking_steps(motion_3: np.ndarray) -> np.ndarray:
    """Steps to turn towards a pose, walk straight to it, and turn to its heading: float (…,)."""
    forward, left, turn = motion_3[..., 0], motion_3[..., 1], motion_3[..., 2]
    distance = np.hypot(forward, left)
    bearing = np.where(distance > 0.5 * FORWARD_METRES, np.arctan2(left, forward), 0.0)
    rest = wrapped(turn - bearing)
    return (np.abs(bearing) + np.abs(rest)) / TURN_RADIANS + distance / FORWARD_METRES
