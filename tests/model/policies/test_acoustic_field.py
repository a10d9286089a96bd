"""The policy that walks to where the imagined sound is loudest."""

import dataclasses

import numpy as np
import pytest

from avw.model.policies.acoustic_field import AcousticFieldPolicy
from avw.model.policies.mpc import MpcConfig
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action
from tests.model.planning.room_walk import KnowingModel, RoomWalk

FAST = MpcConfig(spacing=2.5, farthest=4.0, scan=False)
SOURCE = (-2.0, 1.5)


def from_source(place_2: np.ndarray) -> float:
    return float(np.linalg.norm(place_2 - np.array(SOURCE)))


def test_it_walks_to_the_loudest_place_and_stops_where_it_is_loud():
    walk = RoomWalk(source=SOURCE)
    actions = walk.run(AcousticFieldPolicy(KnowingModel(from_source), FAST), 100)
    assert actions[-1] == Action.STOP
    assert from_source(walk.pose_4[:2]) < 0.6
    assert walk.collisions == 0


def test_it_imagines_the_sound_and_does_not_read_the_reward():
    model = KnowingModel(from_source)
    RoomWalk(source=SOURCE).run(AcousticFieldPolicy(model, FAST), 10)
    assert {call.kind for call in model.calls} == {"predict"}


def test_it_never_stops_in_silence():
    walk = RoomWalk()
    assert Action.STOP not in walk.run(AcousticFieldPolicy(KnowingModel(from_source), FAST), 40)
    assert from_source(walk.pose_4[:2]) < from_source(np.zeros(2))


def test_a_second_episode_starts_from_nothing():
    policy = AcousticFieldPolicy(KnowingModel(from_source), dataclasses.replace(FAST, execute=(4, 4)))
    first = RoomWalk(source=SOURCE).run(policy, 10)
    policy.reset(0)
    assert RoomWalk(source=SOURCE).run(policy, 10) == first


def test_a_model_without_sound_is_refused():
    model = KnowingModel(from_source)
    model.hears = False
    with pytest.raises(UsageError, match="predicts none"):
        AcousticFieldPolicy(model, FAST)
