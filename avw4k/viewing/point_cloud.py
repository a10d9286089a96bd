"""The points that the depth images along a path have shown, few enough for a page.

Shapes: T frames · H W image · N points.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from avw.sim_bridge.types import CAMERA_HEIGHT

MOST = 8000  # points in a page: 11 bytes each
FRAMES, SIDE = 80, 32  # of the images that are read, and of the grid of pixels in each
FARTHEST = 6.0  # metres: farther points are few and coarse, e.g. the view from a window
CELL = 0.1  # metres: one point per cell
CEILING = 2.0  # metres above the floor: what is higher would hide the rooms from above


@dataclass(frozen=True, slots=True)
class PointCloud:
    """point_N3: metres · rgb_N3: uint8 · frame_N: the first frame that shows the point."""

    point_N3: np.ndarray
    rgb_N3: np.ndarray
    frame_N: np.ndarray

    def note(self) -> dict[str, Any]:
        """For the page: little-endian arrays in base64, and points in centimetres (point_cloud.js)."""
        centimetres = np.clip((self.point_N3 * 100).round(), -32768, 32767).astype("<i2")
        return {
            "points": _base64(centimetres),
            "colours": _base64(self.rgb_N3.astype(np.uint8)),
            "frames": _base64(self.frame_N.astype("<u2")),
        }


def point_cloud(
    rgb_THWC: np.ndarray, depth_THW: np.ndarray, position_T3: np.ndarray, yaw_T: np.ndarray, hfov: float
) -> PointCloud:
    """depth_THW: metres along the view axis, 0 where missing · position_T3: on the floor · hfov: degrees"""
    T, height, width = depth_THW.shape
    frames = np.unique(np.linspace(0, T - 1, min(T, FRAMES)).round().astype(int))
    rows = np.unique(np.linspace(0, height - 1, min(height, SIDE)).round().astype(int))
    columns = np.unique(np.linspace(0, width - 1, min(width, SIDE)).round().astype(int))
    picked = np.ix_(frames, rows, columns)
    depth, rgb = depth_THW[picked].astype(np.float64), rgb_THWC[picked]
    half = math.tan(math.radians(hfov) / 2)
    across = ((columns + 0.5) / width * 2 - 1) * half
    up = (1 - (rows + 0.5) / height * 2) * half * height / width
    right, above = depth * across[None, None, :], depth * up[None, :, None]
    sin, cos = (f(yaw_T[frames])[:, None, None] for f in (np.sin, np.cos))
    x, y, z = (position_T3[frames, axis][:, None, None] for axis in range(3))
    point = np.stack([x + cos * right - sin * depth, y + CAMERA_HEIGHT + above, z - sin * right - cos * depth], axis=-1)
    floor = float(position_T3[:, 1].min())
    kept = (depth > 0) & (depth < FARTHEST) & (point[..., 1] < floor + CEILING)
    frame = np.broadcast_to(frames[:, None, None], depth.shape)[kept]
    return _thinned(PointCloud(point[kept], rgb[kept], frame))


def _thinned(cloud: PointCloud) -> PointCloud:
    """One point per cell, the one that was seen first, and at most MOST."""
    _, first = np.unique(np.floor(cloud.point_N3 / CELL).astype(int), axis=0, return_index=True)
    first.sort()
    if len(first) > MOST:
        first = first[np.linspace(0, len(first) - 1, MOST).round().astype(int)]
    return PointCloud(cloud.point_N3[first], cloud.rgb_N3[first], cloud.frame_N[first])


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
