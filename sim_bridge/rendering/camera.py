"""Pinhole, equirectangular and orthographic cameras, as tables per column and row that define all pixels' rays."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.errors import UsageError

PROJECTIONS = ("pinhole", "equirectangular", "orthographic")
_MAX_PIXELS = 1 << 28


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraConfig:
    """Size and projection of an image. Pixels are square, so the vertical field of view follows from the horizontal.

    width, height: pixels · projection: one of `PROJECTIONS`
    hfov: horizontal field of view of a pinhole camera in degrees; an equirectangular image always spans 360 x 180
    degrees, so make it twice as wide as high · extent: width of an orthographic image in metres
    Depth is planar (along the view axis) for pinhole and orthographic cameras, radial for equirectangular ones.
    Raises UsageError for a value out of range.
    """

    width: int = 128
    height: int = 128
    hfov: float = 90.0
    projection: str = "pinhole"
    extent: float = 10.0

    def __post_init__(self) -> None:
        image = f"an image of {self.width} x {self.height} pixels"
        if min(self.width, self.height) < 1 or self.width * self.height > _MAX_PIXELS:
            raise UsageError(f"{image}: expected a width and a height >= 1, and at most {_MAX_PIXELS} pixels")
        if self.projection not in PROJECTIONS:
            raise UsageError(f"unknown projection {self.projection!r}: expected one of {', '.join(PROJECTIONS)}")
        if self.projection == "pinhole" and not 1.0 <= self.hfov <= 170.0:
            raise UsageError(f"{image} and {self.hfov} degrees: expected 1 <= hfov <= 170")
        if self.projection == "orthographic" and not self.extent > 0.0:
            raise UsageError(f"{image} and {self.extent} metres: expected extent > 0")


def ray_tables(camera: CameraConfig, samples: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Ray tables: float32 (W * n, 4) and (H * n, 4), for n = `samples` rays per pixel along each axis.

    A column holds (A, B, A', B') and a row (a, b, a', b'). The direction of the ray through both is
        a (A right + B forward) + b up,
    and the primed values are its changes to the next column and the next row. For an orthographic camera this vector is
    the offset of the ray's origin instead of its direction.
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
        # The forward part is 1 for every pixel of a pinhole camera, so the distance along a ray is its planar depth.
        column_W4[:, 0], column_W4[:, 1] = across * half, float(pinhole)
        column_W4[:, 2] = step
        row_H4[:, 0], row_H4[:, 1] = 1.0, -down * half * (camera.height / camera.width)
        row_H4[:, 3] = -step
    return column_W4.astype(np.float32), row_H4.astype(np.float32)


def axes(yaw: float, pitch: float = 0.0) -> np.ndarray:
    """float32 (3, 3): right, up and forward vectors of a camera turned left by `yaw` and up by `pitch` (radians).

    There is no roll. At yaw 0 and pitch 0: right +X, up +Y, forward -Z.
    """
    sy, cy, sp, cp = math.sin(yaw), math.cos(yaw), math.sin(pitch), math.cos(pitch)
    return np.array([[cy, 0.0, -sy], [sp * sy, cp, sp * cy], [-cp * sy, sp, -cp * cy]], dtype=np.float32)
