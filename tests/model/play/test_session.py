"""A walk: what the simulator does, where the source is, and when the imagination begins again."""

from __future__ import annotations

import dataclasses
import json
import math
import struct

import numpy as np
import pytest

from avw.model.play.packing import depth_bytes, packed_moment
from avw.model.play.session import PlayConfig, Session
from avw.model.world_model import WorldModel
from avw.sim_bridge.types import Action, Pose, moved

FORWARD, LEFT, RIGHT, STOP = Action.FORWARD, Action.TURN_LEFT, Action.TURN_RIGHT, Action.STOP
WAY = (FORWARD, STOP, LEFT, LEFT, FORWARD, STOP)


def test_a_walk_is_what_the_simulator_does(config: PlayConfig):
    session = Session(config)
    session.reset(3)
    moments = [session.step(action) for action in WAY]
    simulator = session.simulator
    start, source = session._placed(3)
    simulator.reset(start, source, seed=3)
    for action, moment in zip(WAY, moments, strict=True):
        expected = simulator.step(action)
        np.testing.assert_array_equal(moment.observation.rgb_HWC, expected.rgb_HWC)
        np.testing.assert_array_equal(moment.observation.audio_ES, expected.audio_ES)
        assert moment.pose == simulator.pose
        assert moment.dreamed is None


def test_the_source_is_where_the_bearing_says(config: PlayConfig):
    session = Session(config)
    moment = session.reset(5)
    for _ in range(36):
        ahead = moment.pose.forward_3 * np.cos(moment.bearing) - moment.pose.right_3 * np.sin(moment.bearing)
        way = np.array(session.source.position_3)[[0, 2]] - (moment.pose.x, moment.pose.z)
        np.testing.assert_allclose(ahead[[0, 2]], way / np.linalg.norm(way), atol=1e-6)
        moment = session.step(LEFT)
    assert moment.distance > 0


def test_the_imagination_begins_again(config: PlayConfig, model: WorldModel):
    session = Session(config, model)
    session.reset(3)
    first = [session.step(action).dreamed.steps for action in (*WAY, FORWARD, LEFT, LEFT)]
    assert first == [1, 2, 3, 4, 1, 2, 3, 4, 1]  # every four steps
    session.anchor_every = 0
    assert [session.step(STOP).dreamed.steps for _ in range(5)] == [2, 3, 4, 5, 6]
    session.anchor()
    moment = session.step(LEFT)
    assert moment.dreamed.steps == 1
    assert moment.dream_pose.yaw == pytest.approx(moment.pose.yaw, abs=1e-6)
    assert (moment.dream_pose.x, moment.dream_pose.z) == pytest.approx((moment.pose.x, moment.pose.z), abs=1e-6)


def test_a_walk_depends_on_its_seed_and_not_on_the_walk_before(config: PlayConfig, model: WorldModel):
    session = Session(config, model)

    def walked() -> list[np.ndarray]:
        session.reset(2)
        steps = [session.step(action) for action in (Action.FORWARD, Action.TURN_LEFT, Action.FORWARD)]
        return [step.dreamed.audio_ES for step in steps if step.dreamed is not None]

    first, second = walked(), walked()
    assert len(first) == 3
    np.testing.assert_array_equal(first, second)
    session.close()


def test_a_moment_can_be_unpacked(config: PlayConfig, model: WorldModel):
    session = Session(config, model)
    session.reset(3)
    moment = session.step(FORWARD)
    content = packed_moment(moment, {"walk": "a"})
    (length,) = struct.unpack_from("<I", content)
    assert length % 4 == 0
    header = json.loads(content[4 : 4 + length])
    arrays = {}
    for name, place in header["arrays"].items():
        assert place["at"] % 4 == 0
        begin, count = 4 + length + place["at"], int(np.prod(place["shape"]))
        arrays[name] = np.frombuffer(content, place["type"], count, begin).reshape(place["shape"])
    np.testing.assert_array_equal(arrays["rgb"], moment.observation.rgb_HWC)
    np.testing.assert_array_equal(arrays["audio"], moment.observation.audio_ES)
    np.testing.assert_array_equal(arrays["dream_rgb"], moment.dreamed.rgb_HWC)
    np.testing.assert_array_equal(arrays["dream_audio"], moment.dreamed.audio_ES)
    assert header["walk"] == "a"
    assert header["dreamed"]["distance"] == pytest.approx(moment.dreamed.distance, abs=0.001)


def test_depth_is_a_byte():
    assert depth_bytes(np.array([[0.0, 0.001, 3.0, 6.0, 60.0]])).tolist() == [[0, 1, 128, 255, 255]]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_walk_begins_where_one_can_see_and_walk_far(config: PlayConfig, seed: int):
    session = Session(config)
    session.reset(seed)
    begun = session.simulator.pose
    space = session.simulator.navgrid

    def metres_ahead(pose: Pose) -> float:
        target = moved(pose, 6.0, 0.0, 0.0)
        end, _ = space.move(pose, target)
        return math.hypot(end.x - pose.x, end.z - pose.z)

    turned = [
        metres_ahead(dataclasses.replace(begun, yaw=begun.yaw + math.radians(turn))) for turn in range(0, 360, 10)
    ]
    assert metres_ahead(begun) >= np.median(turned)
    assert session.reset(seed).pose == begun
