"""Depth images of rooms made of boxes, by ray casting: exact geometry for the tests of this folder."""

import math

import numpy as np

from avw.sim_bridge.types import CAMERA_HEIGHT

CEILING = 2.6


def depth_in_room(walls, pose, size=64, hfov=90.0, holes=0.0, seed=0) -> np.ndarray:
    """uint16 millimetres, planar z, from `pose` (forward, left, up, turn) in a room on a floor of height 0.

    walls: boxes (forward0, forward1, left0, left1, height) that stand on the floor
    """
    tan = math.tan(math.radians(hfov) / 2)
    axis = (1 - (np.arange(size) + 0.5) * 2 / size) * tan
    up, left = np.meshgrid(axis, axis, indexing="ij")
    c, s = math.cos(pose[3]), math.sin(pose[3])
    dx, dy, dz = c - s * left, s + c * left, up
    x, y, z = pose[0], pose[1], pose[2] + CAMERA_HEIGHT
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(dz < 0, -z / dz, np.where(dz > 0, (CEILING - z) / dz, np.inf))
        for forward0, forward1, left0, left1, height in walls:
            near, far = np.full(up.shape, 1e-3), np.full(up.shape, np.inf)
            for start, direction, low, high in (
                (x, dx, forward0, forward1),
                (y, dy, left0, left1),
                (z, dz, 0.0, height),
            ):
                a, b = (low - start) / direction, (high - start) / direction
                near, far = np.maximum(near, np.minimum(a, b)), np.minimum(far, np.maximum(a, b))
            depth = np.where(near < far, np.minimum(depth, near), depth)
    depth = np.where(depth < 60, depth, 0.0)
    if holes:
        depth[np.random.default_rng(seed).random(depth.shape) < holes] = 0.0
    return np.round(depth * 1000).astype(np.uint16)


def closed_room(ahead=4.0, behind=4.0, left=3.0, right=3.0) -> list[tuple[float, ...]]:
    """Four walls around the origin."""
    return [
        (ahead, ahead + 0.2, -right, left, CEILING),
        (-behind - 0.2, -behind, -right, left, CEILING),
        (-behind, ahead, left, left + 0.2, CEILING),
        (-behind, ahead, -right - 0.2, -right, CEILING),
    ]
