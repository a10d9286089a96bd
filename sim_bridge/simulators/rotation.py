"""Quaternions of other simulators as yaw."""

from __future__ import annotations

import math

from avw.sim_bridge.errors import UsageError

UPRIGHT = 0.999  # cosine of the largest lean of an agent


def yaw_of(rotation_4: tuple[float, ...]) -> float:
    """Radians to the left of -Z, of a quaternion (x, y, z, w). Raises UsageError for one that is none or that leans."""
    norm = math.sqrt(sum(value * value for value in rotation_4))
    if not 0.9 < norm < 1.1:
        raise UsageError(f"start_rotation {list(rotation_4)} is no rotation: its length is {norm:.3g}, not 1")
    x, y, z, w = (value / norm for value in rotation_4)
    if 1.0 - 2.0 * (x * x + z * z) < UPRIGHT:
        raise UsageError(f"start_rotation {list(rotation_4)} leans: an agent stands upright and turns about Y alone")
    return math.atan2(2.0 * (x * z + w * y), 1.0 - 2.0 * (x * x + y * y))
