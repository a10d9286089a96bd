"""The MPC planner, with a scripted world model in place of a trained one: the test decides what is predicted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from avw.model.context import Context, ContextNeeds
from avw.model.planning.mpc import MpcConfig, MpcPolicy, candidates
from avw.model.world_model import Calibration
from avw.sim_bridge.types import FORWARD_METRES, STEP_SAMPLES, TURN_RADIANS, Action, Observation, Pose, relative_motion

FORWARD, LEFT, RIGHT, STOP = Action.FORWARD, Action.TURN_LEFT, Action.TURN_RIGHT, Action.STOP
FAR = 5.0  # metres of depth: nothing ahead


@dataclass
class Call:
    """One use of the model, as the planner made it."""

    kind: str
    rgb_BTHWC: np.ndarray
    audio_BTES: np.ndarray
    past_BT3: np.ndarray
    motion_BK3: np.ndarray
    offset_BK: np.ndarray
    steps: int | None = 0
    seed: int = 0


class ScriptedModel:
    """The methods of `WorldModel` that the planner uses. progress(turns, forwards) and success(turns, forwards) say
    what is predicted for a candidate; they are read from its motion, so a wrong motion gives a wrong prediction."""

    hfov = 90.0
    needs = ContextNeeds(ages=(3, 1, 0), sound_memory=0, memory=False, hfov=hfov, size=16)

    def __init__(
        self,
        progress: Callable[[int, int], float] = lambda turns, forwards: 0.0,
        success: Callable[[int, int], float] = lambda turns, forwards: 0.0,
        stop_threshold: float = 0.5,
    ) -> None:
        self.progress, self.success = progress, success
        self.calibration = Calibration(stop_threshold=stop_threshold)
        self.calls: list[Call] = []

    def encode(self, contexts: list[Context]) -> tuple[np.ndarray, ...]:
        (context,) = contexts
        return context.rgb_THWC[None], context.audio_TES[None], context.past_T3[None]

    def predict(self, history, motion, offset, *, steps: int | None = 1, seed: int = 0, pixels: bool = True):
        return self._predict("predict", history, motion, offset, steps, seed)

    def predict_reward(self, history, motion, offset):
        return self._predict("predict_reward", history, motion, offset)

    def _predict(self, kind, history, motion, offset, steps=0, seed=0):
        self.calls.append(Call(kind, *history, motion.numpy(), offset.numpy(), steps, seed))
        forwards = (torch.hypot(motion[0, :, 0], motion[0, :, 1]) / FORWARD_METRES).round().int().tolist()
        turns = (motion[0, :, 2] / TURN_RADIANS).round().int().tolist()
        turns = [18 if turn == -18 else turn for turn in turns]  # half a revolution has one name
        pairs = list(zip(turns, forwards, strict=True))
        progress = torch.tensor([[self.progress(*pair) for pair in pairs]], dtype=torch.float32)
        success = torch.tensor([[self.success(*pair) for pair in pairs]], dtype=torch.float32)
        return SimpleNamespace(success_BK=success, reward=SimpleNamespace(known_progress_BK=progress))


def observation(number: int, depth: float = FAR) -> Observation:
    """Frame `number`: its colour and its sound tell which one it is."""
    return Observation(
        rgb_HWC=np.full((16, 16, 3), number % 256, np.uint8),
        depth_HW=np.full((16, 16), depth, np.float32),
        audio_ES=np.full((2, STEP_SAMPLES), number / 1000, np.float32),
    )


def run(policy: MpcPolicy, count: int, first: int = 0) -> list[Action]:
    """`count` actions with a new frame for each, and nothing in the way."""
    return [policy.act(observation(first + number)) for number in range(count)]


def prefer(turns: int, forwards: int = 4, gain: float = 9.0) -> Callable[[int, int], float]:
    """Progress `gain` for one candidate, 0 for all others."""
    return lambda t, f: gain if (t, f) == (turns, forwards) else 0.0


# Candidates


def test_candidates_are_the_motion_that_their_actions_command():
    config = MpcConfig(forwards=(1, 4, 14))
    options = candidates(config)
    start = Pose(1.0, 0.0, -2.0, 0.7)
    for i in range(len(options.turns_K)):
        turns, forwards = int(options.turns_K[i]), int(options.forwards_K[i])
        pose = start
        for _ in range(abs(turns)):
            pose = pose.after(LEFT if turns > 0 else RIGHT)
        for _ in range(forwards):
            pose = pose.after(FORWARD)
        expected = relative_motion(start, pose)
        found = options.motion_K3[i]
        assert found[:2] == pytest.approx(expected[:2], abs=1e-5)
        assert math.cos(found[2] - expected[2]) == pytest.approx(1.0, abs=1e-9)
        assert options.offset_K[i] == abs(turns) + forwards


def test_every_heading_occurs_once_per_distance():
    options = candidates(MpcConfig(forwards=(4, 8)))
    ahead = options.forwards_K == 4
    assert sorted(options.turns_K[ahead].tolist()) == list(range(-17, 19))
    assert np.count_nonzero(options.forwards_K == 0) == 2  # the two turns that stand for the current position
    assert options.forwards_K[-2:].tolist() == [0, 0]


# The choice


@pytest.mark.parametrize(
    ("turns", "forwards", "expected"),
    [
        (3, 4, [LEFT] * 3 + [FORWARD] * 4),
        (-2, 4, [RIGHT] * 2 + [FORWARD] * 4),
        (0, 14, [FORWARD] * 5),  # `execute` steps, not all fourteen
        (18, 8, [LEFT] * 18 + [FORWARD] * 5),
    ],
)
def test_the_candidate_with_the_most_progress_is_executed(turns, forwards, expected):
    model = ScriptedModel(prefer(turns, forwards))
    policy = MpcPolicy(model)
    assert run(policy, len(expected)) == expected
    assert len(model.calls) == 1
    run(policy, 1, first=len(expected))
    assert len(model.calls) == 2  # a new plan once the executed part is done


def test_success_counts_in_metres_of_progress():
    progress, success = prefer(5, 4, gain=0.5), prefer(-5, 4, gain=0.4)
    assert run(MpcPolicy(ScriptedModel(progress, success)), 1) == [LEFT]
    assert run(MpcPolicy(ScriptedModel(progress, success), MpcConfig(success_weight=2.0)), 1) == [RIGHT]


def test_steps_cost():
    """Equal progress in two directions: the one that takes fewer steps, unless steps cost nothing."""

    def progress(turns, forwards):
        return {(-9, 4): 1.0, (2, 4): 0.95}.get((turns, forwards), 0.0)

    assert run(MpcPolicy(ScriptedModel(progress)), 1) == [LEFT]
    assert run(MpcPolicy(ScriptedModel(progress), MpcConfig(step_cost=0.0)), 1) == [RIGHT]


def test_turning_on_the_spot_is_never_the_plan():
    """Even where the model predicts the most progress for staying, the agent goes somewhere."""
    policy = MpcPolicy(ScriptedModel(lambda turns, forwards: 9.0 if forwards == 0 else float(turns == 4)))
    assert run(policy, 5) == [LEFT] * 4 + [FORWARD]


# The rule for STOP


@pytest.mark.parametrize(("left", "right", "stops"), [(0.9, 0.4, True), (0.9, 0.2, False), (0.6, 0.6, False)])
def test_it_stops_when_success_here_exceeds_the_calibrated_threshold(left, right, stops):
    """The mean of the two turns on the spot decides, against a threshold of 0.6."""
    model = ScriptedModel(
        prefer(0), lambda turns, forwards: (left if turns > 0 else right) if forwards == 0 else 0.0, stop_threshold=0.6
    )
    assert run(MpcPolicy(model), 1) == [STOP if stops else FORWARD]


def test_success_elsewhere_does_not_stop_it():
    model = ScriptedModel(success=lambda turns, forwards: float(forwards > 0))
    assert run(MpcPolicy(model), 1) != [STOP]


def test_it_stops_only_when_it_plans():
    """The rule is applied once per plan, so a plan in progress is finished first."""
    model = ScriptedModel(prefer(0))
    policy = MpcPolicy(model)
    run(policy, 1)
    model.success = lambda turns, forwards: 1.0
    assert run(policy, 4, first=1) == [FORWARD] * 3 + [STOP]


# Blocked headings


def test_an_unchanged_image_after_a_step_blocks_the_heading():
    model = ScriptedModel(lambda turns, forwards: 5.0 - abs(turns) if forwards == 4 else 0.0)
    policy = MpcPolicy(model)
    same = observation(7)
    assert policy.act(same) == FORWARD
    # Headings -1, 0 and 1 are blocked now: the nearest free ones are two turns away.
    first = policy.act(same)
    assert first in (LEFT, RIGHT)
    assert [policy.act(observation(20 + i)) for i in range(2)] == [first, FORWARD]


def test_blocked_headings_turn_with_the_agent_and_are_forgotten_after_a_step():
    model = ScriptedModel(prefer(6))
    policy = MpcPolicy(model, MpcConfig(forwards=(4,), execute=1))
    same = observation(7)
    policy.blocked_turns = {-1, 0, 1}
    assert policy.act(same) == LEFT
    assert policy.blocked_turns == {-2, -1, 0}  # one turn to the left moved them to the right
    assert run(policy, 5, first=20) == [LEFT] * 5
    assert policy.blocked_turns == {-7, -6, -5}
    policy.act(observation(40))
    policy.act(observation(41))  # the step succeeded: the image changed
    assert policy.blocked_turns == set()


def test_a_blocked_heading_wraps_around():
    policy = MpcPolicy(ScriptedModel(prefer(-2)))
    policy.blocked_turns = {18}
    policy.act(observation(1))
    assert policy.blocked_turns == {-17}


def test_a_blocked_step_does_not_move_the_estimated_position():
    policy = MpcPolicy(ScriptedModel(prefer(0)))
    policy.act(observation(1))
    policy.act(observation(1))
    assert policy.position_2.tolist() == [0.0, 0.0]
    policy = MpcPolicy(ScriptedModel(prefer(0)))
    policy.act(observation(1))
    policy.act(observation(2))
    assert policy.position_2 == pytest.approx([0.0, -FORWARD_METRES])  # yaw 0 looks along -z


# The depth reflex


def test_an_obstacle_ahead_replaces_a_planned_step():
    model = ScriptedModel(lambda turns, forwards: 5.0 - abs(turns) if forwards == 4 else 0.0)
    policy = MpcPolicy(model)
    assert run(policy, 2) == [FORWARD, FORWARD]
    assert len(model.calls) == 1
    first = policy.act(observation(3, depth=0.2))
    assert first in (LEFT, RIGHT)
    assert len(model.calls) == 2


def test_an_obstacle_ahead_replaces_the_first_step_of_a_new_plan():
    model = ScriptedModel(lambda turns, forwards: 5.0 - abs(turns) if forwards == 4 else 0.0)
    policy = MpcPolicy(model)
    assert policy.act(observation(0, depth=0.2)) in (LEFT, RIGHT)
    assert len(model.calls) == 2


def test_the_reflex_looks_one_step_ahead_and_does_not_stop_turns():
    edge = FORWARD_METRES + 0.03 + 0.1  # one step, a margin, the radius of the agent
    assert MpcPolicy(ScriptedModel(prefer(0))).act(observation(0, depth=edge + 0.01)) == FORWARD
    assert MpcPolicy(ScriptedModel(prefer(0))).act(observation(0, depth=edge - 0.01)) != FORWARD
    model = ScriptedModel(prefer(3))
    policy = MpcPolicy(model)
    assert [policy.act(observation(i, depth=0.2)) for i in range(3)] == [LEFT] * 3
    assert len(model.calls) == 1


def test_the_depth_image_is_examined_at_most_once_per_frame(monkeypatch):
    from avw.model.planning import mpc

    seen = []
    monkeypatch.setattr(mpc, "blocked_ahead", lambda depth, **_: seen.append(depth) or True)
    policy = MpcPolicy(ScriptedModel(prefer(0)))
    policy.act(observation(0))
    assert len(seen) == 1


# Revisits


def test_a_place_is_less_attractive_the_longer_the_agent_was_there():
    """Progress favours going back slightly; after ten steps at that place it goes elsewhere."""
    end_2 = np.array([0.0, -4 * FORWARD_METRES])  # where candidate (0, 4) ends

    def progress(turns, forwards):
        return {(0, 4): 0.30, (9, 4): 0.20}.get((turns, forwards), -9.0)

    def chosen(visits: int, **changes) -> Action:
        policy = MpcPolicy(ScriptedModel(progress), MpcConfig(step_cost=0.0, **changes))
        policy.visited = [end_2 + 0.5] * visits + [end_2 + np.array([0.0, 0.59])] * visits
        return policy.act(observation(0))

    assert chosen(0) == FORWARD
    assert chosen(10) == LEFT
    assert chosen(10, revisit_cost=0.0) == FORWARD
    assert chosen(10, revisit_metres=0.5) == FORWARD  # none of those steps was that near


def test_the_revisit_cost_is_the_logarithm_of_the_steps_spent_there():
    """With 3 visits the cost is 0.1 · ln 4 = 0.139 m: an advantage of 0.13 m loses, one of 0.15 m wins."""

    def chosen(advantage: float) -> Action:
        progress = {(0, 4): advantage, (9, 4): 0.0}
        policy = MpcPolicy(
            ScriptedModel(lambda turns, forwards: progress.get((turns, forwards), -9.0)),
            MpcConfig(step_cost=0.0, revisit_metres=0.3),
        )
        policy.visited = [np.array([0.0, -4 * FORWARD_METRES])] * 3
        return policy.act(observation(0))

    assert chosen(0.13) == LEFT
    assert chosen(0.15) == FORWARD


def test_revisits_are_counted_where_the_executed_part_of_a_candidate_ends():
    def chosen(steps: int) -> Action:
        progress = {(0, 14): 0.1, (9, 14): 0.0}
        policy = MpcPolicy(
            ScriptedModel(lambda turns, forwards: progress.get((turns, forwards), -9.0)), MpcConfig(step_cost=0.0)
        )
        policy.visited = [np.array([0.0, -steps * FORWARD_METRES])] * 30
        return policy.act(observation(0))

    assert chosen(5) == LEFT
    assert chosen(14) == FORWARD


def test_position_and_revisits_follow_the_heading():
    policy = MpcPolicy(ScriptedModel(prefer(9)), MpcConfig(forwards=(4,), execute=1))
    run(policy, 11)  # nine turns to the left, one step, and one frame after it
    assert policy.position_2 == pytest.approx([-FORWARD_METRES, 0.0])  # a yaw of 90° looks along -x

    def chosen(visited_2: list[float]) -> Action:
        progress = {(0, 4): 0.1, (9, 4): 0.0}
        policy = MpcPolicy(
            ScriptedModel(lambda turns, forwards: progress.get((turns, forwards), -9.0)), MpcConfig(step_cost=0.0)
        )
        policy.pose = Pose(0.0, 0.0, 0.0, math.pi / 2)
        policy.visited = [np.array(visited_2)] * 30
        return policy.act(observation(0))

    assert chosen([-4 * FORWARD_METRES, 0.0]) == LEFT
    assert chosen([0.0, -4 * FORWARD_METRES]) == FORWARD


# What the model is given


def test_the_context_holds_the_frames_of_the_ages_oldest_first():
    model = ScriptedModel(prefer(0))
    policy = MpcPolicy(model, MpcConfig(execute=1))
    run(policy, 6)
    first, last = model.calls[0], model.calls[-1]
    assert first.rgb_BTHWC[0, :, 0, 0, 0].tolist() == [0, 0, 0]  # the first frame is repeated
    assert first.past_BT3 == pytest.approx(np.zeros((1, 3, 3)))
    assert last.rgb_BTHWC[0, :, 0, 0, 0].tolist() == [2, 4, 5]
    assert last.audio_BTES[0, :, 0, 0] == pytest.approx([0.002, 0.004, 0.005])
    assert last.past_BT3[0, :, 0] == pytest.approx([-3 * FORWARD_METRES, -FORWARD_METRES, 0.0], abs=1e-6)
    assert last.motion_BK3.shape == (1, 3 * 36 + 2, 3)
    assert last.offset_BK[0, -2:].tolist() == [1, 1]


def test_noise_depends_on_the_seed_and_the_plan():
    def seeds(seed: int) -> list[int]:
        model = ScriptedModel(prefer(0))
        policy = MpcPolicy(model, MpcConfig(execute=1, denoising_steps=3))
        policy.reset(seed)
        run(policy, 3)
        assert {(call.kind, call.steps) for call in model.calls} == {("predict", 3)}
        return [call.seed for call in model.calls]

    assert seeds(1) == seeds(1)
    assert len({*seeds(1), *seeds(2)}) == 6


def test_reward_only_predicts_the_reward_and_nothing_else():
    model = ScriptedModel(prefer(3))
    policy = MpcPolicy(model, MpcConfig(denoising_steps=0))
    assert policy.name == "reward-only"
    assert run(policy, 4) == [LEFT] * 3 + [FORWARD]
    assert [call.kind for call in model.calls] == ["predict_reward"]


def test_mpc_leaves_the_number_of_denoising_steps_to_the_model():
    model = ScriptedModel(prefer(3))
    policy = MpcPolicy(model)
    assert policy.name == "mpc"
    run(policy, 4)
    assert [(call.kind, call.steps) for call in model.calls] == [("predict", None)]


def test_reset_discards_the_episode():
    def episode(policy: MpcPolicy) -> tuple[list[Action], list[Call]]:
        policy.reset(5)
        before = len(policy.model.calls)
        actions = [policy.act(observation(i // 2, depth=0.2 if i % 7 == 6 else FAR)) for i in range(40)]
        return actions, policy.model.calls[before:]

    # Differences of 2 cm per heading: small enough for the revisit cost to change the choice.
    model = ScriptedModel(lambda turns, forwards: 0.5 - 0.02 * abs(turns - 2) if forwards == 4 else 0.0)
    used = MpcPolicy(model)
    run(used, 30, first=100)  # another episode before
    used.blocked_turns = {0, 1, 2}
    again, again_calls = episode(used)
    fresh, fresh_calls = episode(MpcPolicy(ScriptedModel(model.progress)))
    assert again == fresh
    assert [call.seed for call in again_calls] == [call.seed for call in fresh_calls]
    for one, other in zip(again_calls, fresh_calls, strict=True):
        np.testing.assert_array_equal(one.rgb_BTHWC, other.rgb_BTHWC)
        np.testing.assert_array_equal(one.past_BT3, other.past_BT3)
