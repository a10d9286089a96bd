"""The planner in rooms of exact geometry, with a world model whose predictions the test decides."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from avw.model.context import ContextNeeds
from avw.model.planning.hearing import Hearing
from avw.model.policies.mpc import MpcConfig, MpcPolicy
from avw.sim_bridge.types import Action
from tests.model.memory.rooms import CEILING
from tests.model.planning.room_walk import DIVIDED, ROOM, SIZE, KnowingModel, RoomWalk

FAST = MpcConfig(denoising_steps=0, spacing=2.5, farthest=4.0, scan=False)


def to(*source: float):
    """What a model predicts that knows the source, without walls."""
    return lambda place_2: float(np.linalg.norm(place_2 - np.array(source)))


def policy(model, **changes) -> MpcPolicy:
    return MpcPolicy(model, dataclasses.replace(FAST, **changes))


def test_it_walks_to_the_source_and_stops_there():
    walk = RoomWalk()
    actions = walk.run(policy(KnowingModel(to(-2.0, 1.5))), 80)
    assert actions[-1] == Action.STOP
    assert np.linalg.norm(walk.pose_4[:2] - [-2.0, 1.5]) < 1.0
    assert actions.count(Action.FORWARD) < 16  # 1.7 m to the edge of the success radius
    assert walk.collisions == 0


def test_it_walks_around_a_wall_that_it_has_seen():
    """The model points straight through the wall; the candidates lie on paths around it."""

    def through(place_2: np.ndarray) -> float:
        return abs(2.0 - place_2[0]) + 0.1 * abs(place_2[1] + 1.0)

    walk = RoomWalk(DIVIDED)
    actions = walk.run(policy(KnowingModel(through)), 120)
    assert actions[-1] == Action.STOP
    assert walk.pose_4[0] > 0.9
    assert walk.collisions <= 2


@pytest.mark.parametrize("bearing", [0.0, 0.5, -0.5])
def test_where_the_model_is_uncertain_it_goes_where_the_sound_comes_from(bearing, monkeypatch):
    """The model predicts 8 m everywhere, and the walls are farther away than the candidates."""
    model = KnowingModel(lambda place_2: 8.0, sharpness=0.3)
    monkeypatch.setattr(Hearing, "support", lambda self, bearing_K: np.maximum(np.cos(bearing_K - bearing), 0.0))

    def goal(**changes: float) -> float:
        planner = policy(model, explore=0.0, revisit=0.0, farthest=2.2, spacing=1.5, **changes)
        RoomWalk().run(planner, 1)
        return float(np.arctan2(planner.goal_2[1], planner.goal_2[0]))

    assert abs(goal() - bearing) < 0.3
    model.hears = False  # a model without sound has a planner that does not listen
    without = goal()
    model.hears = True
    assert goal(hear=0.0) == without


def test_it_does_not_stop_on_one_low_prediction():
    """The decisions before it count too."""
    model = KnowingModel(to(2.5, 0.0))
    planner = policy(model, execute=(1, 1), stop_memory=0.9)
    walk = RoomWalk()
    walk.run(planner, 4)
    assert np.linalg.norm(walk.pose_4[:2]) < 0.7
    model.distance = lambda place_2: 0.3
    assert walk.run(planner, 1) != [Action.STOP]
    model.distance = to(2.5, 0.0)
    assert walk.run(planner, 40)[-1] == Action.STOP


def test_equal_seeds_give_equal_actions_and_seeds_reach_the_model():
    def run(seed: int) -> tuple[list[Action], list[int]]:
        model = KnowingModel(to(2.0, -1.0))
        planner = policy(model, denoising_steps=2)
        planner.reset(seed)
        actions = RoomWalk().run(planner, 12)
        return actions, [call.seed for call in model.calls if call.kind == "predict"]

    assert run(3) == run(3)
    assert run(3)[1] != run(4)[1]
    assert len(set(run(3)[1])) == len(run(3)[1])


def test_a_second_episode_starts_from_nothing():
    model = KnowingModel(to(2.0, -1.0))
    planner = policy(model)
    first = RoomWalk().run(planner, 10)
    planner.reset(0)
    assert RoomWalk().run(planner, 10) == first


@pytest.mark.parametrize(("denoising_steps", "kinds"), [(0, ["predict_reward"]), (1, ["predict", "predict_reward"])])
def test_the_control_imagines_nothing(denoising_steps, kinds):
    """All candidates are one batch; the current pose is never imagined."""
    model = KnowingModel(to(2.0, 0.0))
    planner = policy(model, denoising_steps=denoising_steps)
    assert planner.name == ("mpc" if denoising_steps else "reward-only")
    RoomWalk().run(planner, 1)
    assert [call.kind for call in model.calls] == kinds
    assert np.array_equal(model.calls[-1].motion_K3[-1], np.zeros(3))
    assert model.calls[-1].steps_K[-1] == 0
    assert sum(len(call.steps_K) for call in model.calls) > 10


def test_it_decides_more_often_near_the_source():
    def calls(distance: float, actions: int) -> int:
        model = KnowingModel(lambda place_2: distance)
        RoomWalk().run(policy(model, execute=(2, 6)), actions)
        return len(model.calls)

    assert [calls(9.0, count) for count in (6, 7)] == [1, 2]
    assert [calls(4.0, count) for count in (4, 5)] == [1, 2]
    assert [calls(1.5, count) for count in (2, 3)] == [1, 2]


def test_it_looks_around_before_the_first_decision():
    counts = []  # of actions before each decision

    class Counting(KnowingModel):
        def encode(self, contexts):
            counts.append(len(walk.taken))
            return super().encode(contexts)

    walk = RoomWalk()
    walk.run(policy(Counting(lambda place_2: 4.0 - 0.01 * place_2[0]), scan=True, execute=(4, 4)), 60)
    assert walk.taken[:36] == [Action.TURN_LEFT] * 36
    assert counts[0] == 36
    assert max(np.diff(counts)) <= 4


def test_an_uncertain_model_is_followed_less():
    """The same small advantage behind the agent decides for a certain model; an uncertain one keeps its goal."""

    def later_goal(sharpness: float) -> np.ndarray:
        model = KnowingModel(lambda place_2: 4.0 - 0.1 * place_2[0], sharpness)
        planner = policy(model, execute=(1, 1), keep=2.0, explore=0.0, revisit=0.0, path_cost=0.0)
        walk = RoomWalk()
        walk.run(planner, 1)
        model.distance = lambda place_2: 4.0 + 0.3 * place_2[0]
        walk.run(planner, 1)
        assert planner.goal_2 is not None
        return planner.goal_2

    assert later_goal(50.0)[0] < 0
    assert later_goal(0.3)[0] > 0


def test_places_where_it_was_become_less_attractive():
    planner = policy(KnowingModel(to(0.0, 0.0)))
    RoomWalk().run(planner, 1)
    planner.walker.trail += [np.array([1.0, 0.0])] * 9
    assert planner.visits(np.array([[1.0, 0.3], [2.0, 0.0]])).tolist() == [9, 0]


def test_a_model_without_a_memory_gets_a_map_all_the_same():
    class Blind(KnowingModel):
        needs = ContextNeeds(ages=(1, 0), sound_memory=0, memory=False, hfov=90.0, size=SIZE)

        def encode(self, contexts):
            assert contexts[0].memory is None
            return planner.memory.pose_4.copy()

    planner = policy(Blind(to(-2.0, 1.5)))
    walk = RoomWalk(ROOM)
    assert walk.run(planner, 80)[-1] == Action.STOP
    assert walk.collisions == 0


def test_it_leaves_a_room_whose_only_way_out_looks_too_narrow():
    """A gap of 0.26 m, through which an agent of 0.2 m fits. In the cells of the map it looks too narrow."""
    gap = [*ROOM, (0.8, 0.9, -3.0, -0.13, CEILING), (0.8, 0.9, 0.13, 3.0, CEILING)]
    walk = RoomWalk(gap)
    actions = walk.run(policy(KnowingModel(to(2.2, 0.0)), scan=True), 200)
    assert actions[-1] == Action.STOP
    assert walk.pose_4[0] > 0.9


@pytest.mark.parametrize(("stay", "stops"), [(1000, False), (10, True)])
def test_a_model_that_is_never_certain_suffices_where_the_agent_has_stayed(stay: int, stops: bool):
    model = KnowingModel(to(1.0, 0.5), sharpness=1.2)
    walk = RoomWalk()
    actions = walk.run(policy(model, stay=stay), 60)
    assert (actions[-1] == Action.STOP) == stops
    if stops:
        assert np.linalg.norm(walk.pose_4[:2] - [1.0, 0.5]) < 1.0
