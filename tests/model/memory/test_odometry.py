"""Depth odometry in rooms of exact geometry."""

import math

import numpy as np
import pytest

from avw.model.memory.odometry import step_motion, step_pose
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import FORWARD_METRES, TURN_RADIANS, Action
from tests.model.memory.rooms import CEILING, closed_room, depth_in_room

ROOM = [*closed_room(), (1.5, 1.9, -1.2, -0.7, 0.8), (2.5, 3.0, 0.6, 1.4, 1.9)]
CORRIDOR = [(-3.0, 30.0, 0.6, 0.8, CEILING), (-3.0, 30.0, -0.8, -0.6, CEILING), (5.0, 5.1, -0.6, 0.6, 2.0)]


def estimated(walls, start, motion, **options):
    before = depth_in_room(walls, start, **options)
    c, s = math.cos(start[3]), math.sin(start[3])
    f, side, h = (*motion, 0.0)[:3]
    after = depth_in_room(
        walls, (start[0] + c * f - s * side, start[1] + s * f + c * side, start[2] + h, start[3]), **options
    )
    return step_pose(before, after, Action.FORWARD, options.get("hfov", 90.0))


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("holes", [0.0, 0.15])
@pytest.mark.parametrize(
    "motion", [(0.15, 0.0), (0.0, 0.0), (0.112, 0.065), (0.075, -0.075), (0.06, 0.02), (0.02, -0.05)]
)
def test_free_slid_and_blocked_steps_are_measured_to_a_centimetre(motion, holes, size):
    forward, left, up, turn = estimated(ROOM, (0.2, 0.1, 0.0, 0.3), motion, holes=holes, size=size)
    assert math.hypot(forward - motion[0], left - motion[1]) < 0.01
    assert (up, turn) == (0.0, 0.0)


@pytest.mark.parametrize("hfov", [60.0, 110.0])
def test_other_fields_of_view(hfov):
    forward, left, _, _ = estimated(ROOM, (0.0, 0.0, 0.0, -0.4), (0.1, 0.06), hfov=hfov)
    assert math.hypot(forward - 0.1, left - 0.06) < 0.01


@pytest.mark.parametrize("motion", [(0.15, 0.0), (0.0, 0.0)])
def test_a_corridor_with_little_to_see(motion):
    """The walls look alike everywhere along a corridor: most of the image does not change with a step."""
    before = depth_in_room(CORRIDOR, (0, 0, 0, 0)).astype(float)
    after = depth_in_room(CORRIDOR, (0.15, 0, 0, 0)).astype(float)
    assert np.median(np.abs(before - after)) < 20.0  # what a test of the median change would call blocked
    forward, left, _, _ = estimated(CORRIDOR, (0.0, 0.0, 0.0, 0.0), motion)
    assert math.hypot(forward - motion[0], left - motion[1]) < 0.01


def test_an_endless_corridor_is_assumed_to_be_free():
    walls = [(-99.0, 99.0, 0.6, 0.8, CEILING), (-99.0, 99.0, -0.8, -0.6, CEILING)]
    depth = depth_in_room(walls, (0, 0, 0, 0))
    assert step_motion(depth, depth, Action.FORWARD, 90.0) == (FORWARD_METRES, 0.0, 0.0)


def test_before_a_blank_wall_the_agent_slides_along_it():
    """The wall fills the view, so the images tell the distance to it, but not how far the agent slid."""
    angle = math.radians(35.0)
    walls = [(-9.0, 9.0, 0.1, 0.3, CEILING)]
    start = (0.0, 0.0, 0.0, math.pi / 2 - angle)
    along = FORWARD_METRES * math.sin(angle)
    motion = (along * math.sin(angle), -along * math.cos(angle))
    forward, left, _, _ = estimated(walls, start, motion)
    assert math.hypot(forward - motion[0], left - motion[1]) < 0.02


def test_stairs_change_the_height():
    forward, left, up, _ = estimated(ROOM, (0.0, 0.0, 0.0, 0.2), (0.15, 0.0, 0.12))
    assert (forward, left, up) == pytest.approx((0.15, 0.0, 0.12), abs=0.01)


def test_turns_are_exact_and_other_actions_stay():
    depth = depth_in_room(ROOM, (0, 0, 0, 0))
    assert step_motion(depth, depth, Action.TURN_LEFT, 90.0) == (0.0, 0.0, TURN_RADIANS)
    assert step_motion(depth, depth, Action.TURN_RIGHT, 90.0) == (0.0, 0.0, -TURN_RADIANS)
    assert step_motion(depth, depth, Action.STOP, 90.0) == (0.0, 0.0, 0.0)


def test_without_depth_the_commanded_step_is_assumed():
    nothing = np.zeros((64, 64), np.uint16)
    assert step_motion(nothing, nothing, Action.FORWARD, 90.0) == (FORWARD_METRES, 0.0, 0.0)


def test_metres_and_millimetres_give_the_same():
    before, after = depth_in_room(ROOM, (0, 0, 0, 0)), depth_in_room(ROOM, (0.05, 0.03, 0, 0))
    in_metres = [(depth / 1000).astype(np.float32) for depth in (before, after)]
    expected = step_motion(before, after, Action.FORWARD, 90.0)
    assert step_motion(*in_metres, Action.FORWARD, 90.0) == pytest.approx(expected, abs=1e-4)


def test_panoramas_are_refused():
    depth = depth_in_room(ROOM, (0, 0, 0, 0))
    with pytest.raises(UsageError, match="panoramas"):
        step_motion(depth, depth, Action.FORWARD, 360.0)
