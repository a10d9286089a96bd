"""Scenes that are found once: names as users write them, objects that travel to workers, digests that are kept."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest

from avw.sim_bridge.errors import SceneError, UsageError
from avw.sim_bridge.scenes import digest_cache
from avw.sim_bridge.scenes.catalogue import resolve_scenes, scene_ref, scene_refs
from avw.sim_bridge.scenes.scene_ref import scene_digests


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder and the home folder of the test. Files are old enough for their digests to be kept."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def touch(path: Path, content: bytes = b"glTF", age: float = 3600.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))
    return path


def names(*texts: str) -> list[str]:
    return [scene.scene_id for scene in resolve_scenes(texts)]


def test_commas_and_spaces_in_names(folder: Path) -> None:
    for name in ("a,b.glb", "my flat.glb", "c.glb", "d,e/f.glb"):
        touch(folder / name)
    assert names("a,b.glb") == ["a,b.glb"], "an existing path is one scene"
    assert names("a,b.glb?up=z") == ["a,b.glb?up=z"]
    assert names(r"a\,b.glb,my flat.glb, c.glb") == ["a,b.glb", "my flat.glb", "c.glb"]
    assert names("a,b.glb", "c.glb", "procedural:1") == ["a,b.glb", "c.glb", "procedural-0000"]
    assert names("d,e") == ["d,e/f.glb"]
    with pytest.raises(SceneError, match=r"'a' was not found.*contains a comma, type \\, for it"):
        names("a,b.glb,c.glb")


def test_home_relative_paths_and_links(folder: Path) -> None:
    touch(folder / "scans/a.glb")
    (folder / "linked").symlink_to(folder / "scans")
    (folder / "b.glb").symlink_to(folder / "scans/a.glb")
    assert names("~/scans/a.glb") == names("~/scans") == [f"{folder}/scans/a.glb"]
    assert names("./scans/a.glb") == ["scans/a.glb"]
    assert names("linked") == ["linked/a.glb"]
    assert scene_digests(resolve_scenes("b.glb"))["b.glb"] == scene_digests(resolve_scenes("scans"))["scans/a.glb"]
    with pytest.raises(SceneError, match="was not found"):
        names("~nobody-of-this-name/a.glb")
    for other in ("b.glb", "./scans/a.glb", f"{folder}/scans/a.glb"):
        with pytest.raises(UsageError, match="named twice"):
            names("scans/a.glb", other)
    assert len(names("scans/a.glb", "scans/a.glb?up=z")) == 2


def test_the_scenes_of_a_folder_are_its_meshes_alone(folder: Path) -> None:
    for name in ("17DRP5sb8fy.glb", "17DRP5sb8fy_semantic.ply", "._17DRP5sb8fy.glb", "x.semantic.glb", "notes.txt"):
        touch(folder / "house" / name)
    assert names("house") == ["house/17DRP5sb8fy.glb"]
    for name in ("x.basis.glb", "x.glb", "y.basis.glb"):
        touch(folder / "hm3d_scenes" / name)
    assert names("hm3d_scenes") == ["hm3d_scenes/x.glb", "hm3d_scenes/y.basis.glb"]
    touch(folder / "labels/mesh_semantic.ply")
    with pytest.raises(SceneError, match=r"contains no scene.*semantic meshes"):
        names("labels")
    assert names("labels/mesh_semantic.ply") == ["labels/mesh_semantic.ply"], "a file that is named is a scene"


def test_macos_companions_are_no_scenes_of_a_collection(folder: Path) -> None:
    for name in ("gibson/Adrian.glb", "gibson/._Adrian.glb", "._own.scene_dataset_config.json"):
        touch(folder / "scenes" / name)
    assert [scene.scene_id for scene in resolve_scenes("gibson", folder / "scenes")] == ["gibson/Adrian"]


def test_a_scene_travels_and_is_a_key(folder: Path) -> None:
    touch(folder / "a.glb")
    scene = scene_ref("a.glb?up=z")
    assert pickle.loads(pickle.dumps(scene)) == scene
    assert {scene: 1}[scene_ref("a.glb?up=z")] == 1
    assert scene != scene_ref("a.glb")
    assert (scene.options, scene.house) == ("up=z", None)
    assert (scene_ref("procedural-0007").house, scene_ref("procedural-0007").stamp()) == (7, None)
    assert scene_ref(scene) is scene


def test_a_scene_that_is_missing_says_so_when_it_is_read(folder: Path) -> None:
    found = scene_refs(["procedural-0001", "mp3d/17DRP5sb8fy"])
    assert found["procedural-0001"].problem == ""
    missing = pickle.loads(pickle.dumps(found["mp3d/17DRP5sb8fy"]))
    with pytest.raises(SceneError, match="has no folder mp3d"):
        missing.read()
    assert scene_digests([missing]) == {}


def test_a_file_that_has_not_changed_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(folder / "a.glb")
    touch(folder / "b.glb", b"other")
    scenes = resolve_scenes("a.glb,b.glb")
    assert scene_digests(scenes, read=False) == {}
    digests = scene_digests(scenes)
    read: list[Path] = []
    hashing = digest_cache.file_sha256
    monkeypatch.setattr(digest_cache, "file_sha256", lambda path: read.append(path) or hashing(path))
    assert scene_digests(scenes) == scene_digests(scenes, read=False) == digests
    assert read == []
    touch(folder / "b.glb", b"third", age=7200.0)
    assert scene_digests(scenes, read=False) == {"a.glb": digests["a.glb"]}
    assert scene_digests(scenes)["b.glb"] != digests["b.glb"]
    assert read == [Path("b.glb")]
    assert {path.name for path in (folder / "cache/avw").iterdir()} == {"digests.json"}


def test_a_file_that_a_copy_with_the_same_size_and_time_replaces_is_read_again(folder: Path) -> None:
    touch(folder / "a.glb", b"first")
    touch(folder / "b.glb", b"other")
    before = scene_digests([scene_ref("a.glb")])["a.glb"]
    state = (folder / "a.glb").stat()
    os.utime(folder / "b.glb", ns=(state.st_atime_ns, state.st_mtime_ns))
    (folder / "b.glb").replace(folder / "a.glb")
    assert scene_digests([scene_ref("a.glb")], read=False) == {}
    assert scene_digests([scene_ref("a.glb")])["a.glb"] != before


def test_a_user_without_a_home_gets_no_folder_called_tilde(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(folder / "a.glb")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    before = sorted(folder.iterdir())
    assert len(scene_digests([scene_ref("a.glb")])) == 1
    assert sorted(folder.iterdir()) == before


def test_a_file_that_was_changed_just_now_is_read_again(folder: Path) -> None:
    touch(folder / "a.glb", age=0.0)
    scene_digests([scene_ref("a.glb")])
    assert scene_digests([scene_ref("a.glb")], read=False) == {}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"x": 3}', "null", "[" * 100_000])
def test_a_damaged_cache_is_replaced(folder: Path, damage: str) -> None:
    touch(folder / "a.glb")
    digests = scene_digests([scene_ref("a.glb")])
    digest_cache.cache_file().write_text(damage)
    assert scene_digests([scene_ref("a.glb")], read=False) == {}
    assert scene_digests([scene_ref("a.glb")]) == digests
    assert len(json.loads(digest_cache.cache_file().read_text())) == 1


def test_a_cache_that_cannot_be_written_stops_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(folder / "a.glb")
    touch(folder / "file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "file"))
    assert len(scene_digests([scene_ref("a.glb")])) == 1


def test_a_path_object_is_a_scene_too(folder: Path) -> None:
    mesh = folder / "a room.glb"
    mesh.write_bytes(b"resolving reads no scene file")
    assert resolve_scenes(mesh) == resolve_scenes([mesh]) == resolve_scenes(str(mesh))
    assert scene_ref(mesh) == scene_ref(str(mesh))
    with pytest.raises(SceneError) as refused:
        resolve_scenes(folder / "missing.glb")
    assert "comma" not in str(refused.value)
