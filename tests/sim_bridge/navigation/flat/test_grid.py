"""The flat grid on rooms made of boxes, to the centimetre; `test_free_space.py` tests every kind of free space."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.flat.grid import FlatGrid
from avw.sim_bridge.navigation.floor_levels import floor_levels
from avw.sim_bridge.navigation.open_free_space import CELL, free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import AGENT_RADIUS, FORWARD_METRES, Action, Pose
from tests.sim_bridge.boxes import box_scene, flat, mesh_scene, room

FLAT = free_space_of(box_scene(*flat()))


def test_clearance_is_the_distance_to_the_nearest_wall() -> None:
    grid = free_space_of(box_scene(*room(4.0, 3.0)))
    for x, z in [(0.15, 1.5), (0.22, 0.18), (3.9, 2.0), (2.0, 2.83)]:
        exact = min(x, 4.0 - x, z, 3.0 - z)
        assert grid.clearance(np.array([x, 0.0, z])) == pytest.approx(exact, abs=0.01)


def test_far_from_walls_the_clearance_is_at_most_one_cell_too_large() -> None:
    rng = keyed_rng("test", "clearance")
    grid = free_space_of(box_scene(*room(4.0, 3.0)))
    for x, z in rng.uniform((0.2, 0.2), (3.8, 2.8), size=(200, 2)):
        exact = min(x, 4.0 - x, z, 3.0 - z)
        measured = grid.clearance(np.array([x, 0.0, z]))
        assert exact - 2 * CELL < measured < exact + CELL


def test_the_agent_fits_where_its_radius_does() -> None:
    grid = free_space_of(box_scene(*room(4.0, 3.0)))
    assert grid.is_free(np.array([AGENT_RADIUS + 0.005, 0.0, 1.0]))
    assert not grid.is_free(np.array([AGENT_RADIUS - 0.005, 0.0, 1.0]))
    assert not grid.is_free(np.array([-1.0, 0.0, 1.0]))
    assert not grid.is_free(np.array([2.0, 2.7, 1.0])), "a point on the roof is not on this floor"
    assert grid.area == pytest.approx((4.0 - 2 * AGENT_RADIUS) * (3.0 - 2 * AGENT_RADIUS), rel=0.03)


def test_a_slanted_wall_has_a_smooth_contour() -> None:
    # A wall along the diagonal x + z = 3, as one vertical rectangle.
    wall_43 = np.array([[3.0, 0.0, 0.0], [0.0, 0.0, 3.0], [0.0, 2.6, 3.0], [3.0, 2.6, 0.0]])
    shell = box_scene(*room(4.0, 4.0))
    vertices = np.concatenate([shell.vertices_V3, wall_43])
    base = len(shell.vertices_V3)
    faces = np.concatenate([shell.faces_F3, [[base, base + 1, base + 2], [base, base + 2, base + 3]]])
    grid = free_space_of(mesh_scene(vertices, faces))
    for along in np.linspace(0.6, 2.4, 50):
        foot = np.array([along, 0.0, 3.0 - along])
        outward = np.array([1.0, 0.0, 1.0]) / math.sqrt(2.0)
        assert grid.clearance(foot + 0.15 * outward) == pytest.approx(0.15, abs=0.005)


def test_low_objects_are_stepped_over_high_ones_walked_under_and_others_block() -> None:
    rug = ((1.0, 0.0, 1.0), (2.0, 0.03, 2.0))
    lamp = ((1.0, 1.9, 2.5), (2.0, 2.0, 3.0))
    desk = ((3.0, 0.7, 1.0), (3.5, 0.75, 2.0))
    cabinet = ((3.0, 1.45, 2.5), (3.5, 2.0, 3.0))
    grid = free_space_of(box_scene(*room(5.0, 4.0), rug, lamp, desk, cabinet))
    assert grid.is_free(np.array([1.5, 0.0, 1.5]))
    assert grid.is_free(np.array([1.5, 0.0, 2.75]))
    assert not grid.is_free(np.array([3.25, 0.0, 1.5]))
    assert not grid.is_free(np.array([3.25, 0.0, 2.75])), "the ears, at 1.5 m, would be inside the cabinet"


def test_only_the_largest_island_is_free() -> None:
    closet = [((3.0, 0.0, 0.0), (3.1, 2.6, 3.0))]
    grid = free_space_of(box_scene(*room(4.0, 3.0), *closet))
    assert grid.is_free(np.array([1.5, 0.0, 1.5]))
    assert not grid.is_free(np.array([3.55, 0.0, 1.5]))


def test_the_roof_is_not_mistaken_for_the_floor() -> None:
    house = [((x - 10, y, z - 10), (u + 10, v, w + 10)) if y > 2.0 else ((x, y, z), (u, v, w))
             for (x, y, z), (u, v, w) in room(4.0, 3.0)]  # fmt: skip
    grid = free_space_of(box_scene(*house))
    assert grid.floor_y == pytest.approx(0.0, abs=0.03)


def test_the_ground_outside_is_not_mistaken_for_the_rooms() -> None:
    ground = ((-20.0, -0.1, -20.0), (20.0, 0.0, 20.0))
    grid = free_space_of(box_scene(ground, *room(4.0, 3.0)))
    assert grid.is_free(np.array([2.0, 0.0, 1.5]))
    assert not grid.is_free(np.array([10.0, 0.0, 10.0]))


def test_a_scene_without_a_ceiling_still_has_a_floor() -> None:
    boxes = room(4.0, 3.0)
    grid = free_space_of(box_scene(boxes[0], *boxes[2:]))
    assert grid.is_free(np.array([2.0, 0.0, 1.5]))


@pytest.mark.parametrize(
    "boxes",
    [
        [((0.0, 0.0, 0.0), (0.3, 0.4, 0.3))],
        [*room(4.0, 3.0), ((0.0, 1.2, 0.0), (4.0, 1.3, 3.0))],
    ],
    ids=["a small object", "a room without headroom"],
)
def test_no_free_floor_is_an_error_with_a_fix(boxes: list) -> None:
    with pytest.raises(SceneError, match=r"scene boxes has no free floor.*avw info"):
        free_space_of(box_scene(*boxes))


def test_a_scene_with_only_walls_has_no_levels() -> None:
    wall = mesh_scene(np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]]))
    assert floor_levels(wall.triangles_F33) == []
    with pytest.raises(SceneError, match="no free floor"):
        free_space_of(wall)


def test_walking_straight_into_a_wall_stops_the_agent_at_its_radius() -> None:
    pose = Pose(4.0, 0.0, 2.0, -math.pi / 2)  # faces +x; the dividing wall begins at 4.95
    for _ in range(10):
        pose, collided = FLAT.move(pose, pose.after(Action.FORWARD))
    assert collided
    assert pose.x == pytest.approx(4.95 - AGENT_RADIUS, abs=0.015)
    assert pose.z == pytest.approx(2.0, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_walk_leaves_free_space_or_moves_farther_than_asked(seed: int) -> None:
    rng = keyed_rng("test", "walk", seed)
    x, y, z = FLAT.sample(rng)
    pose = Pose(x, y, z, rng.uniform(-math.pi, math.pi))
    for action in rng.choice([1, 1, 1, 2, 3], size=60):
        target = pose.after(Action(action))
        reached, collided = FLAT.move(pose, target)
        assert FLAT.is_free(reached.position_3)
        assert reached.yaw == target.yaw
        assert math.hypot(reached.x - pose.x, reached.z - pose.z) <= FORWARD_METRES * 1.001
        if not collided:
            assert (reached.x, reached.z) == (target.x, target.z)
        pose = reached


def test_samples_keep_the_clearance_where_there_is_space() -> None:
    rng = keyed_rng("test", "roomy")
    assert min(FLAT.clearance(FLAT.sample(rng, clearance=0.5)) for _ in range(100)) >= 0.5
    corridor = free_space_of(box_scene(*room(4.0, 0.6)))
    assert corridor.is_free(corridor.sample(rng, clearance=0.5)), (
        "no place here keeps 0.5 m, so any free point is accepted"
    )


def test_lines_of_sight_pass_only_through_the_door() -> None:
    assert isinstance(FLAT, FlatGrid)
    left, right = np.array([4.0, 0.0, 4.0]), np.array([6.0, 0.0, 4.0])
    assert FLAT.sees(left, right)
    assert not FLAT.sees(np.array([4.0, 0.0, 2.0]), np.array([6.0, 0.0, 2.5]))
    assert not FLAT.sees(left, np.array([11.0, 0.0, 4.0]))
