"""An agent that hears nothing any more goes to where it heard the source, and stops there."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch

from avw.model.planning.last_heard import LastHeard
from avw.model.policies.mpc import MpcPolicy
from avw.model.source_belief import SourceBelief
from avw.sim_bridge.types import Action
from tests.model.planning.room_walk import KnowingModel, RoomWalk
from tests.model.policies.test_mpc import FAST

SOURCE = (-2.0, 1.5)
LOUD, QUIET = np.full((2, 16), 0.1, np.float32), np.zeros((2, 16), np.float32)


class Believing(KnowingModel):
    """Knows where the source is while it hears it. Without sound it believes that it is there already."""

    def __init__(self, walk: RoomWalk) -> None:
        super().__init__(lambda place_2: 5.0)
        self.walk = walk

    def _predict(self, kind, pose_4, motion, offset, seed):
        predicted = super()._predict(kind, pose_4, motion, offset, seed)
        c, s = math.cos(pose_4[3]), math.sin(pose_4[3])
        x, y = np.array(SOURCE) - pose_4[:2]
        cells_G2 = torch.tensor([[c * x + s * y, c * y - s * x], [2.0, -2.0]])
        predicted.source = SourceBelief(torch.tensor([[0.8, 0.2]]).log(), cells_G2.float())
        return predicted


def test_the_place_is_the_one_from_which_most_of_the_belief_is_within_reach():
    heard = LastHeard()
    assert [heard.hear(audio) for audio in (QUIET, QUIET, QUIET, LOUD, 0.5 * LOUD, LOUD)] == [False] * 6
    assert heard.hear(0.1 * LOUD)  # it falls
    heard.remember(np.array([[5.0, 0.0], [0.0, 3.0], [0.4, 3.0]]), np.array([0.4, 0.25, 0.35]))
    assert [heard.hear(audio) for audio in (0.01 * LOUD, QUIET, QUIET)] == [False] * 3
    assert not heard.silent  # it may be a pause
    heard.hear(QUIET)
    assert heard.silent
    assert heard.choose(np.array([True, True, True]))[1] == 3.0
    found = heard.outlook(np.array([[5.0, 0.0], [0.2, 3.0]]), np.zeros(4))
    assert found.distance_K[0] > 4.0
    assert found.success_K[0] < 0.5 < found.success_K[1]
    assert heard.choose(np.array([True, False, False]))[0] == 5.0
    heard.hear(LOUD)
    assert not heard.silent


def test_a_planner_stops_where_it_last_heard_the_source():
    walk = RoomWalk(source=SOURCE)
    policy = MpcPolicy(Believing(walk), dataclasses.replace(FAST))
    for _ in range(3):
        action = policy.act(walk.observation())
        walk.taken.append(action)
        walk.act(action)
    walk.source = None  # the sound ends
    actions = walk.run(policy, 80)
    assert actions[-1] == Action.STOP
    assert np.linalg.norm(walk.pose_4[:2] - SOURCE) < 1.0
