"""A scene in the layout of Matterport3D: upright, with the materials of the house, in the same frame as in Habitat."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.catalogue import scene_ref
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.scenes.materials.labels import face_areas
from avw.sim_bridge.scenes.materials.materials import DEFAULT_MATERIAL
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.simulators.embedded import EmbeddedSimulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import sample_episode
from tests.sim_bridge.habitat_views import compare_with_habitat
from tests.sim_bridge.mp3d_tree import CONFIG, Tree, concrete_box, mp3d_tree

SCENE = "mp3d/17DRP5sb8fy"


@cache
def house() -> Scene:
    return generate_house(3)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return mp3d_tree(tmp_path_factory.mktemp("scene_datasets"), house())


def faces_of_the_house(scene: Scene) -> np.ndarray:
    """For each face of `scene`, the index of that face in the house: the files have another order."""
    far_F, face_F = cKDTree(house().triangles_F33.reshape(-1, 9)).query(scene.triangles_F33.reshape(-1, 9))
    assert far_F.max() < 1e-4
    return face_F


def test_it_opens_upright_and_labelled(tree: Tree) -> None:
    scene, report = scene_ref(SCENE, tree.root).read()
    assert report is not None
    assert report.up == "z"
    assert str(tree.root / "mp3d" / CONFIG) in report.up_evidence
    assert report.warnings == ()
    face_F = faces_of_the_house(scene)
    assert len(np.unique(face_F)) > 0.99 * len(house().faces_F3)  # it has a few faces twice

    area_F = face_areas(scene.triangles_F33)
    assert scene.object_F is not None
    right_F = scene.object_F - 1 == tree.object_F[face_F]
    assert area_F[right_F].sum() / area_F.sum() > 0.995
    ours = np.array([scene.surfaces[k].material.name for k in scene.surface_F])
    theirs = np.array([surface.material.name for surface in house().surfaces])[house().surface_F[face_F]]
    assert area_F[ours == theirs].sum() / area_F.sum() > 0.995
    walls = [surface.category for surface in scene.surfaces if surface.category in ("wall", "floor", "ceiling")]
    assert set(walls) == {"wall", "floor", "ceiling"}

    nothing = area_F[theirs == DEFAULT_MATERIAL].sum() / area_F.sum()
    assert report.semantics == str(tree.file(".house"))
    assert report.by_semantics == pytest.approx(1.0 - nothing, abs=0.005)
    assert report.by_name == pytest.approx(0.0, abs=1e-9)
    assert report.by_semantics + report.by_name + report.by_default == pytest.approx(1.0)


def test_it_looks_and_sounds_like_the_same_scene_as_a_mesh_file(tmp_path: Path) -> None:
    mp3d_tree(tmp_path, concrete_box())
    export_glb(concrete_box(), tmp_path / "own.glb")
    config = SimulatorConfig(size=32, emitters=500)
    simulator, own = (EmbeddedSimulator(scene_ref(name, tmp_path), config) for name in (SCENE, "own.glb"))
    assert simulator.scene_id == SCENE
    assert simulator.navgrid.area == pytest.approx(own.navgrid.area, rel=1e-3)
    start, source = sample_episode(simulator, seed=1)
    seen, truth = simulator.reset(start, source, seed=1), own.reset(start, source, seed=1)
    np.testing.assert_allclose(seen.depth_HW, truth.depth_HW, atol=1e-4)
    loudness, wanted = (float(np.sqrt((o.audio_ES.astype(float) ** 2).mean())) for o in (seen, truth))
    assert 20 * abs(np.log10(loudness / wanted)) < 0.5


def test_edited_semantics_are_reloaded(tmp_path: Path) -> None:
    house = tmp_path / "mp3d/17DRP5sb8fy/17DRP5sb8fy.house"
    mp3d_tree(tmp_path, concrete_box())
    config = SimulatorConfig(size=16, emitters=200)
    before = EmbeddedSimulator(scene_ref(SCENE, tmp_path), config).scene
    assert EmbeddedSimulator(scene_ref(SCENE, tmp_path), config).scene is before
    house.write_text(house.read_text().replace("concrete#floor", "thick#carpet"))
    after = EmbeddedSimulator(scene_ref(SCENE, tmp_path), config).scene
    assert {s.material.name for s in before.surfaces} == {"concrete"}
    assert {s.material.name for s in after.surfaces} == {"carpet_thick"}


def test_a_sidecar_sets_the_material_of_a_class(tmp_path: Path) -> None:
    tree = mp3d_tree(tmp_path, concrete_box())
    tree.file(".avw.json").write_text(json.dumps({"materials": {"concrete floor": "linoleum"}}))
    scene, report = scene_ref(SCENE, tmp_path).read()
    assert report is not None
    assert {surface.material.name for surface in scene.surfaces} == {"linoleum"}
    assert report.by_semantics == 1.0


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ((".house",), "the file with their categories is missing"),
        (("_semantic.ply",), "the semantic mesh with their places is missing"),
        ((".house", "_semantic.ply"), "no semantics found beside the mesh"),
    ],
)
def test_without_its_semantics_it_opens_with_a_warning(
    tmp_path: Path, tree: Tree, missing: tuple[str, ...], says: str
) -> None:
    folder = tmp_path / "mp3d" / tree.scene
    folder.mkdir(parents=True)
    for end in {".glb", ".house", "_semantic.ply"} - set(missing):
        (folder / f"{tree.scene}{end}").symlink_to(tree.file(end))
    scene, report = scene_ref(SCENE, tmp_path).read()
    assert report is not None
    assert any(says in warning for warning in report.warnings)
    assert report.by_semantics == 0.0
    assert report.up == "z"  # as Habitat reads it, whatever the geometry suggests
    assert scene.object_F is None


def test_a_damaged_list_of_objects_is_an_error(tmp_path: Path, tree: Tree) -> None:
    folder = tmp_path / "mp3d" / tree.scene
    folder.mkdir(parents=True)
    for end in (".glb", "_semantic.ply"):
        (folder / f"{tree.scene}{end}").symlink_to(tree.file(end))
    (folder / f"{tree.scene}.house").write_bytes(b"")
    with pytest.raises(SceneError, match="move it away to read the scene without"):
        scene_ref(SCENE, tmp_path).read()


@pytest.mark.habitat
@pytest.mark.slow
def test_habitat_sees_the_same_depth_and_the_same_objects(tmp_path: Path) -> None:
    python = os.environ["AVW_HABITAT_PYTHON"]
    tree = mp3d_tree(tmp_path, house(), python=python)
    simulator = EmbeddedSimulator(scene_ref(SCENE, tree.root), SimulatorConfig(size=64, emitters=200))
    seen = compare_with_habitat(python, simulator)
    scene = simulator.scene
    np.testing.assert_allclose(seen["low"], scene.vertices_V3.min(axis=0), atol=1e-3)
    np.testing.assert_allclose(seen["high"], scene.vertices_V3.max(axis=0), atol=1e-3)
    assert float(seen["area"]) == pytest.approx(simulator.navgrid.area, rel=0.3)
    assert seen["objects"] == tree.object_F.max() + 1
