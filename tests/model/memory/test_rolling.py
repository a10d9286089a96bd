"""Rolling commanded actions against the obstacles that depth images have shown."""

import math

import numpy as np
import pytest

from avw.model.memory.rolling import Obstacles, commanded_steps
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import AGENT_RADIUS, FORWARD_METRES, TURN_RADIANS, Action
from tests.model.memory.rooms import closed_room, depth_in_room

F, L, R = Action.FORWARD, Action.TURN_LEFT, Action.TURN_RIGHT


def seen(walls, *poses, size=128) -> Obstacles:
    obstacles = Obstacles(90.0)
    for pose in poses:
        obstacles.add(depth_in_room(walls, pose, size), np.array(pose, float))
    return obstacles


def test_free_steps_lead_where_they_are_commanded():
    obstacles = seen(closed_room(), (0, 0, 0, 0))
    rolled = obstacles.roll(np.zeros(4), commanded_steps([F, F, L, F, R]))
    t = TURN_RADIANS
    d = FORWARD_METRES
    expected = [
        (d, 0, 0),
        (2 * d, 0, 0),
        (2 * d, 0, t),
        (2 * d + d * math.cos(t), d * math.sin(t), t),
        (2 * d + d * math.cos(t), d * math.sin(t), 0),
    ]
    np.testing.assert_allclose(rolled, expected, atol=1e-9)


def test_a_wall_ahead_stops_the_agent_at_its_radius():
    obstacles = seen(closed_room(ahead=1.0), (0, 0, 0, 0))
    rolled = obstacles.roll(np.zeros(4), commanded_steps([F] * 10))
    assert rolled[-1, 0] == pytest.approx(1.0 - AGENT_RADIUS, abs=0.025)
    assert abs(rolled[-1, 1]) < 0.03


def test_the_agent_slides_along_a_wall_and_past_a_box():
    angle = math.radians(60.0)
    obstacles = seen(closed_room(left=0.5), (0, 0, 0, 0), (0, 0, 0, math.radians(40)))
    rolled = obstacles.roll(np.array([0, 0, 0, angle]), commanded_steps([F] * 12))
    # In the frame of the pose, which looks 60° to the left of the wall's direction.
    c, s = math.cos(angle), math.sin(angle)
    along, towards = rolled[:, 0] * c - rolled[:, 1] * s, rolled[:, 0] * s + rolled[:, 1] * c
    assert towards[-1] == pytest.approx(0.5 - AGENT_RADIUS, abs=0.03)
    # Each step along the wall still gains its component along it.
    assert np.diff(along)[-3:] == pytest.approx(FORWARD_METRES * c, abs=0.02)


def test_low_things_out_of_view_are_remembered():
    """A box of 40 cm is out of view from nearby: the camera is 1.25 m above the floor."""
    walls = [*closed_room(), (1.2, 1.6, -0.4, 0.4, 0.4)]
    near = (0.9, 0.0, 0.0, 0.0)
    blind = seen(walls, near).roll(np.array(near, float), commanded_steps([F] * 3))
    informed = seen(walls, (-0.6, 0, 0, 0), near).roll(np.array(near, float), commanded_steps([F] * 3))
    assert blind[-1, 0] == pytest.approx(3 * FORWARD_METRES)
    assert informed[-1, 0] == pytest.approx(1.2 - AGENT_RADIUS - 0.9, abs=0.03)


def test_floor_and_ceiling_are_not_obstacles_nor_is_a_frame_without_depth():
    obstacles = Obstacles(90.0)
    obstacles.add(np.zeros((32, 32), np.uint16), np.zeros(4))
    obstacles.add(depth_in_room([], (0, 0, 0, 0)), np.zeros(4))
    assert obstacles.roll(np.zeros(4), commanded_steps([F] * 5))[-1, 0] == pytest.approx(5 * FORWARD_METRES)


def test_the_grid_has_no_borders():
    """A walk of 60 m: the same room again and again, and nothing of the old rooms."""
    obstacles = Obstacles(90.0)
    walls = closed_room(ahead=1.0)
    for place in range(0, 60, 2):
        obstacles.add(depth_in_room(walls, (0, 0, 0, 0)), np.array([place, 0.5 * place, 0.0, 0.0]))
        pose = np.array([place, 0.5 * place, 0.0, 0.0])
        assert obstacles.roll(pose, commanded_steps([F] * 8))[-1, 0] == pytest.approx(0.9, abs=0.025)
    fresh = Obstacles(90.0)
    assert fresh.roll(np.zeros(4), commanded_steps([F] * 60))[-1, 0] == pytest.approx(9.0)


def test_a_copy_is_independent():
    obstacles = Obstacles(90.0)
    other = obstacles.copy()
    other.add(depth_in_room(closed_room(ahead=0.5), (0, 0, 0, 0)), np.zeros(4))
    steps = commanded_steps([F] * 6)
    assert obstacles.roll(np.zeros(4), steps)[-1, 0] == pytest.approx(0.9)
    assert other.roll(np.zeros(4), steps)[-1, 0] < 0.45


def test_wrong_shapes_and_panoramas_are_refused():
    with pytest.raises(UsageError, match=r"\(N, 3\)"):
        commanded_steps(np.zeros((2, 4)))
    with pytest.raises(UsageError, match="panoramas"):
        Obstacles(360.0)
