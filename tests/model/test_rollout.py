"""Roll-outs: what is fed back, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from avw.model.context import ContextNeeds, Observer
from avw.model.imagination import Imagination, commanded_motion
from avw.model.rollout import RolloutConfig, roll_out
from avw.sim_bridge.types import Action, Observation

FORWARD, LEFT, RIGHT = Action.FORWARD, Action.TURN_LEFT, Action.TURN_RIGHT
NEEDS = ContextNeeds(ages=(2, 1, 0), sound_memory=4, memory=False, hfov=90.0, size=8)
WAY = [LEFT, FORWARD, FORWARD, RIGHT, FORWARD, LEFT, LEFT, FORWARD, FORWARD, FORWARD, RIGHT]


def observation(grey: int, loud: float) -> Observation:
    return Observation(
        np.full((8, 8, 3), grey, np.uint8), np.full((8, 8), 2.0, np.float32), np.full((2, 2400), loud, np.float32)
    )


@pytest.fixture
def observer() -> Observer:
    found = Observer(NEEDS)
    found.observe(observation(10, 1.0))
    for _ in range(3):
        found.observe(observation(20, 1.0), FORWARD)
    return found


class Scripted:
    """Each imagined frame is one grey level lighter than the newest of the context, and half as loud per jump."""

    def __init__(self) -> None:
        self.contexts = []

    def __call__(self, context, actions) -> Imagination:
        self.contexts.append(context)
        N, steps = len(actions), np.arange(1, len(actions) + 1)
        grey = int(context.rgb_THWC[-1, 0, 0, 0]) + steps
        return Imagination(
            rgb=np.broadcast_to(grey[:, None, None, None], (N, 8, 8, 3)).astype(np.uint8),
            depth=np.full((N, 8, 8), 2.0, np.float32),
            audio=np.full((N, 2, 2400), 0.5 * context.audio_TES[-1, 0, 0], np.float32),
            reward=0.1 * steps,
            progress=0.2 * steps,
            success=np.full(N, 0.5),
            distance=5.0 - 0.2 * steps,
            motion=commanded_motion(actions),
            coverage=None,
        )


def test_one_piece_is_the_direct_jump(observer):
    direct = Scripted()(observer.context(), WAY)
    rolled = roll_out(Scripted(), observer, WAY, RolloutConfig(chunk=len(WAY), reach=len(WAY)))
    for name in ("rgb", "depth", "audio", "reward", "progress", "success", "distance"):
        np.testing.assert_array_equal(getattr(rolled, name), getattr(direct, name), err_msg=name)
    np.testing.assert_allclose(rolled.motion, direct.motion, atol=1e-6)


@pytest.mark.parametrize("chunk", [1, 3, 4])
def test_pieces_lead_to_the_same_place_and_see_what_was_imagined(observer, chunk):
    jump = Scripted()
    rolled = roll_out(jump, observer, WAY, RolloutConfig(chunk=chunk, reach=len(WAY)))
    np.testing.assert_allclose(rolled.motion, commanded_motion(WAY), atol=1e-6)
    np.testing.assert_array_equal(rolled.rgb[:, 0, 0, 0], 20 + np.arange(1, len(WAY) + 1))
    second = jump.contexts[1]
    np.testing.assert_array_equal(second.rgb_THWC[-1], rolled.rgb[chunk - 1])
    if chunk >= 2:  # the pose of the frame before, seen from the end of the first piece
        undone = -0.15 if WAY[chunk - 1] == FORWARD else 0.0
        assert second.past_T3[-2, 0] == pytest.approx(undone, abs=1e-6)


def test_sound_does_not_fade_where_one_jump_reaches(observer):
    rolled = roll_out(Scripted(), observer, WAY, RolloutConfig(chunk=2, reach=6))
    loud = rolled.audio[:, 0, 0]
    np.testing.assert_array_equal(loud[:6], 0.5)
    assert (np.diff(loud[6:]) <= 0).all()
    assert loud[-1] < 0.25  # beyond, it can only be fed back


def test_sums_continue_beyond_the_reach(observer):
    rolled = roll_out(Scripted(), observer, WAY, RolloutConfig(chunk=2, reach=6))
    np.testing.assert_allclose(rolled.progress, 0.2 * np.arange(1, len(WAY) + 1), atol=1e-6)
    np.testing.assert_allclose(rolled.reward, 0.1 * np.arange(1, len(WAY) + 1), atol=1e-6)


def test_the_observer_is_as_before(observer):
    before = observer.context()
    roll_out(Scripted(), observer, WAY, RolloutConfig(chunk=2, reach=6))
    after = observer.context()
    np.testing.assert_array_equal(before.rgb_THWC, after.rgb_THWC)
    np.testing.assert_array_equal(before.past_T3, after.past_T3)
