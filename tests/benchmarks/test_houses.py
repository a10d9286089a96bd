"""The report on generated houses detects faults and draws the measured houses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.scene import Room
from benchmarks.house_views import sheet
from benchmarks.houses import House, houses, is_watertight, rows, walkable_areas

GOOD = House(
    name="procedural-0000",
    building="house",
    generate_ms=200.0,
    open_ms=1000.0,
    triangles=20_000,
    rooms=5,
    reached=5,
    kinds=frozenset({"sofa", "cup"}),
    objects=40,
    floor_m2=60.0,
    findings=(),
    coverage=1.0,
    watertight=True,
    plan=((0.0, 0.0, 4.0, 5.0),),
)


def figures(measured: list[House]) -> dict[str, float]:
    return {row.name: row.ours for row in rows(measured)}


def test_faults_of_a_house_appear_in_the_table() -> None:
    bad = replace(
        GOOD, reached=3, findings=("warning: holes",), watertight=False, coverage=0.9, kinds=frozenset({"cup", "bed"})
    )
    table = figures([GOOD, bad])
    assert table["rooms on the one walkable island"] == pytest.approx(80.0)
    assert table["watertight shells"] == 50.0
    assert table["lint-clean houses"] == 50.0
    assert table["area whose acoustic material is named"] == pytest.approx(90.0)
    assert table["kinds of furniture and clutter in total"] == 3.0
    assert table["different plans"] == 1.0
    assert figures([GOOD])["lint-clean houses"] == 100.0
    assert "holes" in next(row.conditions for row in rows([bad]) if row.name == "lint-clean houses")


def test_a_missing_wall_and_a_room_without_floor_are_detected() -> None:
    scene = generate_house(3)
    assert is_watertight(scene)
    walls = [k for k, surface in enumerate(scene.surfaces) if surface.category == "wall"]
    removed = int(np.flatnonzero(scene.surface_F == walls[0])[0])
    keep_F = np.arange(len(scene.faces_F3)) != removed
    open_scene = replace(
        scene, faces_F3=scene.faces_F3[keep_F], surface_F=scene.surface_F[keep_F], uv_F32=scene.uv_F32[keep_F]
    )
    assert not is_watertight(open_scene)
    navgrid = free_space_of(scene)
    areas = walkable_areas(scene, navgrid)
    assert len(areas) == len(scene.rooms)
    assert min(areas) > 0.25
    assert 0.9 * navgrid.area < sum(areas) < 1.02 * navgrid.area  # the floor of doorways lies between the rooms
    elsewhere = Room(kind="garden", min_x=50.0, min_z=50.0, max_x=55.0, max_z=55.0)
    assert walkable_areas(replace(scene, rooms=(elsewhere,)), navgrid) == [0.0]


def test_a_sheet_contains_every_picture() -> None:
    red, blue = (Image.new("RGB", (30, 30), colour) for colour in ("red", "blue"))
    out = np.asarray(sheet([("one", [red, blue]), ("two", [blue, red]), ("three", [red, red])], columns=2))
    assert (out == [255, 0, 0]).all(axis=2).sum() == 4 * 30 * 30
    assert (out == [0, 0, 255]).all(axis=2).sum() == 2 * 30 * 30


@pytest.mark.slow
def test_the_command_measures_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "sheet.png"
    command = ["--houses", "1", "--first", "3", "--drawn", "1", "--picture", str(picture), "--json"]
    result = CliRunner().invoke(houses, command, catch_exceptions=False)
    assert result.exit_code == 0
    table = {row["name"]: row for row in json.loads(result.stdout)["rows"]}
    assert table["generate"]["ratio"] < 1.0
    assert table["rooms on the one walkable island"]["ours"] == 100.0
    image = np.asarray(Image.open(picture))
    assert image.std() > 30
