"""Furniture is as large as it says, stands where it may, and small things stand on it."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.houses.floor_plan import draw_floor_plan
from avw.sim_bridge.scenes.houses.furniture import (
    bathroom,
    bedroom,
    clutter,
    kitchen,
    kitchenware,
    living,
    office,
    seating,
    storage,
    tables,
    wall_things,
)
from avw.sim_bridge.scenes.houses.furniture.piece import Maker, Top
from avw.sim_bridge.scenes.houses.furniture.table_tops import ON_TOP, set_out
from avw.sim_bridge.scenes.houses.furniture.wall_things import HangingMaker
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.room_contents import EXTRAS, ON_WALLS, WISHES
from avw.sim_bridge.scenes.houses.room_floor import RoomFloor
from avw.sim_bridge.scenes.houses.style import Style
from avw.sim_bridge.scenes.scene import Scene

SLACK = 0.07  # metres by which knobs, leaves and cushions may stand out


def _makers() -> dict[str, Maker]:
    found: dict[str, Maker] = {}
    for module in (bathroom, bedroom, clutter, kitchen, kitchenware, living, office, seating, storage, tables):
        for name, function in vars(module).items():
            own = inspect.isfunction(function) and function.__module__ == module.__name__
            if own and list(inspect.signature(function).parameters) == ["style", "rng"]:
                found[f"{module.__name__.rpartition('.')[2]}.{name}"] = function
    found |= {f"bed.{width}": bedroom.bed(width) for width in ("single", "double")}
    found |= {f"dining_table.{seats}": tables.dining_table(seats) for seats in (2, 4, 6)}
    found["kitchen_run"] = kitchen.kitchen_run((2.4, 4.0))
    found["kitchen_run.storage"] = kitchen.kitchen_run((1.2, 2.4), cooking=False)
    return found


MAKERS = _makers()
HANGINGS: dict[str, HangingMaker] = {
    name: function
    for name, function in vars(wall_things).items()
    if inspect.isfunction(function)
    and function.__module__ == wall_things.__name__
    and list(inspect.signature(function).parameters) == ["style", "rng"]
}


def test_there_are_many_kinds() -> None:
    assert len(MAKERS) + len(HANGINGS) >= 80


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_piece_keeps_to_its_measures(name: str) -> None:
    for seed in range(3):
        builder = MeshBuilder()
        style, rng = Style(builder, seed), keyed_rng(seed, "test", name)
        piece = MAKERS[name](style, rng)
        with builder.item(piece.name):
            piece.draw(builder)
        built = builder.build()
        low_3, high_3 = built["vertices_V3"].min(axis=0), built["vertices_V3"].max(axis=0)
        assert (low_3 >= [-SLACK, -1e-4, -SLACK]).all(), (seed, low_3)
        assert (high_3 <= np.array([piece.width, piece.height, piece.depth]) + SLACK).all(), (seed, high_3, piece)
        assert high_3[0] > 0.6 * piece.width
        assert high_3[2] > 0.6 * piece.depth
        assert all(surface.category for surface in built["surfaces"])


@pytest.mark.parametrize("name", sorted(HANGINGS))
def test_what_hangs_keeps_to_its_measures(name: str) -> None:
    for seed in range(3):
        builder = MeshBuilder()
        thing = HANGINGS[name](Style(builder, seed), keyed_rng(seed, "test", name))
        with builder.item(thing.name):
            thing.draw(builder)
        vertices_V3 = builder.build()["vertices_V3"]
        low_3, high_3 = vertices_V3.min(axis=0), vertices_V3.max(axis=0)
        assert (low_3 >= np.array([0.0, thing.low, 0.0]) - 0.02).all(), (seed, low_3, thing)
        assert (high_3 <= np.array([thing.width, thing.high, thing.depth]) + 0.02).all(), (seed, high_3, thing)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_tops_are_level_and_open(name: str) -> None:
    """A ray from a hand's breadth above the middle of a top meets the piece at the height that the top claims."""
    for seed in range(3):
        builder = MeshBuilder()
        piece = MAKERS[name](Style(builder, seed), keyed_rng(seed, "test", name))
        if not piece.tops:
            continue
        with builder.item(piece.name):
            piece.draw(builder)
        ray_scene = RayScene(Scene(scene_id=name, **builder.build()))
        for top in piece.tops:
            assert top.use in ON_TOP
            middle = [(top.x0 + top.x1) / 2, top.y + 0.06, (top.z0 + top.z1) / 2]
            _, distance_N, _ = ray_scene.closest(np.array([middle]), np.array([[0.0, -1.0, 0.0]]))
            assert distance_N[0] == pytest.approx(0.06, abs=0.004), (seed, top)


