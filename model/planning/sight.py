"""Geometry of a depth image: points, obstacles, and whether the way ahead is blocked.

Body frame: forward, left and height above the floor, metres, relative to the point on the floor below the camera.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from avw.sim_bridge.types import AGENT_HEIGHT, AGENT_RADIUS, CAMERA_HEIGHT

HFOV_DEGREES = 90.0
LOWEST, HIGHEST = 0.08, AGENT_HEIGHT + 0.05  # metres above the floor; points between these heights are obstacles


@lru_cache(maxsize=8)
def _tangents(height: int, width: int, hfov: float) -> tuple[np.ndarray, np.ndarray]:
    """Tangents of the angles of the pixel centres: left_W (positive to the left) and up_H."""
    focal = 0.5 * width / math.tan(math.radians(hfov) / 2)
    left_W = (0.5 * (width - 1) - np.arange(width)) / focal
    up_H = (0.5 * (height - 1) - np.arange(height)) / focal
    return left_W, up_H


def points(depth_HW: np.ndarray, hfov: float = HFOV_DEGREES, stride: int = 1) -> np.ndarray:
    """float64 (N, 3): (forward, left, height) of every `stride`-th pixel with a valid depth."""
    height, width = depth_HW.shape
    left_W, up_H = _tangents(height, width, hfov)
    depth = depth_HW[::stride, ::stride].astype(np.float64)
    left = depth * left_W[None, ::stride]
    up = CAMERA_HEIGHT + depth * up_H[::stride, None]
    valid = depth > 0
    return np.stack([depth[valid], left[valid], up[valid]], axis=1)


def obstacles(points_N3: np.ndarray) -> np.ndarray:
    """The points that the agent can collide with, float64 (M, 2): (forward, left)."""
    height_N = points_N3[:, 2]
    return points_N3[(height_N > LOWEST) & (height_N < HIGHEST), :2]


def blocked_ahead(depth_HW: np.ndarray, reach: float = 0.3, hfov: float = HFOV_DEGREES) -> bool:
    """Whether there is an obstacle in a corridor as wide as the agent, up to `reach` metres ahead of its front."""
    ahead_M2 = obstacles(points(depth_HW, hfov, stride=2))
    corridor = np.abs(ahead_M2[:, 1]) < AGENT_RADIUS + 0.02
    return bool((ahead_M2[corridor, 0] < reach + AGENT_RADIUS).any())
