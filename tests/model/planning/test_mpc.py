"""The planner's candidates are what their actions do, and its memory follows its turns."""

import math

import numpy as np
import pytest

from avw.model.planning.mpc import MpcConfig, candidates
from avw.sim_bridge.types import Action, Pose, relative_motion


def test_candidates_are_the_motion_that_their_actions_command():
    config = MpcConfig(forwards=(1, 4, 14))
    options = candidates(config)
    start = Pose(1.0, 0.0, -2.0, 0.7)
    for i in range(len(options.turns_K)):
        turns, forwards = int(options.turns_K[i]), int(options.forwards_K[i])
        pose = start
        for _ in range(abs(turns)):
            pose = pose.after(Action.TURN_LEFT if turns > 0 else Action.TURN_RIGHT)
        for _ in range(forwards):
            pose = pose.after(Action.FORWARD)
        expected = relative_motion(start, pose)
        found = options.motion_K3[i]
        assert found[:2] == pytest.approx(expected[:2], abs=1e-5)
        assert math.cos(found[2] - expected[2]) == pytest.approx(1.0, abs=1e-9)
        assert options.offset_K[i] == abs(turns) + forwards


def test_every_heading_once_a_distance():
    options = candidates(MpcConfig(forwards=(4, 8)))
    ahead = options.forwards_K == 4
    assert sorted(options.turns_K[ahead].tolist()) == list(range(-17, 19))
    assert np.count_nonzero(options.forwards_K == 0) == 2  # the two turns that stand for "here"
