"""A shortest-path follower, used by scripts and by the oracle policy, and the reference for SNA.

Privileged: it reads the geodesic, which no policy except the oracle may use.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from avw.sim_bridge.errors import AvwError, StuckError
from avw.sim_bridge.navigation.free_space import FreeSpace, Geodesic
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.types import FORWARD_METRES, TURN_RADIANS, Action, Pose, wrap_angle

STOP_DISTANCE = 1.0  # geodesic metres, the task's success distance
MIN_PROGRESS = 0.02  # metres that a step forward must gain for its heading to count as progress
HALF_TURN = round(math.pi / TURN_RADIANS)
MAX_ACTIONS = 5_000


class ShortestPathFollower:
    """Greedy steps along the shortest path from the current pose of the simulator's agent.

    goal_3: metres; None: the floor point of the simulator's source, read at each call.
    stop_distance: geodesic metres below which it returns STOP.
    """

    def __init__(
        self,
        simulator: Simulator,
        goal_3: np.ndarray | Sequence[float] | None = None,
        stop_distance: float = STOP_DISTANCE,
    ) -> None:
        self.simulator = simulator
        self.goal_3 = goal_3
        self.stop_distance = stop_distance

    def next_action(self) -> Action:
        """The next action. No state is kept, so it works after any other actions in between."""
        goal_3 = self.simulator.source.floor_3 if self.goal_3 is None else self.goal_3
        field = self.simulator.navgrid.geodesic(goal_3)
        return greedy_action(field, self.simulator.pose, self.stop_distance)


def greedy_action(field: Geodesic, pose: Pose, stop_distance: float = STOP_DISTANCE) -> Action:
    """The action after which the fewest steps are left, turning towards the next corner of the shortest path.

    Each heading is evaluated by a simulated step forward, which includes sliding along obstacles and corners that the
    agent would touch; the heading with the fewest turns plus remaining steps wins. If no heading around the next
    corner makes progress, all headings are tried. One of them always does, because the geodesic has no local minimum.
    Returns STOP within `stop_distance`; raises AvwError if the goal cannot be reached.
    """
    distance, anchor_3 = field.towards(pose.position_3)
    if not math.isfinite(distance):
        raise AvwError(
            f"no path leads from ({pose.x:.2f}, {pose.z:.2f}) to ({field.goal_3[0]:.2f}, {field.goal_3[2]:.2f}) in "
            f"scene {field.navgrid.scene_id!r}: the pose is not on the free floor. Choose one with `navgrid.sample`"
        )
    if distance < stop_distance:
        return Action.STOP
    straight = round(_turn_to(pose, anchor_3) / TURN_RADIANS)
    best_turns, best_gain = _best_heading(field, pose, distance, (straight - 1, straight, straight + 1))
    if best_gain < MIN_PROGRESS:
        best_turns, best_gain = _best_heading(field, pose, distance, range(-HALF_TURN + 1, HALF_TURN + 1))
    if best_turns == 0:
        return Action.FORWARD
    return Action.TURN_LEFT if best_turns > 0 else Action.TURN_RIGHT


def reference_actions(
    navgrid: FreeSpace,
    start: Pose,
    goal_3: np.ndarray | Sequence[float],
    stop_distance: float = STOP_DISTANCE,
    max_actions: int = MAX_ACTIONS,
) -> list[Action]:
    """The follower's actions from `start` to its first permitted STOP, inclusive: the reference for SNA.

    Only motion is simulated. Raises StuckError if a step leads nowhere, and AvwError if the goal cannot be reached or
    `max_actions` are too few.
    """
    field = navgrid.geodesic(goal_3)
    actions: list[Action] = []
    pose = start
    while len(actions) < max_actions:
        action = greedy_action(field, pose, stop_distance)
        actions.append(action)
        if action == Action.STOP:
            return actions
        before, (pose, _) = pose, navgrid.move(pose, pose.after(action))
        if pose == before:
            raise StuckError(
                f"the shortest-path follower is stuck at ({pose.x:.2f}, {pose.z:.2f}) in scene {navgrid.scene_id!r}, "
                "in a gap that is too narrow for the agent"
            )
    raise AvwError(
        f"the shortest-path follower did not arrive from {start} within {max_actions} actions in scene "
        f"{navgrid.scene_id!r}: raise max_actions, or report the pose as a bug"
    )


def _best_heading(field: Geodesic, pose: Pose, distance: float, turns: Sequence[int]) -> tuple[int, float]:
    """(turns of 10° to the left, metres gained by the step forward after them) of the best heading."""
    best_cost, best_turns, best_gain = math.inf, 0, -math.inf
    for turn in turns:
        turn = (turn + HALF_TURN - 1) % (2 * HALF_TURN) - HALF_TURN + 1  # -17 … 18
        heading = Pose(pose.x, pose.y, pose.z, wrap_angle(pose.yaw + turn * TURN_RADIANS))
        landing, _ = field.navgrid.move(heading, heading.after(Action.FORWARD))
        left, anchor_3 = field.towards(landing.position_3)
        gain = distance - left
        later_turns = abs(_turn_to(landing, anchor_3)) / TURN_RADIANS if left > FORWARD_METRES else 0.0
        cost = abs(turn) + 1 + left / FORWARD_METRES + later_turns
        # A heading without progress does not help a stuck agent, even if it needs few turns.
        if gain < MIN_PROGRESS:
            cost += 1e6 - 1e6 * gain
        if cost < best_cost - 1e-9:
            best_cost, best_turns, best_gain = cost, turn, gain
    return best_turns, best_gain


def _turn_to(pose: Pose, point_3: np.ndarray) -> float:
    """Radians to the left from the agent's heading to the direction of a floor point."""
    dx, dz = float(point_3[0]) - pose.x, float(point_3[2]) - pose.z
    if dx == 0.0 and dz == 0.0:
        return 0.0
    return wrap_angle(math.atan2(-dx, -dz) - pose.yaw)
