"""Scripts keep their promises: exact length, a STOP that succeeds, no STOP elsewhere, imperfect on the way."""

from __future__ import annotations

import numpy as np
import pytest

from avw4k.motion import MotionConfig, approach, leave, sample_mode_start, unrelated
from avw4k.spec import MODES
from sim_bridge.navigation.geodesic import GeodesicField
from sim_bridge.navigation.navgrid import NavGrid
from sim_bridge.randomness import keyed_rng
from sim_bridge.types import Action, Pose
from tests.sim_bridge.boxes import box_scene, flat

CONFIG = MotionConfig()


@pytest.fixture(scope="module")
def field() -> GeodesicField:
    """Distances to a source in the left room of a furnished flat of two rooms."""
    navgrid = NavGrid.from_scene(box_scene(*flat()))
    return GeodesicField.to(navgrid, (4.0, 0.0, 6.5))


def script(mode: str, field: GeodesicField, steps: int, seed: int) -> tuple[Pose, list[Action]]:
    rng = keyed_rng("test", mode, steps, seed)
    start = sample_mode_start(mode, field, steps, 1.0, CONFIG, rng)
    if mode == "approach":
        return start, approach(field, start, steps, 1.0, CONFIG, rng)
    if mode == "leave":
        return start, leave(field, start, steps, CONFIG, rng)
    return start, unrelated(field.navgrid, start, steps, CONFIG, rng)


def walk(field: GeodesicField, start: Pose, actions: list[Action]) -> list[Pose]:
    poses = [start]
    for action in actions:
        poses.append(field.navgrid.move(poses[-1], poses[-1].after(action))[0])
    return poses


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 60, 160, 301])
def test_an_approach_stops_successfully_with_its_last_action(field: GeodesicField, steps: int, seed: int) -> None:
    start, actions = script("approach", field, steps, seed)
    assert len(actions) == steps
    assert actions[-1] == Action.STOP
    assert Action.STOP not in actions[:-1]
    assert field.distance(walk(field, start, actions)[-1].position_3) < 1.0


@pytest.mark.parametrize("steps", [1, 2, 20, 160])
@pytest.mark.parametrize("mode", ["leave", "unrelated"])
def test_the_other_modes_never_stop(field: GeodesicField, mode: str, steps: int) -> None:
    for seed in range(4):
        start, actions = script(mode, field, steps, seed)
        assert len(actions) == steps
        assert Action.STOP not in actions
        assert field.navgrid.is_free(start.position_3)


def test_approaches_come_nearer_and_leavings_get_away(field: GeodesicField) -> None:
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


def test_unrelated_walks_explore_the_whole_flat(field: GeodesicField) -> None:
    points = np.concatenate(
        [[p.position_3 for p in walk(field, *script("unrelated", field, 160, seed))] for seed in range(16)]
    )
    seen = {(int(x // 1), int(z // 1)) for x, _, z in points}
    free = np.argwhere(field.navgrid.free_HW)
    squares = {
        (int(x // 1), int(z // 1))
        for x, _, z in (field.navgrid.position(node) for node in free[:: max(1, len(free) // 4000)])
    }
    assert len(seen & squares) / len(squares) > 0.7


def test_scripts_bump_into_things_and_look_around(field: GeodesicField) -> None:
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
def test_a_script_depends_on_its_key_alone(field: GeodesicField, mode: str) -> None:
    assert script(mode, field, 60, 1) == script(mode, field, 60, 1)
    assert script(mode, field, 60, 1) != script(mode, field, 60, 2)


def test_a_closet_is_enough(field: GeodesicField) -> None:
    closet = NavGrid.from_scene(box_scene(((0, -0.1, 0), (1.2, 0, 1.2)), ((0, 2.5, 0), (1.2, 2.6, 1.2))))
    tight = GeodesicField.to(closet, closet.sample(keyed_rng("closet")))
    for mode in MODES:
        assert len(script(mode, tight, 50, 0)[1]) == 50
