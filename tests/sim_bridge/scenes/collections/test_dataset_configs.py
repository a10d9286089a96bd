"""Habitat's scene dataset configurations: stages, instances, frames, and files that lead elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from click.testing import CliRunner

from avw.cli.scenes import scenes
from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.catalogue import read_scene, resolve_scenes
from avw.sim_bridge.scenes.collections.dataset_configs import read_stages, stage_defaults
from avw.sim_bridge.scenes.collections.scene_folder import SceneFolder
from tests.sim_bridge.boxes import flat
from tests.sim_bridge.mp3d_tree import TO_Z_UP
from tests.sim_bridge.scans import building

NAME = "%%CONFIG_NAME_AS_ASSET_FILENAME%%"


def write(path: Path, tree: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree))
    return path


def write_flat(path: Path, *, z_up: bool) -> None:
    mesh = building(*flat())
    if z_up:
        mesh.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    mesh.export(path)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two stages found by a glob, Y-up as the defaults name no axis, and one with a configuration of its own, Z-up."""
    for name in ("a", "b"):
        write_flat(tmp_path / f"scenes/{name}/{name}.glb", z_up=False)
        write(tmp_path / f"scenes/{name}/{name}.navmesh", "navmesh")
    write_flat(tmp_path / "meshes/c.glb", z_up=True)
    stage = {"render_asset": "../meshes/c.glb", "up": [0, 0, 1], "front": [0, 1, 0], "nav_asset": "c.navmesh"}
    write(tmp_path / "configs/c.stage_config.json", stage)
    write(tmp_path / "configs/c.navmesh", "navmesh")
    stages = {
        "paths": {".glb": ["scenes/*"], ".json": ["configs"]},
        "default_attributes": {"nav_asset": f"{NAME}.navmesh", "semantic_asset": f"{NAME}_semantic.ply"},
    }
    return write(tmp_path / "own.scene_dataset_config.json", {"stages": stages})


def names(text: str, root: Path | None = None) -> list[str]:
    return [scene.scene_id for scene in resolve_scenes(text, root)]


def test_stages_and_their_attributes(config: Path) -> None:
    assert names(str(config)) == [f"{config}:{name}" for name in "abc"]
    assert names(f"{config.name}:b", config.parent) == [f"{config}:b"]
    for name in "abc":
        scene, report = read_scene(f"{config}:{name}")
        assert report is not None
        assert report.up == ("z" if name == "c" else "y")
        assert scene.vertices_V3[:, 1].max() == pytest.approx(2.7, abs=1e-5)  # upright, either way
        files = SceneFolder().files(f"{config}:{name}")
        assert files.navmesh is not None
        assert files.navmesh.name == f"{name}.navmesh"
        assert files.dataset_config == config
    assert stage_defaults(config)["nav_asset"] == f"{NAME}.navmesh"
    options = read_scene(f"{config}:c?units=ft")[1]
    assert options is not None
    assert options.unit == 0.3048


