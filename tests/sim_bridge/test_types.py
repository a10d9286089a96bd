"""Poses and relative motion: the conventions that every other part relies on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from avw.sim_bridge.types import FORWARD_METRES, TURN_RADIANS, Action, Pose, moved, relative_motion


@pytest.mark.parametrize("yaw", [0.0, 2.0, -3.1, math.radians(175.0), math.radians(-175.0)])
def test_the_motion_of_an_action_is_the_same_at_every_heading(yaw: float) -> None:
    """Also where the yaw passes from pi to -pi."""
    pose = Pose(1.0, 0.5, -2.0, yaw)
    turn_3 = np.array([0.0, 0.0, TURN_RADIANS])
    np.testing.assert_allclose(
        relative_motion(pose, pose.after(Action.FORWARD)), [FORWARD_METRES, 0.0, 0.0], atol=1e-12
    )
    np.testing.assert_allclose(relative_motion(pose, pose.after(Action.TURN_LEFT)), turn_3, atol=1e-12)
    np.testing.assert_allclose(relative_motion(pose, pose.after(Action.TURN_RIGHT)), -turn_3, atol=1e-12)
    assert pose.after(Action.STOP) == pose


def test_positions_are_metres_forward_and_left_in_the_frame_of_the_origin() -> None:
    origin = Pose(1.0, 0.0, 1.0, math.pi / 2)  # faces -X, so +Z is to the left
    np.testing.assert_allclose(relative_motion(origin, Pose(-1.0, 0.0, 4.0, 0.0)), [2.0, 3.0, -math.pi / 2])
    np.testing.assert_allclose(origin.forward_3, [-1.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(origin.right_3, [0.0, 0.0, -1.0], atol=1e-12)


@pytest.mark.parametrize("target", [Pose(2.0, 0.0, 1.0, 0.3), Pose(-1.0, 0.0, 4.0, -2.0)])
def test_a_motion_leads_back_to_the_pose(target: Pose) -> None:
    origin = Pose(1.0, 0.0, -2.0, 1.1)
    found = moved(origin, *relative_motion(origin, target))
    assert (found.x, found.z, found.yaw) == pytest.approx((target.x, target.z, target.yaw))
