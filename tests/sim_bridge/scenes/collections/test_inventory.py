"""What `avw scenes` reports about collections that are missing, complete, incomplete or damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from avw.cli.scenes import scenes
from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.collections.inventory import check_files, collection_state
from avw.sim_bridge.scenes.collections.scene_folder import SceneFolder
from tests.sim_bridge.mp3d_tree import concrete_box, mp3d_tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A complete scene of Matterport3D, one without semantics, an incomplete one, and one that is a web page."""
    mp3d_tree(tmp_path, concrete_box())
    for name, end, content in (
        ("1LXtFkjw3qL", ".house", b"ASCII 1.1\n"),
        ("1pXnuDYAj8r", ".glb", b"<html>404</html>"),
        ("29hnd4uzFmX", ".glb", (tmp_path / "mp3d/17DRP5sb8fy/17DRP5sb8fy.glb").read_bytes()),
    ):
        (tmp_path / "mp3d" / name).mkdir()
        (tmp_path / "mp3d" / name / f"{name}{end}").write_bytes(content)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(scenes, arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_state_of_each_scene(root: Path) -> None:
    state = collection_state("mp3d", SceneFolder(root))
    found = {scene.scene.partition("/")[2]: scene for scene in state.scenes}
    assert (len(state.scenes), state.usable, state.published, len(state.missing)) == (4, 2, 90, 86)
    whole, bare = found["17DRP5sb8fy"], found["29hnd4uzFmX"]
    assert (whole.problem, whole.semantics, whole.split, whole.notes) == ("", True, "train", ())
    assert (bare.problem, bare.semantics) == ("", False)
    assert "1LXtFkjw3qL.glb is missing" in found["1LXtFkjw3qL"].problem
    assert "web page" in found["1pXnuDYAj8r"].problem
    check_files(SceneFolder(root).files("mp3d/17DRP5sb8fy"))
    with pytest.raises(SceneError, match="web page"):
        check_files(SceneFolder(root).files("mp3d/1pXnuDYAj8r"))


@pytest.mark.parametrize(
    ("end", "content", "says"),
    [(".house", b"", "empty"), ("_semantic.ply", b"", "empty"), ("_semantic.ply", b"<html>", "web page")],
)
def test_broken_semantics_are_found_without_reading_them(root: Path, end: str, content: bytes, says: str) -> None:
    (root / f"mp3d/17DRP5sb8fy/17DRP5sb8fy{end}").write_bytes(content)
    assert says in collection_state("mp3d", SceneFolder(root)).scenes[0].problem


def test_semantics_without_their_list_of_objects_are_noted(root: Path) -> None:
    (root / "mp3d/17DRP5sb8fy/17DRP5sb8fy.house").unlink()
    scene = collection_state("mp3d", SceneFolder(root)).scenes[0]
    assert scene.problem == ""
    assert "without its list of objects" in scene.notes[0]


def test_the_overview_shows_what_is_there_and_what_to_type(root: Path) -> None:
    (root / "replica_cad").mkdir()
    (root / "replica_cad/replicaCAD.scene_dataset_config.json").write_text("{}")
    assert SceneFolder(root).other_datasets() == (root / "replica_cad/replicaCAD.scene_dataset_config.json",)
    text = run("--scene-root", str(root))
    assert "Matterport3D: 2 of 90 scenes" in text
    assert "1 with semantics" in text
    assert "web page" in text
    for words in ("download_mp.py", "--uids hm3d_minival_v0.2", "Replica-Dataset/download.sh", "GibsonEnv"):
        assert words in text
    assert "replicaCAD.scene_dataset_config.json --names" in text
    assert "0 of 18 scenes" in text
    assert text.count("licence: ") == 1
    assert "licence: Matterport3D Terms of Use" in text


def test_one_collection_scene_by_scene(root: Path) -> None:
    lines = run("mp3d", "--scene-root", str(root)).splitlines()
    whole = next(line for line in lines if line.startswith("mp3d/17DRP5sb8fy"))
    assert whole.split()[1:] == ["train", "yes", "no", "complete"]
    assert any(line.startswith("missing: 2azQ1b91cZZ, ") and line.endswith("and 80 more") for line in lines)
    assert "0 of 572 scenes" in run("gibson", "--scene-root", str(root))


def test_names_of_all_scenes_on_this_machine(root: Path, tmp_path: Path) -> None:
    for name in ("1LXtFkjw3qL", "1pXnuDYAj8r"):
        shutil.rmtree(root / "mp3d" / name)
    assert run("--names", "--scene-root", str(root)).split() == ["mp3d/17DRP5sb8fy", "mp3d/29hnd4uzFmX"]
    result = CliRunner().invoke(scenes, ["--names", "--scene-root", str(root / "mp3d" / "29hnd4uzFmX")])
    assert isinstance(result.exception, SceneError)
    assert "type: avw scenes" in str(result.exception)


def test_the_same_as_json(root: Path) -> None:
    document = json.loads(run("--scene-root", str(root), "--json"))
    assert document["scene_root"] == str(root)
    by_name = {state["name"]: state for state in document["collections"]}
    assert list(by_name) == ["mp3d", "hm3d", "replica", "gibson"]
    assert by_name["mp3d"]["usable"] == 2
    assert by_name["hm3d"]["scenes"] == []
    assert json.loads(run("mp3d", "--scene-root", str(root), "--json"))["collections"] == [by_name["mp3d"]]


def test_a_scene_reports_where_its_materials_come_from(root: Path) -> None:
    row = json.loads(run("mp3d/17DRP5sb8fy", "--scene-root", str(root), "--json"))[0]
    assert (row["by_semantics"], row["by_name"], row["by_default"]) == (1.0, 0.0, 0.0)
    assert row["materials"] == ["concrete"]
    assert "semantics 100.0%" in run("mp3d/17DRP5sb8fy", "--scene-root", str(root))
    assert run("mp3d:17DRP5sb8fy", "--names", "--scene-root", str(root)) == "mp3d/17DRP5sb8fy\n"
