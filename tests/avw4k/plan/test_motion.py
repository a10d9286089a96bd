"""Scripts have the exact length, end with a successful STOP, stop nowhere else, and are imperfect on the way."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest

from avw.avw4k.plan.motion import MotionConfig, approach, leave, sample_mode_start, unrelated
from avw.avw4k.plan.spec import MODES
from avw.sim_bridge.navigation.free_space import Geodesic
from avw.sim_bridge.navigation.open_free_space import NavGrid, free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import Action, Pose
from tests.sim_bridge.boxes import box_scene, flat

CONFIG = MotionConfig()


@pytest.fixture(scope="module")
def field() -> Geodesic:
    """Distances to a source in the left room of a furnished flat of two rooms."""
    navgrid = free_space_of(box_scene(*flat()))
    return navgrid.geodesic((4.0, 0.0, 6.5))


def script(mode: str, field: Geodesic, steps: int, seed: int) -> tuple[Pose, list[Action]]:
    rng = keyed_rng("test", mode, steps, seed)
    start = sample_mode_start(mode, field, steps, 1.0, CONFIG, rng)
    if mode == "approach":
        return start, approach(field, start, steps, 1.0, CONFIG, rng)
    if mode == "leave":
        return start, leave(field, start, steps, CONFIG, rng)
    return start, unrelated(field.navgrid, start, steps, CONFIG, rng)


def walk(field: Geodesic, start: Pose, actions: list[Action]) -> list[Pose]:
    poses = [start]
    for action in actions:
        poses.append(field.navgrid.move(poses[-1], poses[-1].after(action))[0])
    return poses


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 60, 160, 301])
def test_an_approach_stops_successfully_with_its_last_action(field: Geodesic, steps: int, seed: int) -> None:
    start, actions = script("approach", field, steps, seed)
    assert len(actions) == steps
    assert actions[-1] == Action.STOP
    assert Action.STOP not in actions[:-1]
    assert field.distance(walk(field, start, actions)[-1].position_3) < 1.0


@pytest.mark.parametrize("steps", [1, 2, 20, 160])
@pytest.mark.parametrize("mode", ["leave", "unrelated"])
def test_the_other_modes_stop_at_most_at_their_end(field: Geodesic, mode: str, steps: int) -> None:
    for seed in range(4):
        start, actions = script(mode, field, steps, seed)
        assert len(actions) == steps
        assert Action.STOP not in actions[:-1]
        assert field.navgrid.is_free(start.position_3)


def test_the_configured_share_of_other_modes_ends_with_a_stop(field: Geodesic) -> None:
    ends = [script(mode, field, 30, seed)[1][-1] for mode in ("leave", "unrelated") for seed in range(60)]
    assert 0.1 < np.mean([action == Action.STOP for action in ends]) < 0.3
    never = dataclasses.replace(CONFIG, stop_rate=0.0)
    assert all(
        Action.STOP not in unrelated(field.navgrid, Pose(*field.goal_3, 0.0), 20, never, keyed_rng("never", seed))
        for seed in range(10)
    )


def test_a_leaving_script_does_not_come_back(field: Geodesic) -> None:
    """Not nearer than 3 m after it was that far; before, not back by more than `leave_back`."""
    reached_clear = 0
    for seed in range(20):
        start, actions = script("leave", field, 160, seed)
        distances = np.array([field.distance(pose.position_3) for pose in walk(field, start, actions)])
        farthest = np.maximum.accumulate(distances)
        floor = np.minimum(CONFIG.leave_clear, farthest - CONFIG.leave_back)
        assert (distances >= floor - 1e-6).all()
        reached_clear += farthest[-1] >= CONFIG.leave_clear
    assert reached_clear >= 18


def test_a_leaving_script_does_not_cross_the_middle_of_a_house_where_the_source_is() -> None:
    """There, a walk between two far places passes the source, unless it is cut."""
    central = free_space_of(box_scene(*flat())).geodesic((6.0, 0.0, 4.0))
    for seed in (2, 3, 4):
        start, actions = script("leave", central, 160, seed)
        distances = np.array([central.distance(pose.position_3) for pose in walk(central, start, actions)])
        farthest = np.maximum.accumulate(distances)
        assert farthest[-1] >= CONFIG.leave_clear
        assert (distances >= np.minimum(CONFIG.leave_clear, farthest - CONFIG.leave_back) - 1e-6).all()


def test_approaches_start_at_every_distance(field: Geodesic) -> None:
    starts = [field.distance(script("approach", field, 160, seed)[0].position_3) for seed in range(60)]
    assert min(starts) >= CONFIG.min_distance
    counts = np.histogram(starts, bins=3)[0]
    assert counts.min() > 0.4 * counts.max()


def test_each_deviation_can_be_turned_on_separately(field: Geodesic) -> None:
    """A follower never turns back and seldom collides; slips and looks turn back, strays collide."""
    quiet = dataclasses.replace(CONFIG, slip_rate=0.0, look_rate=0.0, stray_rate=0.0, recover_rate=0.0, stop_rate=0.0)
    start = sample_mode_start("unrelated", field, 60, 1.0, quiet, keyed_rng("quiet"))
    backs, bumps = {}, {}
    for name in ("no_rate", "slip_rate", "look_rate", "stray_rate"):
        config = quiet if name == "no_rate" else dataclasses.replace(quiet, **{name: 0.3})
        scripts = [unrelated(field.navgrid, start, 100, config, keyed_rng("noise", seed)) for seed in range(4)]
        pairs = [pair for actions in scripts for pair in itertools.pairwise(actions)]
        backs[name] = sum({Action.TURN_LEFT, Action.TURN_RIGHT} == set(pair) for pair in pairs)
        bumps[name] = sum(_bumps(field.navgrid, start, actions) for actions in scripts)
    assert backs["no_rate"] < 10 < min(backs["slip_rate"], backs["look_rate"])
    assert bumps["stray_rate"] > 3 * bumps["no_rate"]


def _bumps(navgrid: NavGrid, pose: Pose, actions: list[Action]) -> int:
    total = 0
    for action in actions:
        pose, bumped = navgrid.move(pose, pose.after(action))
        total += bumped
    return total


def test_scripts_recover_from_collisions(field: Geodesic) -> None:
    """After a collision a recovering script turns, and the step after the turns is free."""
    config = dataclasses.replace(CONFIG, stray_rate=0.2, slip_rate=0.0, recover_rate=1.0)
    recoveries = free = 0
    for seed in range(16):
        start = pose = sample_mode_start("unrelated", field, 160, 1.0, config, keyed_rng("wall", seed))
        bumped = turned = False
        for action in unrelated(field.navgrid, start, 160, config, keyed_rng("wall", seed, 1)):
            pose, now = field.navgrid.move(pose, pose.after(action))
            if action == Action.FORWARD:
                recoveries += turned
                free += turned and not now
                bumped, turned = now, False
            else:
                bumped, turned = False, bumped or turned
    assert recoveries > 20
    assert free > 0.8 * recoveries


def test_approaches_come_nearer_and_leaving_scripts_get_away(field: Geodesic) -> None:
    gained = {}
    for mode in MODES:
        ends = []
        for seed in range(12):
            start, actions = script(mode, field, 80, seed)
            poses = walk(field, start, actions)
            ends.append(field.distance(start.position_3) - field.distance(poses[-1].position_3))
        gained[mode] = np.array(ends)
    assert (gained["approach"] > 0).all()
    assert gained["approach"].mean() > 2.0
    assert (gained["leave"] < 0).mean() > 0.8
    assert gained["leave"].mean() < -2.0
    assert abs(gained["unrelated"].mean()) < 2.0


def test_unrelated_walks_explore_the_whole_flat(field: Geodesic) -> None:
    points = np.concatenate(
        [[p.position_3 for p in walk(field, *script("unrelated", field, 160, seed))] for seed in range(16)]
    )
    seen = {(int(x // 1), int(z // 1)) for x, _, z in points}
    free_N3 = field.navgrid.near(np.array([0.0, 0.0, 0.0]), math.inf)
    squares = {(int(x // 1), int(z // 1)) for x, _, z in free_N3}
    assert len(seen & squares) / len(squares) > 0.7


def test_scripts_collide_and_look_around(field: Geodesic) -> None:
    bumps, turns, count = 0, 0, 0
    for mode in MODES:
        for seed in range(8):
            start, actions = script(mode, field, 160, seed)
            poses = walk(field, start, actions)
            for before, action in zip(poses, actions, strict=False):
                count += 1
                turns += action in (Action.TURN_LEFT, Action.TURN_RIGHT)
                bumps += field.navgrid.move(before, before.after(action))[1]
    assert 0.005 < bumps / count < 0.2
    assert 0.15 < turns / count < 0.7


@pytest.mark.parametrize("mode", MODES)
def test_a_script_depends_on_its_key_only(field: Geodesic, mode: str) -> None:
    assert script(mode, field, 60, 1) == script(mode, field, 60, 1)
    assert script(mode, field, 60, 1) != script(mode, field, 60, 2)


def test_a_tiny_room_is_enough(field: Geodesic) -> None:
    closet = free_space_of(box_scene(((0, -0.1, 0), (1.2, 0, 1.2)), ((0, 2.5, 0), (1.2, 2.6, 1.2))))
    tight = closet.geodesic(closet.sample(keyed_rng("closet")))
    for mode in MODES:
        assert len(script(mode, tight, 50, 0)[1]) == 50
