"""Walking along paths through a memory."""

import numpy as np

from avw.model.memory.free_space import reachable_poses, walking_cost
from avw.model.memory.spatial_memory import SpatialMemory
from avw.model.planning.walking import Walker
from avw.sim_bridge.types import Action
from tests.model.planning.room_walk import DIVIDED, RoomWalk


class Guided:
    """Follows the path to the reachable place that is nearest to a goal, searched anew every few actions."""

    def __init__(self, goal: tuple[float, float], every: int = 4) -> None:
        self.memory, self.goal_2, self.every = SpatialMemory(90.0), np.array(goal), every
        self.walker, self.last, self.count = Walker(self.memory), None, 0

    def act(self, observation):
        self.memory.observe(observation, self.last)
        self.walker.arrived(self.last)
        if self.count % self.every == 0 or self.walker.blocked:
            space = self.walker.space()
            cost_HW = walking_cost(space)
            poses = reachable_poses(space, nearest=0.6, cost_HW=cost_HW)
            ends_K2 = np.stack([path_N2[-1] for path_N2 in poses.paths])
            best = int(np.square(ends_K2 - self.goal_2).sum(1).argmin())
            self.walker.follow(space, cost_HW, poses.paths[best])
        self.count += 1
        if np.linalg.norm(self.walker.position_2 - self.goal_2) < 0.5:
            return Action.STOP
        self.last = self.walker.next_action()
        return self.last


def test_it_walks_around_a_wall_without_touching_it():
    walk = RoomWalk(DIVIDED)
    actions = walk.run(Guided((1.8, -1.0)), 120)
    assert actions[-1] == Action.STOP
    assert np.linalg.norm(walk.pose_4[:2] - [1.8, -1.0]) < 0.55
    assert walk.collisions == 0


def test_a_goal_behind_is_reached_by_turning_one_way():
    actions = RoomWalk().run(Guided((-2.0, 0.0)), 60)
    first_step = actions.index(Action.FORWARD)
    assert len(set(actions[:first_step])) == 1
    assert first_step <= 19
    assert actions.count(Action.FORWARD) <= 14


def test_a_blocked_step_becomes_an_obstacle():
    """The memory has not seen what stops the agent, so the walker remembers the spot."""
    walk, walker = RoomWalk(), None
    memory = SpatialMemory(90.0)
    memory.observe(walk.observation())
    walker = Walker(memory)
    walker.arrived(None)
    free = walker.space()
    assert not free.obstacle_HW[free.nodes(0.2, 0.0)]
    memory.observe(walk.observation(), Action.FORWARD)  # the same image: the step led nowhere
    walker.arrived(Action.FORWARD)
    assert walker.blocked
    space = walker.space()
    assert space.obstacle_HW[space.nodes(0.2, 0.0)]
    assert not space.free_HW[space.nodes(0.2, 0.0)]
    memory.observe(walk.observation(), Action.TURN_LEFT)
    walker.arrived(Action.TURN_LEFT)
    assert not walker.blocked


def test_a_walker_that_is_blocked_again_and_again_turns_away():
    """A planner that insists on a path ahead, and images that never change, as in front of a pane of glass."""
    walk, memory = RoomWalk(), SpatialMemory(90.0)
    walker, taken = Walker(memory), []
    for _ in range(30):
        last = taken[-1] if taken else None
        observation = walk.observation()
        memory.observe(observation, last)
        walker.arrived(last)
        space = walker.space()
        cost_HW = np.ones_like(space.obstacle_HW, np.float64)
        walker.follow(space, cost_HW, np.stack([walker.position_2, walker.position_2 + np.array([2.0, 0.0])]))
        taken.append(walker.next_action())
        if taken[-1] in (Action.TURN_LEFT, Action.TURN_RIGHT):
            walk.act(taken[-1])
    assert taken[:4] == [Action.FORWARD] * 4
    assert taken[4:] == ([Action.TURN_LEFT, Action.TURN_LEFT, Action.FORWARD] * 9)[:26]
