"""HM3D, Replica and Gibson in their own layouts: upright, labelled, and the same scene as in Habitat."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from avw.sim_bridge.scenes.catalogue import resolve_scenes, scene_ref
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.materials.labels import face_areas
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.simulators.embedded import EmbeddedSimulator
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import sample_episode
from tests.sim_bridge.habitat_views import compare_with_habitat
from tests.sim_bridge.scan_trees import SCENES, scan_tree


@cache
def house() -> Scene:
    return generate_house(3)


def material_areas(scene: Scene) -> dict[str, float]:
    areas: dict[str, float] = {}
    by_surface = np.bincount(scene.surface_F, face_areas(scene.triangles_F33), len(scene.surfaces))
    for surface, area in zip(scene.surfaces, by_surface, strict=True):
        areas[surface.material.name] = areas.get(surface.material.name, 0.0) + float(area)
    return areas


@pytest.mark.parametrize("collection", SCENES)
def test_it_opens_upright_with_the_materials_of_the_house(tmp_path: Path, collection: str) -> None:
    scene_id, object_F = scan_tree(collection, tmp_path, house())
    assert [scene.scene_id for scene in resolve_scenes(collection, tmp_path)] == [scene_id]
    scene, report = scene_ref(scene_id, tmp_path).read()
    assert report is not None
    assert report.up == "z"
    assert report.warnings == ()
    assert report.by_semantics > 0.99
    for end in (np.min, np.max):
        np.testing.assert_allclose(end(scene.vertices_V3, axis=0), end(house().vertices_V3, axis=0), atol=0.01)
    wanted, found = material_areas(house()), material_areas(scene)
    for name, area in wanted.items():
        assert found[name] == pytest.approx(area, rel=0.02, abs=0.1), name
    assert scene.object_F is not None
    missing = set(np.unique(object_F)) - set(np.unique(scene.object_F - 1))
    assert len(missing) < 0.02 * len(np.unique(object_F))


def test_hm3d_is_read_with_jpeg_textures_if_they_are_there(tmp_path: Path) -> None:
    scene_id, _ = scan_tree("hm3d", tmp_path, house())
    basis = next(tmp_path.glob("hm3d/val/*/*.basis.glb"))
    plain = basis.with_name(basis.name.replace(".basis", ""))
    plain.write_bytes(basis.read_bytes())
    basis.write_bytes(b"not read")
    _, report = scene_ref(scene_id, tmp_path).read()
    assert report is not None
    assert report.path == str(plain)


@pytest.mark.habitat
@pytest.mark.slow
@pytest.mark.parametrize("collection", SCENES)
def test_habitat_sees_the_same_objects(tmp_path: Path, collection: str) -> None:
    scene_id, _ = scan_tree(collection, tmp_path, house())
    own = EmbeddedSimulator(scene_ref(scene_id, tmp_path), SimulatorConfig(emitters=200, size=64))
    compare_with_habitat(os.environ["AVW_HABITAT_PYTHON"], own, views=4)


@pytest.mark.habitat
@pytest.mark.slow
@pytest.mark.parametrize("collection", SCENES)
def test_habitat_is_in_the_same_place(tmp_path: Path, collection: str) -> None:
    scene_id, _ = scan_tree(collection, tmp_path, house())
    config = {"emitters": 200, "size": 64}
    scene = scene_ref(scene_id, tmp_path)
    python = os.environ["AVW_HABITAT_PYTHON"]
    habitat = open_simulator(scene, SimulatorConfig(backend="habitat", habitat_python=python, **config))
    own = open_simulator(scene, SimulatorConfig(backend="embedded", **config))
    for seed in range(3):
        start, source = sample_episode(habitat, seed=seed)
        theirs, ours = (simulator.reset(start, source, seed=seed) for simulator in (habitat, own))
        assert np.quantile(np.abs(ours.depth_HW - theirs.depth_HW), 0.9) < 1e-3
        assert own.distance_to_source() == pytest.approx(
            habitat.distance_to_source(), rel=0.2
        )  # only one of them may fit through a gap
    habitat.close()