@pytest.mark.parametrize("use", sorted(ON_TOP))
def test_small_things_stand_on_their_top_and_apart(use: str) -> None:
    style, top = Style(MeshBuilder(), 3), Top(0.1, 0.2, 1.7, 0.85, 0.7, use)
    seen = 0
    for seed in range(20):
        stood = set_out(style, keyed_rng(seed, "test", use), top)
        seen += len(stood)
        boxes = [(s.x, s.z, s.x + s.thing.width, s.z + s.thing.depth) for s in stood]
        for k, (x0, z0, x1, z1) in enumerate(boxes):
            assert x0 >= top.x0 - 1e-9
            assert x1 <= top.x1 + 1e-9
            assert z0 >= top.z0 - 1e-9
            assert z1 <= top.z1 + 1e-9
            for other_x0, other_z0, other_x1, other_z1 in boxes[k + 1 :]:
                apart_x, apart_z = max(x0, other_x0) - min(x1, other_x1), max(z0, other_z0) - min(z1, other_z1)
                assert max(apart_x, apart_z) > 0
    assert seen > 10


def test_rooms_of_every_kind_have_their_contents() -> None:
    assert set(WISHES) == set(ON_WALLS)
    assert set(EXTRAS) <= set(WISHES)


@pytest.mark.parametrize("seed", range(6))
def test_pieces_never_share_floor_or_stand_before_doors(seed: int) -> None:
    plan = draw_floor_plan(keyed_rng(seed, "floor plan"))
    rng, style = keyed_rng(seed, "test", "placing"), Style(MeshBuilder(), seed)
    for index, room in enumerate(plan.rooms):
        openings = [o for o in plan.openings if index in o.rooms]
        floor = RoomFloor(room, index, openings)
        placed: list[tuple[float, float, float, float]] = []
        for wish in WISHES[room.kind] * 2:
            piece = wish.make(style, rng)
            for _ in range(8):
                middle = wish.where == "middle"
                spot = floor.spot_in_middle(piece, rng) if middle else floor.spot_at_wall(piece, wish.where, rng)
                if spot is not None and floor.fits(spot):
                    floor.take(spot, piece.height)
                    placed.append(spot.rectangle)
                    break
        for k, (x0, z0, x1, z1) in enumerate(placed):
            assert min(x0, z0) >= 0
            assert x1 <= floor.width + 1e-9
            assert z1 <= floor.depth + 1e-9
            for other_x0, other_z0, other_x1, other_z1 in placed[k + 1 :]:
                assert max(max(x0, other_x0) - min(x1, other_x1), max(z0, other_z0) - min(z1, other_z1)) > -1e-9
            for door in (o for o in openings if o.kind != "window"):
                along, across = (0, 1) if door.axis == "x" else (1, 0)
                offset = (floor.x0, floor.z0)[along]
                line = door.line - (floor.z0, floor.x0)[along]
                rect = (x0, z0, x1, z1)
                beside = rect[along] >= door.end - offset - 1e-6 or rect[along + 2] <= door.start - offset + 1e-6
                behind = min(abs(rect[across] - line), abs(rect[across + 2] - line)) >= 0.75
                assert beside or behind, (room.kind, door, rect)
