"""Furniture fits its declared size, stands only in valid places, and carries small items."""

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
    wall_items,
)
from avw.sim_bridge.scenes.houses.furniture.piece import Maker, Top
from avw.sim_bridge.scenes.houses.furniture.table_tops import TOP_ITEMS, place_items
from avw.sim_bridge.scenes.houses.furniture.wall_items import WallItemMaker
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.room_contents import EXTRA_FURNITURE, ROOM_FURNITURE, WALL_ITEMS
from avw.sim_bridge.scenes.houses.room_floor import RoomFloor
from avw.sim_bridge.scenes.houses.style import Style
from avw.sim_bridge.scenes.scene import Scene

SLACK = 0.07  # metres by which knobs, leaves and cushions may protrude


def _makers() -> dict[str, Maker]:
    makers: dict[str, Maker] = {}
    for module in (bathroom, bedroom, clutter, kitchen, kitchenware, living, office, seating, storage, tables):
        for name, function in vars(module).items():
            own = inspect.isfunction(function) and function.__module__ == module.__name__
            if own and list(inspect.signature(function).parameters) == ["style", "rng"]:
                makers[f"{module.__name__.rpartition('.')[2]}.{name}"] = function
    makers |= {f"bed.{width}": bedroom.bed(width) for width in ("single", "double")}
    makers |= {f"dining_table.{seats}": tables.dining_table(seats) for seats in (2, 4, 6)}
    makers["kitchen_run"] = kitchen.kitchen_run((2.4, 4.0))
    makers["kitchen_run.storage"] = kitchen.kitchen_run((1.2, 2.4), cooking=False)
    return makers


MAKERS = _makers()
WALL_ITEM_MAKERS: dict[str, WallItemMaker] = {
    name: function
    for name, function in vars(wall_items).items()
    if inspect.isfunction(function)
    and function.__module__ == wall_items.__name__
    and list(inspect.signature(function).parameters) == ["style", "rng"]
}


def test_there_are_at_least_80_makers() -> None:
    assert len(MAKERS) + len(WALL_ITEM_MAKERS) >= 80


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_piece_fits_its_declared_size(name: str) -> None:
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


@pytest.mark.parametrize("name", sorted(WALL_ITEM_MAKERS))
def test_wall_item_fits_its_declared_size(name: str) -> None:
    for seed in range(3):
        builder = MeshBuilder()
        item = WALL_ITEM_MAKERS[name](Style(builder, seed), keyed_rng(seed, "test", name))
        with builder.item(item.name):
            item.draw(builder)
        vertices_V3 = builder.build()["vertices_V3"]
        low_3, high_3 = vertices_V3.min(axis=0), vertices_V3.max(axis=0)
        assert (low_3 >= np.array([0.0, item.low, 0.0]) - 0.02).all(), (seed, low_3, item)
        assert (high_3 <= np.array([item.width, item.high, item.depth]) + 0.02).all(), (seed, high_3, item)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_tops_are_level_and_unobstructed(name: str) -> None:
    """A ray from 6 cm above the middle of a top hits the piece at the declared height of the top."""
    for seed in range(3):
        builder = MeshBuilder()
        piece = MAKERS[name](Style(builder, seed), keyed_rng(seed, "test", name))
        if not piece.tops:
            continue
        with builder.item(piece.name):
            piece.draw(builder)
        ray_scene = RayScene(Scene(scene_id=name, **builder.build()))
        for top in piece.tops:
            assert top.use in TOP_ITEMS
            middle = [(top.x0 + top.x1) / 2, top.y + 0.06, (top.z0 + top.z1) / 2]
            _, distance_N, _ = ray_scene.closest(np.array([middle]), np.array([[0.0, -1.0, 0.0]]))
            assert distance_N[0] == pytest.approx(0.06, abs=0.004), (seed, top)


@pytest.mark.parametrize("use", sorted(TOP_ITEMS))
def test_small_items_stay_on_their_top_without_overlap(use: str) -> None:
    style, top = Style(MeshBuilder(), 3), Top(0.1, 0.2, 1.7, 0.85, 0.7, use)
    seen = 0
    for seed in range(20):
        placed = place_items(style, keyed_rng(seed, "test", use), top)
        seen += len(placed)
        boxes = [(s.x, s.z, s.x + s.item.width, s.z + s.item.depth) for s in placed]
        for k, (x0, z0, x1, z1) in enumerate(boxes):
            assert x0 >= top.x0 - 1e-9
            assert x1 <= top.x1 + 1e-9
            assert z0 >= top.z0 - 1e-9
            assert z1 <= top.z1 + 1e-9
            for other_x0, other_z0, other_x1, other_z1 in boxes[k + 1 :]:
                apart_x, apart_z = max(x0, other_x0) - min(x1, other_x1), max(z0, other_z0) - min(z1, other_z1)
                assert max(apart_x, apart_z) > 0
    assert seen > 10


def test_every_kind_of_room_has_contents() -> None:
    assert set(ROOM_FURNITURE) == set(WALL_ITEMS)
    assert set(EXTRA_FURNITURE) <= set(ROOM_FURNITURE)


@pytest.mark.parametrize("seed", range(6))
def test_pieces_do_not_overlap_or_block_doors(seed: int) -> None:
    plan = draw_floor_plan(keyed_rng(seed, "floor plan"))
    rng, style = keyed_rng(seed, "test", "placing"), Style(MeshBuilder(), seed)
    for index, room in enumerate(plan.rooms):
        openings = [o for o in plan.openings if index in o.rooms]
        floor = RoomFloor(room, index, openings)
        placed: list[tuple[float, float, float, float]] = []
        for candidate in ROOM_FURNITURE[room.kind] * 2:
            piece = candidate.make(style, rng)
            for _ in range(8):
                middle = candidate.where == "middle"
                spot = floor.spot_in_middle(piece, rng) if middle else floor.spot_at_wall(piece, candidate.where, rng)
                if spot is not None and floor.fits(spot):
                    floor.occupy(spot, piece.height)
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
