"""The three motion modes as scripts: actions that approach the source, leave it, or are unrelated to it.

A script is planned on the navigation grid only, where a step costs microseconds, and rendered afterwards. So it can
look ahead: an approach uses exactly the number of steps it was given, and its last action is a STOP within the success
radius. Scripts are imperfect on purpose: they slip, take detours, look around, walk into furniture and back out of it,
and stop far from the source, because a planner will ask the world model about such actions too.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.navigation.free_space import FreeSpace, Geodesic
from avw.sim_bridge.task.follower import greedy_action, reference_actions
from avw.sim_bridge.types import FORWARD_METRES, Action, Pose

ARRIVED = 0.3  # metres from a waypoint at which the next one is chosen
TRY_DETOURS = 6
TRY_STARTS = 64
MAX_SPARE = 12  # up to so many remaining steps are filled with looking around instead of another detour
TRY_LEGS = 8  # candidate legs of a leaving script before it looks around instead
LEG = 12  # actions of a leg that is long enough to take
MOVES = (Action.FORWARD, Action.TURN_LEFT, Action.TURN_RIGHT)
TURNS = (Action.TURN_LEFT, Action.TURN_RIGHT)


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionConfig:
    """How scripts deviate from shortest paths.

    slip_rate: probability per step of a walk of an action other than the follower's
    look_rate, stray_rate: probability per step of starting to look around, or to walk in a random direction
    look_turns: maximum turns of 10° to one side when looking around
    stray_turns, stray_steps: maximum turns and steps when walking in a random direction. This walk continues against
        obstacles: a planner also asks what is behind walls, and only the data can teach it
    recover_rate: probability, after a collision, of turning away from the obstacle and walking a few steps
    stop_rate: share of unrelated episodes, and of leaving ones that got far enough away, that end with a STOP, so that
        the data contain STOPs without success
    min_distance: minimum metres to the source at the start of an approach, if the house and the steps allow it
    leave_distance: maximum metres to the source at the start of a leaving episode
    leave_clear, leave_back: until a leaving episode is `leave_clear` metres away (in a small house 60 % of the farthest
        place), it never comes back by more than `leave_back` metres from the farthest point so far; afterwards it never
        comes nearer than `leave_clear`
    distance_bins: edges in metres of the distances that `avw info` counts. With them, approaches start at a distance
        drawn uniformly between the nearest and the farthest; without, at a random place
    """

    slip_rate: float = 0.02
    look_rate: float = 0.02
    stray_rate: float = 0.04
    look_turns: int = 6
    stray_turns: int = 12
    stray_steps: int = 14
    recover_rate: float = 0.5
    stop_rate: float = 0.2
    min_distance: float = 3.0
    leave_distance: float = 1.5
    leave_clear: float = 3.0
    leave_back: float = 1.5
    distance_bins: tuple[float, ...] = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            if not 0 <= (value := getattr(self, name)) <= most:
                raise UsageError(f"{name} of the motion is {value!r}: expected 0 to {most:,}")
        bins = self.distance_bins
        if len(bins) > 1000 or any(not 0 <= low < high <= 1e6 for low, high in itertools.pairwise((*bins, 1e6))):
            raise UsageError(f"distance_bins of the motion are {bins}: expected increasing metres of at least 0")


_MOST = {
    **dict.fromkeys(("slip_rate", "look_rate", "stray_rate", "recover_rate", "stop_rate"), 1),
    **dict.fromkeys(("look_turns", "stray_turns", "stray_steps"), 1000),
    **dict.fromkeys(("min_distance", "leave_distance", "leave_clear", "leave_back"), 1_000_000),
}


class Script:
    """The actions so far and the pose after them. Cheap to copy, because detours that are too long are discarded."""

    def __init__(self, navgrid: FreeSpace, start: Pose) -> None:
        self.navgrid = navgrid
        self.pose = start
        self.actions: list[Action] = []
        self.poses = [start]
        self.bumped = False

    def copy(self) -> Script:
        other = Script(self.navgrid, self.pose)
        other.actions, other.poses, other.bumped = list(self.actions), list(self.poses), self.bumped
        return other

    def act(self, *actions: Action) -> None:
        for action in actions:
            self.pose, self.bumped = self.navgrid.move(self.pose, self.pose.after(action))
            self.actions.append(action)
            self.poses.append(self.pose)

    def cut(self, length: int) -> None:
        """Remove all but the first `length` actions."""
        del self.actions[length:], self.poses[length + 1 :]
        self.pose, self.bumped = self.poses[-1], False


def sample_mode_start(
    mode: str, field: Geodesic, steps: int, success_distance: float, config: MotionConfig, rng: np.random.Generator
) -> Pose:
    """The start pose of an episode of `mode`, given the distance field of its source. Always finds one.

    An approach starts where the source can be reached within `steps` actions, at a distance close to the drawn one; a
    leaving episode starts next to the source; an unrelated one starts anywhere.
    """
    source_3 = field.goal_3
    nearest, farthest = 0.0, np.inf
    if mode == "approach":
        farthest = success_distance + FORWARD_METRES * (steps - 1)
        nearest = min(config.min_distance, 0.5 * farthest)
    elif mode == "leave":
        farthest = config.leave_distance
    found: list[tuple[float, Pose]] = []
    for _ in range(TRY_STARTS):
        x, y, z = (float(value) for value in field.navgrid.sample(rng))
        pose = Pose(x, y, z, float(rng.uniform(-np.pi, np.pi)))
        distance = field.distance(pose.position_3)
        if nearest <= distance <= farthest:
            if mode != "approach":
                return pose
            found.append((distance, pose))
    if found and config.distance_bins:
        drawn = float(rng.uniform(nearest, min(farthest, max(distance for distance, _ in found))))
        found.sort(key=lambda candidate: abs(candidate[0] - drawn))
    stop = _stop_distance(success_distance)
    for _, pose in found:
        if len(reference_actions(field.navgrid, pose, source_3, stop)) <= steps:
            return pose
    return Pose(float(source_3[0]), float(source_3[1]), float(source_3[2]), float(rng.uniform(-np.pi, np.pi)))


def approach(
    field: Geodesic,
    start: Pose,
    steps: int,
    success_distance: float,
    config: MotionConfig,
    rng: np.random.Generator,
) -> list[Action]:
    """Exactly `steps` actions to the goal of `field`; the last is a STOP within the success distance."""
    navgrid = field.navgrid
    stop = _stop_distance(success_distance)
    best, ending = Script(navgrid, start), reference_actions(navgrid, start, field.goal_3, stop)
    # Detours first: each must leave enough steps for the shortest path to the source from its end.
    for _ in range(TRY_DETOURS):
        spare = steps - len(best.actions) - len(ending)
        if spare <= MAX_SPARE:
            break
        trial = best.copy()
        if rng.random() < 0.3:
            _deviate(trial, config, rng)
        else:
            # Half of the spare steps for each way; about a third of them are turns.
            reach = max(0.7 * spare * FORWARD_METRES / 2.0, 0.5)
            waypoint = _waypoint_near(field, trial.pose, reach, rng)
            _walk_to(trial, waypoint, config, rng, limit=len(trial.actions) + spare)
        rest = reference_actions(navgrid, trial.pose, field.goal_3, stop)
        if len(trial.actions) + len(rest) <= steps:
            best, ending = trial, rest
    # The remaining steps: glances to the side and back, which do not change the position, spread over the way.
    spare = steps - len(best.actions) - len(ending)
    glances: dict[int, list[Action]] = {}
    while spare >= 2:
        turns = int(rng.integers(1, min(config.look_turns, spare // 2) + 1))
        side = int(rng.integers(2))
        glance = [TURNS[side]] * turns + [TURNS[1 - side]] * turns
        glances.setdefault(int(rng.integers(len(ending))), []).extend(glance)
        spare -= 2 * turns
    for place, action in enumerate(ending[:-1]):
        best.act(*glances.get(place, ()), action)
    best.act(*glances.get(len(ending) - 1, ()), *[TURNS[int(rng.integers(2))]] * spare, Action.STOP)
    return best.actions


def leave(field: Geodesic, start: Pose, steps: int, config: MotionConfig, rng: np.random.Generator) -> list[Action]:
    """`steps` actions away from the goal of `field`, and then among places that are far from it.

    Legs are tried first. A leg that leads back towards the source is cut at that point, and another one is tried; if
    none is long enough, the script turns on the spot.
    """
    script = Script(field.navgrid, start)
    points = [field.navgrid.sample(rng) for _ in range(24)]
    clear = min(config.leave_clear, 0.6 * max(field.distance(point) for point in points))
    reached = field.distance(start.position_3)
    while len(script.actions) < steps:
        before, best, best_reached = len(script.actions), script, reached
        for _ in range(TRY_LEGS):
            candidates = sorted((field.navgrid.sample(rng) for _ in range(8)), key=field.distance)
            # First to one of the farthest places, then among the farther half of them.
            choice = candidates[-2:] if reached < clear else candidates[4:]
            trial = script.copy()
            _walk_to(trial, choice[int(rng.integers(len(choice)))], config, rng, limit=steps)
            trial_reached = _cut_where_back(field, trial, before, clear, config.leave_back, reached)
            gains = trial_reached > best_reached if reached < clear else len(trial.actions) > len(best.actions)
            if gains:
                best, best_reached = trial, trial_reached
            if best_reached >= clear and len(best.actions) >= min(before + LEG, steps):
                break
        if len(best.actions) == len(script.actions):
            best.act(*[TURNS[int(rng.integers(2))]] * int(rng.integers(3, 13)))
        script, reached = best, best_reached
    # Before the script is far enough away, a STOP may be a success, so it gets no ending.
    return _ending(script.actions[:steps], config, rng) if reached >= clear else script.actions[:steps]


def _cut_where_back(field: Geodesic, script: Script, first: int, clear: float, back: float, reached: float) -> float:
    """Cut a leaving script, from action `first` on, where it comes back; returns its largest distance by then."""
    for number in range(first + 1, len(script.poses)):
        distance = field.distance(script.poses[number].position_3)
        if distance < min(clear, reached - back):
            script.cut(number - 1)
            break
        reached = max(reached, distance)
    return reached


def unrelated(
    navgrid: FreeSpace, start: Pose, steps: int, config: MotionConfig, rng: np.random.Generator
) -> list[Action]:
    """`steps` actions from one random place of the house to another, independent of the source."""
    script = Script(navgrid, start)
    while len(script.actions) < steps:
        points = [navgrid.sample(rng) for _ in range(2)]
        here = script.pose.position_3
        waypoint = max(points, key=lambda point: float(np.hypot(*(point - here)[[0, 2]])))
        _walk_to(script, waypoint, config, rng, limit=steps)
    return _ending(script.actions[:steps], config, rng)


def _ending(actions: list[Action], config: MotionConfig, rng: np.random.Generator) -> list[Action]:
    """The same actions; in a share of the episodes the last one is replaced by a STOP."""
    return [*actions[:-1], Action.STOP] if rng.random() < config.stop_rate else actions


def _walk_to(
    script: Script, waypoint_3: np.ndarray, config: MotionConfig, rng: np.random.Generator, *, limit: int
) -> None:
    """Walk to a waypoint, with deviations, until it is reached or the script has `limit` actions."""
    field = script.navgrid.geodesic(waypoint_3)
    before = len(script.actions)
    while len(script.actions) < limit:
        if script.bumped and rng.random() < config.recover_rate:
            _recover(script, rng)
            continue
        if rng.random() < config.look_rate + config.stray_rate:
            _deviate(script, config, rng)
            continue
        if rng.random() < config.slip_rate:
            script.act(MOVES[int(rng.integers(len(MOVES)))])
            continue
        action = greedy_action(field, script.pose, ARRIVED)
        if action == Action.STOP:
            break
        script.act(action)
    if len(script.actions) == before < limit:  # already there: turn once, so that every call makes progress
        script.act(TURNS[int(rng.integers(2))])


def _deviate(script: Script, config: MotionConfig, rng: np.random.Generator) -> None:
    """Look to one side and perhaps back, or turn in a random direction and take a few steps, even into obstacles."""
    side = int(rng.integers(2))
    if rng.random() * (config.look_rate + config.stray_rate) < config.look_rate:
        turns = int(rng.integers(1, config.look_turns + 1))
        back = turns if rng.random() < 0.5 else 2 * turns
        script.act(*[TURNS[side]] * turns, *[TURNS[1 - side]] * back)
    else:
        turns = int(rng.integers(config.stray_turns + 1))
        script.act(*[TURNS[side]] * turns, *[Action.FORWARD] * int(rng.integers(1, config.stray_steps + 1)))


def _recover(script: Script, rng: np.random.Generator) -> None:
    """Turn away from the obstacle, to the side that is free after fewer turns, and walk a few steps."""
    turns, side = _smallest_free_turn(script, int(rng.integers(2)))
    script.act(*[TURNS[side]] * (turns + int(rng.integers(4))), *[Action.FORWARD] * int(rng.integers(1, 6)))


def _smallest_free_turn(script: Script, side: int) -> tuple[int, int]:
    """(turns of 10°, side) of the smallest turn after which a step forward is free; ties go to `side`."""
    for turns in range(1, 19):
        for which in (side, 1 - side):
            heading = script.pose
            for _ in range(turns):
                heading = heading.after(TURNS[which])
            if not script.navgrid.move(heading, heading.after(Action.FORWARD))[1]:
                return turns, which
    return 18, side


def _waypoint_near(field: Geodesic, pose: Pose, reach: float, rng: np.random.Generator) -> np.ndarray:
    """Of a few random floor points, the one farthest from `pose` within `reach` metres, else the nearest one."""
    points = [field.navgrid.sample(rng) for _ in range(12)]
    lengths = [float(np.hypot(*(point - pose.position_3)[[0, 2]])) for point in points]
    within = [i for i in range(len(points)) if lengths[i] <= reach]
    best = max(within, key=lengths.__getitem__) if within else min(range(len(points)), key=lengths.__getitem__)
    return points[best]


def _stop_distance(success_distance: float) -> float:
    """Distance at which scripts stop: well inside the success radius, so that rounding cannot decide on success."""
    return 0.9 * success_distance