def test_exported_scenes_are_named_after_their_handles(config: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(scenes, [str(config), "--export", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").glob("*.glb")) == ["a.glb", "b.glb", "c.glb"]


def test_a_scans_frame_is_habitats() -> None:
    up, front = TO_Z_UP @ [0.0, 1.0, 0.0], TO_Z_UP @ [0.0, 0.0, -1.0]
    assert up.tolist() == [0.0, 0.0, 1.0]
    assert front.tolist() == [0.0, 1.0, 0.0]


def test_scene_instances_are_the_scenes(config: Path) -> None:
    pieces = {"object_instances": [{}, {}], "articulated_object_instances": [{}]}
    instance = {"stage_instance": {"template_name": "stages/a"}, **pieces}
    write(config.parent / "instances/home.scene_instance.json", instance)
    tree = json.loads(config.read_text()) | {"scene_instances": {"paths": {".json": ["instances/*.json"]}}}
    write(config, tree)
    assert names(str(config)) == [f"{config}:home"]
    _, report = read_scene(f"{config}:home")
    assert report is not None
    assert any(
        "3 objects that the dataset places in this scene are not shown" in warning for warning in report.warnings
    )
    write(config.parent / "instances/home.scene_instance.json", {"stage_instance": {"template_name": "unknown"}})
    with pytest.raises(SceneError, match=r"needs stage 'unknown', which .* does not list"):
        names(str(config))


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ("no json", "cannot be read"),
        ("[]", "not a JSON object"),
        ({"stages": 3}, "'stages' is not a JSON object"),
        ({"stages": {"paths": {".glb": ["../*.glb"]}}}, "outside its own folder"),
        ({"stages": {"paths": {".glb": ["a/../../x"]}}}, "outside its own folder"),
        ({"stages": {"paths": {".glb": ["/etc/*"]}}}, "outside its own folder"),
    ],
)
def test_damaged_and_malicious_configurations(tmp_path: Path, tree: Any, says: str) -> None:
    path = write(tmp_path / "own.scene_dataset_config.json", tree)
    with pytest.raises(SceneError, match=says) as raised:
        read_stages(path)
    assert "\n" not in str(raised.value)


def test_without_default_attributes_a_bare_glb_is_z_up_as_in_habitat(tmp_path: Path) -> None:
    write_flat(tmp_path / "a.glb", z_up=True)
    config = write(tmp_path / "own.scene_dataset_config.json", {"stages": {"paths": {".glb": ["*.glb"]}}})
    report = read_scene(f"{config}:a")[1]
    assert report is not None
    assert report.up == "z"


def test_an_up_axis_without_a_front_is_enough(config: Path) -> None:
    tree = json.loads(config.read_text())
    tree["stages"]["default_attributes"]["up"] = [0, 1, 0]
    write(config, tree)
    scene, report = read_scene(f"{config}:a")
    assert report is not None
    assert report.up == "y"
    assert scene.vertices_V3[:, 1].max() == pytest.approx(2.7, abs=1e-5)


def test_entries_of_configs_override_a_stage_or_make_a_new_one(config: Path) -> None:
    tree = json.loads(config.read_text())
    tree["stages"]["configs"] = [
        {"original_file": "configs/c.stage_config.json", "attributes": {"units_to_meters": 2.0}},
        {"original_file": "configs/c", "template_handle": "twice", "attributes": {"units_to_meters": 3.0}},
        {"original_file": "scenes/a/a.glb", "template_handle": "other", "attributes": {}},
        {"template_handle": "new", "attributes": {"render_asset": "scenes/b/b.glb"}},
    ]
    stages = {stage.handle: stage for stage in read_stages(write(config, tree))}
    assert sorted(stages) == ["a", "b", "c", "new", "other", "twice"]
    assert not [stage.problem for stage in stages.values() if stage.problem]
    assert [stages[name].attributes.get("units_to_meters") for name in ("c", "twice", "other")] == [2.0, 3.0, None]
    assert stages["c"].mesh == stages["twice"].mesh == config.parent / "meshes/c.glb"
    assert stages["other"].mesh == config.parent / "scenes/a/a.glb"
    assert stages["new"].mesh == config.parent / "scenes/b/b.glb"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"attributes": {"render_asset": "../../etc/a.glb"}}, "outside the folder of"),
        ({"original_file": "../elsewhere", "attributes": {}}, "outside the folder of"),
        ({"original_file": "gone", "attributes": {}}, "cannot be read"),
        ({"attributes": 3}, "not an object with attributes"),
        ({"attributes": {"up": [0, 1, 0]}}, "has no render_asset"),
    ],
)
def test_one_wrong_entry_does_not_spoil_the_dataset(config: Path, entry: Any, says: str) -> None:
    tree = json.loads(config.read_text())
    tree["stages"]["configs"] = [entry]
    problems = {stage.handle: stage.problem for stage in read_stages(write(config, tree))}
    assert [says in problem for problem in problems.values() if problem] == [True]
    assert names(f"{config}:a") == [f"{config}:a"]
    with pytest.raises(SceneError, match=r"1 of 4 scenes cannot be opened\. The first: .*name the others"):
        names(str(config))


def test_files_outside_the_dataset_are_not_companions(config: Path) -> None:
    write(config.parent.parent / "secret.json", "{}")
    stage = {"render_asset": "../meshes/c.glb", "semantic_descriptor_filename": "../../secret.json"}
    write(config.parent / "configs/c.stage_config.json", stage)
    assert SceneFolder().files(f"{config}:c").semantic_text is None


def test_a_scene_that_is_not_listed_gives_an_error_with_what_to_type(config: Path) -> None:
    with pytest.raises(SceneError, match="no scene 'd': list them with avw scenes"):
        SceneFolder().files(f"{config}:d")
    with pytest.raises(SceneError, match="does not exist"):
        names("nowhere.scene_dataset_config.json")
    (config.parent / "meshes/c.glb").unlink()
    with pytest.raises(SceneError, match="incomplete"):
        SceneFolder().files(f"{config}:c")
