"""Cameras: pinhole, equirectangular, orthographic; each a table per column and per row that gives every pixel's ray."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.errors import UsageError

PROJECTIONS = ("pinhole", "equirectangular", "orthographic")
_MOST_PIXELS = 1 << 28


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraConfig:
    """A picture's size and projection; pixels are square, so the vertical field follows.

    hfov: degrees across, of a pinhole; an equirectangular picture always spans 360 x 180 degrees (make it twice as
    wide as high) · extent: metres across, of an orthographic one
    Depth is planar (along the view axis) for pinhole and orthographic, radial for equirectangular.
    """

    width: int = 128
    height: int = 128
    hfov: float = 90.0
    projection: str = "pinhole"
    extent: float = 10.0

    def __post_init__(self) -> None:
        picture = f"a picture of {self.width} x {self.height} pixels"
        if min(self.width, self.height) < 1 or self.width * self.height > _MOST_PIXELS:
            raise UsageError(f"{picture}: expected a width and a height >= 1, and at most {_MOST_PIXELS} pixels")
        if self.projection not in PROJECTIONS:
            raise UsageError(f"the projection {self.projection!r}: expected one of {', '.join(PROJECTIONS)}")
        if self.projection == "pinhole" and not 1.0 <= self.hfov <= 170.0:
            raise UsageError(f"{picture} and {self.hfov} degrees: expected 1 <= hfov <= 170")
        if self.projection == "orthographic" and not self.extent > 0.0:
            raise UsageError(f"{picture} and {self.extent} metres: expected extent > 0")


def ray_tables(camera: CameraConfig, samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """float32 (W * n, 4) and (H * n, 4) for n = `samples` rays a pixel along each axis.

    A column holds (A, B, A', B'), a row (a, b, a', b'); the ray through both is
        a (A right + B forward) + b up,
    and the primed are its changes to the next column and the next row. Orthographic: offsets of the origin instead.
    """
    columns, rows = camera.width * samples, camera.height * samples
    across = (np.arange(columns) + 0.5) / columns * 2 - 1  # -1 left edge, 1 right edge
    down = (np.arange(rows) + 0.5) / rows * 2 - 1
    column_W4, row_H4 = np.zeros((columns, 4)), np.zeros((rows, 4))
    if camera.projection == "equirectangular":
        azimuth, elevation = across * math.pi, -down * math.pi / 2
        step_across, step_down = 2 * math.pi / columns, -math.pi / rows
        column_W4[:, 0], column_W4[:, 1] = np.sin(azimuth), np.cos(azimuth)
        column_W4[:, 2], column_W4[:, 3] = np.cos(azimuth) * step_across, -np.sin(azimuth) * step_across
        row_H4[:, 0], row_H4[:, 1] = np.cos(elevation), np.sin(elevation)
        row_H4[:, 2], row_H4[:, 3] = -np.sin(elevation) * step_down, np.cos(elevation) * step_down
    else:
        pinhole = camera.projection == "pinhole"
        half = math.tan(math.radians(camera.hfov) / 2) if pinhole else camera.extent / 2
        step = 2 * half / columns
        # The forward part is 1 for every pixel of a pinhole, so that the distance along a ray is its planar depth.
        column_W4[:, 0], column_W4[:, 1] = across * half, float(pinhole)
        column_W4[:, 2] = step
        row_H4[:, 0], row_H4[:, 1] = 1.0, -down * half * (camera.height / camera.width)
        row_H4[:, 3] = -step
    return column_W4.astype(np.float32), row_H4.astype(np.float32)


def axes(yaw: float, pitch: float = 0.0) -> np.ndarray:
    """float32 (3, 3): right, up and forward of a camera turned left by `yaw` and up by `pitch` (radians), never rolled.

    Level, yaw 0: right +X, up +Y, forward -Z.
    """
    sy, cy, sp, cp = math.sin(yaw), math.cos(yaw), math.sin(pitch), math.cos(pitch)
    return np.array([[cy, 0.0, -sy], [sp * sy, cp, sp * cy], [-cp * sy, sp, -cp * cy]], dtype=np.float32)
