"""Floor plans: rooms are reachable through rooms meant for passage, windows lead outside, all buildings occur."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.houses.floor_plan import MAX_ROOMS, MIN_ROOMS, FloorPlan, draw_floor_plan
from avw.sim_bridge.scenes.houses.house_shell import wall_side
from avw.sim_bridge.scenes.houses.openings import Opening
from avw.sim_bridge.scenes.houses.room_list import BUILDINGS, RULES
from avw.sim_bridge.scenes.houses.treemap import squarify


def plan_of(seed: int) -> FloorPlan:
    return draw_floor_plan(keyed_rng(seed, "floor plan"))


def doors_of(plan: FloorPlan) -> list[Opening]:
    return [o for o in plan.openings if o.kind in ("door", "arch")]


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_plans_are_valid(seed: int) -> None:
    plan = plan_of(seed)
    rooms = plan.rooms
    assert plan.building in BUILDINGS
    assert MIN_ROOMS <= len(rooms) <= MAX_ROOMS
    for room in rooms:
        wide, deep = room.max_x - room.min_x, room.max_z - room.min_z
        assert min(wide, deep) >= RULES[room.kind].side - 1e-9
        assert RULES[room.kind].zone == "public" or wide * deep >= 0.8 * RULES[room.kind].area[0] - 1e-9
    for opening in plan.openings:
        assert opening.end - opening.start >= (0.4 if opening.kind == "window" else 0.85) - 1e-9
        for index in opening.rooms:
            assert index == -1 or wall_side(rooms[index], opening) is not None
    assert [o.kind for o in plan.openings].count("entrance") == 1
    reached, frontier = {0}, [0]
    while frontier:
        room_index = frontier.pop()
        for door in doors_of(plan):
            if room_index in door.rooms:
                new = set(door.rooms) - reached
                reached |= new
                frontier += new
    assert reached == set(range(len(rooms))), "a room has no door"


@pytest.mark.parametrize("seed", range(40))
def test_rooms_do_not_overlap(seed: int) -> None:
    rooms = plan_of(seed).rooms
    for i, a in enumerate(rooms):
        for b in rooms[i + 1 :]:
            across_x = min(a.max_x, b.max_x) - max(a.min_x, b.min_x)
            across_z = min(a.max_z, b.max_z) - max(a.min_z, b.min_z)
            assert min(across_x, across_z) < 1e-6


def test_openings_in_the_same_wall_do_not_overlap() -> None:
    for seed in range(60):
        plan = plan_of(seed)
        for i, a in enumerate(plan.openings):
            for b in plan.openings[i + 1 :]:
                if (a.axis, a.line) == (b.axis, b.line) and set(a.rooms) & set(b.rooms) - {-1}:
                    assert min(a.end, b.end) - max(a.start, b.start) < 0.0, (seed, a, b)


def test_windows_and_front_doors_lead_outside() -> None:
    for seed in range(60):
        plan = plan_of(seed)
        for window in (o for o in plan.openings if o.rooms[1] == -1):
            middle = (window.start + window.end) / 2
            for sign in (-0.3, 0.3):
                x, z = (middle, window.line + sign) if window.axis == "x" else (window.line + sign, middle)
                inside = [k for k, r in enumerate(plan.rooms) if r.min_x < x < r.max_x and r.min_z < z < r.max_z]
                assert inside in ([], [window.rooms[0]]), "a window or front door leads into another room"


def test_no_route_leads_through_a_bedroom_or_a_bathroom() -> None:
    """Private rooms and closets have one door, except for a bedroom with a door to a bathroom."""
    for seed in range(80):
        plan = plan_of(seed)
        for index, room in enumerate(plan.rooms):
            others = [plan.rooms[k].kind for d in doors_of(plan) if index in d.rooms for k in d.rooms if k != index]
            if RULES[room.kind].zone == "closet":
                assert len(others) == 1
            if RULES[room.kind].zone == "private":
                assert [kind for kind in others if kind != "bathroom"], (
                    f"the {room.kind} is reached through a bathroom only"
                )
                assert len([kind for kind in others if kind != "bathroom"]) == 1
            if room.kind in ("bedroom", "living", "office", "meeting room"):
                assert RULES[room.kind].daylight


def test_every_building_has_its_essential_rooms() -> None:
    for seed in range(80):
        plan = plan_of(seed)
        kinds = Counter(room.kind for room in plan.rooms)
        if plan.building == "office":
            assert kinds["open office"] == 1
            assert kinds["restroom"]
        else:
            assert kinds["living"] + kinds["living kitchen"] == 1
            assert kinds["kitchen"] + kinds["living kitchen"] == 1
            assert kinds["bathroom"]
            assert kinds["bedroom"]


def test_all_kinds_of_plans_occur() -> None:
    plans = [plan_of(seed) for seed in range(150)]
    assert {plan.building for plan in plans} == set(BUILDINGS)
    assert {len(plan.rooms) for plan in plans} >= set(range(MIN_ROOMS + 1, MAX_ROOMS + 1))
    assert {room.kind for plan in plans for room in plan.rooms} == set(RULES)
    # The outline is not a rectangle if the rooms do not fill their bounding box.
    not_rectangular = 0
    for plan in plans:
        area = sum((r.max_x - r.min_x) * (r.max_z - r.min_z) for r in plan.rooms)
        box = max(r.max_x for r in plan.rooms) * max(r.max_z for r in plan.rooms)
        not_rectangular += area < 0.97 * box
    assert 50 < not_rectangular < 140
    leaves = [d.leaf >= 0 for plan in plans for d in doors_of(plan)]
    assert 0.2 < sum(leaves) / len(leaves) < 0.8
    assert {d.kind for plan in plans for d in doors_of(plan)} == {"door", "arch"}


@settings(max_examples=60, deadline=None)
@given(
    areas=st.lists(st.floats(2.0, 40.0), min_size=1, max_size=8),
    width=st.floats(4.0, 15.0),
    depth=st.floats(4.0, 15.0),
)
def test_treemap_rectangles_have_proportional_areas(areas: list[float], width: float, depth: float) -> None:
    areas = sorted(areas, reverse=True)
    rects = squarify((0.0, 0.0, width, depth), areas)
    covered = [(x1 - x0) * (z1 - z0) for x0, z0, x1, z1 in rects]
    assert sum(covered) == pytest.approx(width * depth)
    share = width * depth / sum(areas)
    for actual, area, (x0, z0, x1, z1) in zip(covered, areas, rects, strict=True):
        # Edges lie on a grid of 5 cm, so each side may differ by that much.
        assert abs(actual - area * share) <= 0.06 * (x1 - x0 + z1 - z0) + 0.01


def test_treemap_of_the_published_example() -> None:
    """The example of Bruls et al. (2000): 6 x 4 divided by 6, 6, 4, 3, 2, 2, 1."""
    rects = squarify((0.0, 0.0, 6.0, 4.0), [6, 6, 4, 3, 2, 2, 1])
    assert rects[0] == (0.0, 0.0, 3.0, 2.0)
    assert rects[1] == (0.0, 2.0, 3.0, 4.0)
    assert max(max(x1 - x0, z1 - z0) / min(x1 - x0, z1 - z0) for x0, z0, x1, z1 in rects) < 2.9
