"""A user's material map in the format of SoundSpaces: validated, applied by label, and its coverage measured."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avw.sim_bridge.acoustics.surfaces import acoustic_surfaces
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.labels import DEFAULTED
from avw.sim_bridge.scenes.materials.material_map import (
    apply_material_map,
    open_material_map,
    read_material_map,
    share_named,
)
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.simulators.embedded import EmbeddedSimulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from tests.sim_bridge.material_maps import entry, write_map


def labelled_box(*labels: str) -> Scene:
    """A room with its six sides as surfaces; their categories cycle through `labels`."""
    box = shoebox((4.0, 3.0, 5.0))
    sides_F = np.arange(len(box.faces_F3), dtype=np.int32) // 2
    surface = box.surfaces[0]
    surfaces = tuple(
        dataclasses.replace(surface, name=f"side {side}", category=labels[side % len(labels)])
        for side in range(int(sides_F.max()) + 1)
    )
    return dataclasses.replace(box, surface_F=sides_F, surfaces=surfaces)


def test_curves_are_interpolated_over_the_logarithm_of_frequency(tmp_path: Path) -> None:
    materials = read_material_map(write_map(tmp_path / "map.json"))
    tile, _ = materials.find(["ceiling"])
    assert tile.absorption_6 == (0.6, 0.6, 0.6, 0.45, 0.3, 0.3)  # 1 kHz is midway between 500 Hz and 2 kHz
    assert tile.scattering_6 == (0.5,) * 6
    assert tile.transmission_6 == (0.03,) * 6
    assert tile.source == "map.json: Acoustic Tile"


@pytest.mark.parametrize(
    ("labels", "name", "evidence"),
    [
        (["chest of drawers"], "Wood, Thick", "chest of drawers"),
        (["chest_of_drawers"], "Wood, Thick", "chest of drawers"),
        (["Indoor Plant"], "Foliage", "indoor plant"),
        (["misc", "KitchenTable_02"], "Wood, Thick", "table"),  # the first entry with a label wins
        (["tableau"], "Default", DEFAULTED),  # whole words only
        (["", "wall"], "Default", DEFAULTED),
    ],
)
def test_labels_find_their_material(tmp_path: Path, labels: list[str], name: str, evidence: str) -> None:
    found, label = read_material_map(write_map(tmp_path / "map.json")).find(labels)
    assert (found.name, label) == (name, evidence)


def test_a_scene_gets_the_materials_of_the_map_and_coverage_is_measured(tmp_path: Path) -> None:
    materials = read_material_map(write_map(tmp_path / "map.json"))
    scene, evidence = apply_material_map(labelled_box("ceiling", "wall"), materials)
    assert [surface.material.name for surface in scene.surfaces] == ["Acoustic Tile", "Default"] * 3
    assert evidence == ("ceiling", DEFAULTED) * 3
    triangles_F33 = scene.triangles_F33.astype(np.float64)
    cross_F3 = np.cross(triangles_F33[:, 1] - triangles_F33[:, 0], triangles_F33[:, 2] - triangles_F33[:, 0])
    area_F = np.linalg.norm(cross_F3, axis=1)
    assert share_named(scene, materials) == pytest.approx(area_F[scene.surface_F % 2 == 0].sum() / area_F.sum())
    assert share_named(labelled_box("ceiling"), materials) == 1.0
    assert share_named(labelled_box("wall"), materials) == 0.0


def test_transmission_is_limited_to_absorption(tmp_path: Path) -> None:
    scene, _ = apply_material_map(labelled_box("plant"), read_material_map(write_map(tmp_path / "map.json")))
    assert scene.surfaces[0].material.transmission_6 == (0.9,) * 6
    surfaces = acoustic_surfaces(RayScene(scene))
    np.testing.assert_allclose(surfaces.transmission_MB, 1.0 - surfaces.reflection_MB, atol=1e-7)


def test_simulators_use_the_map(tmp_path: Path) -> None:
    path = write_map(tmp_path / "map.json", entry("Default", ["default"], 0.3), entry("Stone", ["floor"], 0.02))
    config = SimulatorConfig(size=16, emitters=500)
    plain = EmbeddedSimulator("procedural-0001", config)
    mapped = EmbeddedSimulator("procedural-0001", dataclasses.replace(config, materials=str(path)))
    assert plain.materials_named is None
    assert mapped.materials_named is not None
    assert 0.02 < mapped.materials_named < 0.5
    assert {surface.material.name for surface in mapped.scene.surfaces} == {"Default", "Stone"}


def test_a_map_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    path = write_map(tmp_path / "map.json")
    first = open_material_map(str(path))
    assert open_material_map(str(path)) is first
    write_map(path, entry("Default", ["default"], 0.7))
    os.utime(path, ns=(1, 1))
    changed = open_material_map(str(path))
    assert changed is not None
    assert changed.default.absorption_6[0] == 0.7
    assert open_material_map(None) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"absorption": [500.0, 1.2, 2000.0, 0.1]}, "absorption has values outside"),
        ({"absorption": [500.0, 0.2, 200.0, 0.1]}, "absorption has frequencies that are not positive and increasing"),
        ({"scattering": [0.0, 0.2]}, "scattering has frequencies that are not positive and increasing"),
        ({"transmission": [500.0]}, "transmission is not a list"),
        ({"transmission": [500.0, "much"]}, "transmission is not a list"),
        ({"labels": "wall"}, "labels a list of strings"),
        ({"name": 3}, "name must be a string"),
    ],
)
def test_invalid_entries_are_errors_with_their_name(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    bad = entry("Odd", ["odd"], 0.1) | changes
    with pytest.raises(UsageError, match=rf"material '{bad['name']}': .*{message}"):
        read_material_map(write_map(tmp_path / "map.json", entry("Default", ["default"], 0.1), bad))


def test_a_number_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    bad = entry("Odd", ["odd"], 0.1) | {"absorption": [500.0, float("nan")]}
    with pytest.raises(UsageError, match="NaN is not a finite number"):
        read_material_map(write_map(tmp_path / "map.json", entry("Default", ["default"], 0.1), bad))


@pytest.mark.parametrize("key", ["density", "speed", "damping", "transmission"])
def test_a_missing_key_is_an_error(tmp_path: Path, key: str) -> None:
    short = entry("Short", ["short"], 0.1)
    del short[key]
    with pytest.raises(UsageError, match=rf"material 'Short': missing {key}"):
        read_material_map(write_map(tmp_path / "map.json", entry("Default", ["default"], 0.1), short))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<html>", "is not a material map"),
        ("[]", "a list called 'materials'"),
        ('{"materials": []}', "a list called 'materials'"),
        ('{"materials": [3]}', "material '0': it is not an object"),
    ],
)
def test_files_that_are_not_maps_are_errors(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "map.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=message):
        read_material_map(path)
    with pytest.raises(UsageError, match="no material map"):
        open_material_map(str(tmp_path / "absent.json"))
    with pytest.raises(UsageError, match="no material labelled 'default'"):
        read_material_map(write_map(path, entry("Wood", ["wood"], 0.1)))
