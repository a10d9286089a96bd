"""From the quaternions of other simulators to the yaw of `avw.sim_bridge.types.Pose`."""

from __future__ import annotations

import math

from avw.sim_bridge.errors import UsageError

UPRIGHT = 0.999  # smallest accepted cosine of the angle between the agent's up axis and +Y


def yaw_of(rotation_4: tuple[float, ...]) -> float:
    """The yaw of a quaternion (x, y, z, w), in radians counter-clockwise seen from above; 0 faces -Z.

    Raises UsageError for a quaternion that is not of length 1, or that is not a rotation about Y.
    """
    norm = math.sqrt(sum(value * value for value in rotation_4))
    if not 0.9 < norm < 1.1:
        raise UsageError(f"start_rotation {list(rotation_4)} is not a rotation: its length is {norm:.3g}, expected 1")
    x, y, z, w = (value / norm for value in rotation_4)
    if 1.0 - 2.0 * (x * x + z * z) < UPRIGHT:
        raise UsageError(f"start_rotation {list(rotation_4)} is not upright: an agent turns about the Y axis only")
    return math.atan2(2.0 * (x * z + w * y), 1.0 - 2.0 * (x * x + y * y))
