"""Scanned collections in the folders that Habitat's tools create: ids, requests, splits, half-downloaded scenes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from avw.sim_bridge.errors import SceneError, UsageError
from avw.sim_bridge.scenes.catalogue import resolve_scenes, scene_ref
from avw.sim_bridge.scenes.collections.collections import collection_split
from avw.sim_bridge.scenes.collections.scene_files import SceneFiles
from avw.sim_bridge.scenes.collections.scene_folder import SceneFolder
from avw.sim_bridge.scenes.collections.splits import (
    known_scenes,
    not_in_soundspaces,
    split_names,
    split_of,
    split_scenes,
    without_soundspaces_episodes,
)
from avw.sim_bridge.scenes.scene_ref import scene_digests

Touch = Callable[..., None]


@pytest.fixture
def touch(tmp_path: Path) -> Touch:
    """Makes files under the scene root, with a few bytes in them."""

    def make(*names: str, text: str = "bytes") -> None:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)

    return make


def names(text: str, root: Path) -> list[str]:
    return [scene.scene_id for scene in resolve_scenes(text, root)]


def scene_files(scene_id: str, root: Path | None = None) -> SceneFiles:
    return SceneFolder(root).files(scene_id)


def test_matterport3d(tmp_path: Path, touch: Touch) -> None:
    stem = "mp3d/17DRP5sb8fy/17DRP5sb8fy"
    touch(*(f"{stem}{end}" for end in (".glb", ".house", ".navmesh", "_semantic.ply")))
    touch("mp3d/mp3d.scene_dataset_config.json", text="{}")
    files = scene_files("mp3d/17DRP5sb8fy", tmp_path)
    assert files.collection == "mp3d"
    assert files.scene_id == "mp3d/17DRP5sb8fy"
    assert files.mesh == tmp_path / f"{stem}.glb"
    assert files.navmesh == tmp_path / f"{stem}.navmesh"
    assert files.semantic_mesh == tmp_path / f"{stem}_semantic.ply"
    assert files.semantic_text == tmp_path / f"{stem}.house"
    assert files.dataset_config == tmp_path / "mp3d/mp3d.scene_dataset_config.json"
    assert files.stage["up"] == (0.0, 0.0, 1.0)
    assert scene_files("mp3d/17DRP5sb8fy?up=y", tmp_path).options == "up=y"
    # The root may be the collection's own folder, or the one that Habitat's tools call data.
    assert scene_files("mp3d/17DRP5sb8fy", tmp_path / "mp3d") == files
    (tmp_path / "data").mkdir()
    (tmp_path / "data/scene_datasets").symlink_to(tmp_path)
    assert scene_files("mp3d/17DRP5sb8fy", tmp_path / "data").mesh.samefile(files.mesh)
    # And the mesh may be named by its path.
    own = scene_files(str(files.mesh))
    assert (own.navmesh, own.semantic_mesh, own.semantic_text) == (
        files.navmesh, files.semantic_mesh, files.semantic_text,
    )  # fmt: skip
    assert own.collection == ""


def test_companions_of_a_mesh_file_have_its_complete_name(tmp_path: Path, touch: Touch) -> None:
    touch("scan.v1.glb", "scan.navmesh", "scan.v1.house", "scan.v1_semantic.ply", "other.glb")
    files = scene_files(str(tmp_path / "scan.v1.glb"))
    assert files.navmesh is None
    assert files.semantic_text == tmp_path / "scan.v1.house"
    other = scene_files("other.glb", tmp_path)
    assert other.mesh == tmp_path / "other.glb"
    assert (other.navmesh, other.semantic_mesh, other.semantic_text, other.dataset_config) == (None,) * 4


def test_the_example_scene_of_habitats_downloader(tmp_path: Path, touch: Touch) -> None:
    touch("mp3d_example/17DRP5sb8fy/17DRP5sb8fy.glb")
    assert names("mp3d", tmp_path) == ["mp3d/17DRP5sb8fy"]
    assert scene_files("mp3d/17DRP5sb8fy", tmp_path).semantic_text is None


def test_hm3d(tmp_path: Path, touch: Touch) -> None:
    for split in ("val", "minival"):
        stem = f"hm3d/{split}/00800-TEEsavR23oF/TEEsavR23oF"
        touch(*(f"{stem}{end}" for end in (".basis.glb", ".basis.navmesh", ".semantic.glb", ".semantic.txt")))
    touch("hm3d/train/00009-vLpv2VX547B/vLpv2VX547B.basis.glb", "hm3d/hm3d_basis.scene_dataset_config.json", text="{}")
    touch("hm3d/train/00010-abc/abc.glb", "hm3d/train/README")
    files = scene_files("hm3d/00800-TEEsavR23oF", tmp_path)
    folder = tmp_path / "hm3d/val/00800-TEEsavR23oF"  # minival is a part of val
    assert files.mesh == folder / "TEEsavR23oF.basis.glb"
    assert files.navmesh == folder / "TEEsavR23oF.basis.navmesh"
    assert files.semantic_mesh == folder / "TEEsavR23oF.semantic.glb"
    assert files.semantic_text == folder / "TEEsavR23oF.semantic.txt"
    assert files.dataset_config == tmp_path / "hm3d/hm3d_basis.scene_dataset_config.json"
    assert scene_files("hm3d/TEEsavR23oF", tmp_path) == files
    assert names("hm3d:minival", tmp_path) == names("hm3d:val", tmp_path) == ["hm3d/00800-TEEsavR23oF"]
    assert names("hm3d:train", tmp_path) == ["hm3d/00009-vLpv2VX547B", "hm3d/00010-abc"]
    assert len(names("hm3d", tmp_path)) == 3
    with pytest.raises(SceneError, match="no folder hm3d/test"):
        names("hm3d:test", tmp_path)
    assert [collection_split(f"hm3d/{n}") for n in ("00799-a", "00800-b", "00900-c", "01000-d", "x")] == [
        "train", "val", "test", None, None,
    ]  # fmt: skip


def test_replica(tmp_path: Path, touch: Touch) -> None:
    stem = "replica/apartment_0/habitat"
    touch(f"{stem}/mesh_semantic.ply", f"{stem}/mesh_semantic.navmesh", f"{stem}/info_semantic.json")
    touch("replica/apartment_0/mesh.ply")
    files = scene_files("replica/apartment_0", tmp_path)
    assert files.mesh == files.semantic_mesh == tmp_path / stem / "mesh_semantic.ply"
    assert files.semantic_text == tmp_path / stem / "info_semantic.json"
    assert files.navmesh == tmp_path / stem / "mesh_semantic.navmesh"
    assert names("replica:apartment_0", tmp_path) == names("replica", tmp_path) == ["replica/apartment_0"]


def test_gibson(tmp_path: Path, touch: Touch) -> None:
    touch("gibson/Adrian.glb", "gibson/Adrian.navmesh", "gibson/Allensville.glb", "gibson/Allensville.scn")
    touch("gibson/Allensville_semantic.ply")
    assert names("gibson", tmp_path) == ["gibson/Adrian", "gibson/Allensville"]
    files = scene_files("gibson/Allensville", tmp_path)
    assert files.semantic_mesh == tmp_path / "gibson/Allensville_semantic.ply"
    assert files.semantic_text == tmp_path / "gibson/Allensville.scn"
    assert collection_split("gibson/Adrian") == "train"
    assert collection_split("gibson/Allensville") is None  # not rated 4 or better


def test_requests_may_be_mixed(tmp_path: Path, touch: Touch) -> None:
    touch(
        *(f"mp3d/{name}/{name}.glb" for name in ("17DRP5sb8fy", "1LXtFkjw3qL")),
        "gibson/Adrian.glb",
        "gibson/Denmark.glb",
    )
    found = names("mp3d:1LXtFkjw3qL,17DRP5sb8fy,procedural:1,gibson:Denmark,procedural-0007", tmp_path)
    assert found == ["mp3d/1LXtFkjw3qL", "mp3d/17DRP5sb8fy", "procedural-0000", "gibson/Denmark", "procedural-0007"]
    assert names("mp3d/17DRP5sb8fy", tmp_path) == ["mp3d/17DRP5sb8fy"]
    with pytest.raises(UsageError, match="named twice"):
        names("mp3d:17DRP5sb8fy,17DRP5sb8fy", tmp_path)
    with pytest.raises(UsageError, match="nothing follows the colon; expected one of NAME,NAME, train, val, test"):
        names("mp3d:", tmp_path)


@pytest.mark.parametrize("request_", ["mp3d", "mp3d:17DRP5sb8fy", "mp3d/17DRP5sb8fy", "mp3d:val", "hm3d", "gibson:val"])
def test_a_missing_scene_gives_an_error_with_what_to_type(tmp_path: Path, request_: str) -> None:
    with pytest.raises(SceneError) as raised:
        names(request_, tmp_path)
    sentence = str(raised.value)
    assert "\n" not in sentence
    assert str(tmp_path) in sentence
    assert "to get" in sentence
    assert "sign the agreement" in sentence or "API token" in sentence


def test_an_incomplete_split_is_rejected(tmp_path: Path, touch: Touch) -> None:
    val = split_scenes("mp3d", "val")
    touch(*(f"mp3d/{name}/{name}.glb" for name in val[1:]))
    with pytest.raises(SceneError, match=f"1 of the 11 scenes of mp3d:val are not under .*, the first is {val[0]}"):
        names("mp3d:val", tmp_path)
    touch(f"mp3d/{val[0]}/{val[0]}.glb")
    assert names("mp3d:val", tmp_path) == names("mp3d:soundspaces-val", tmp_path) == [f"mp3d/{name}" for name in val]


def test_an_incomplete_scene_is_reported_as_incomplete(tmp_path: Path, touch: Touch) -> None:
    touch("mp3d/17DRP5sb8fy/17DRP5sb8fy.house")
    with pytest.raises(SceneError, match=r"incomplete: .*17DRP5sb8fy.glb is missing.*to get it, sign"):
        scene_files("mp3d/17DRP5sb8fy", tmp_path)
    with pytest.raises(SceneError, match=r"is not in .*which has 1 scenes"):
        scene_files("mp3d/unknown", tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>403 Forbidden</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"glTF\x02\x00\x00\x00\xff\xff\xff\x00\x10\x00\x00\x00JSON{}", "was interrupted"),
    ],
)
def test_a_file_that_is_not_a_mesh_gives_one_sentence(tmp_path: Path, touch: Touch, content: bytes, says: str) -> None:
    touch("gibson/Adrian.glb")
    (tmp_path / "gibson/Adrian.glb").write_bytes(content)
    with pytest.raises(SceneError, match=says) as raised:
        scene_ref("gibson/Adrian", tmp_path).read()
    assert "\n" not in str(raised.value)


def test_a_changed_file_changes_stamp_and_digest(tmp_path: Path, touch: Touch) -> None:
    touch("gibson/Allensville.glb", "gibson/Allensville.scn", "gibson/Allensville_semantic.ply")
    root = tmp_path
    stamps, digests = [], []
    for index, end in enumerate((".glb", ".scn", "_semantic.ply")):
        stamps.append(scene_ref("gibson/Allensville", root).stamp())
        digests.append(scene_digests([scene_ref("gibson/Allensville", root)])["gibson/Allensville"])
        path = tmp_path / f"gibson/Allensville{end}"
        path.write_text("other")
        os.utime(path, ns=(index + 2 * 10**18, index + 2 * 10**18))
    stamps.append(scene_ref("gibson/Allensville", root).stamp())
    digests.append(scene_digests([scene_ref("gibson/Allensville", root)])["gibson/Allensville"])
    assert len(set(stamps)) == len(set(digests)) == 4
    assert scene_ref("procedural-0007").stamp() is None
    assert scene_digests([scene_ref("procedural-0007")]) == {}


def test_a_dataset_configuration_overrides_the_frame(tmp_path: Path, touch: Touch) -> None:
    touch("gibson/Adrian.glb")
    config = {"stages": {"default_attributes": {"up": [0, 1, 0], "front": [0, 0, -1]}}}
    touch("gibson/gibson.scene_dataset_config.json", text=json.dumps(config))
    files = scene_files("gibson/Adrian", tmp_path)
    assert files.stage["up"] == [0, 1, 0]
    assert files.stage_source == str(tmp_path / "gibson/gibson.scene_dataset_config.json")


def test_the_official_splits_of_matterport3d() -> None:
    sizes = {split: len(split_scenes("mp3d", split)) for split in split_names("mp3d")}
    assert sizes == {
        "train": 61, "val": 11, "test": 18,
        "soundspaces": 85, "soundspaces-train": 59, "soundspaces-val": 11, "soundspaces-test": 15,
    }  # fmt: skip
    assert len(set(known_scenes("mp3d"))) == 90
    five = {"dhjEzFoUFzH": "train", "gZ6f7yhEvPG": "train", "2t7WUuJeko7": "test", "RPmz2sHmrrY": "test"}
    five |= {"YVUC4YcDtcY": "test"}
    assert {name: split_of("mp3d", name) for name in not_in_soundspaces("mp3d")} == five
    assert set(without_soundspaces_episodes("mp3d")) <= set(split_scenes("mp3d", "soundspaces"))


def test_other_published_lists() -> None:
    assert [len(split_scenes("gibson", split)) for split in split_names("gibson")] == [72, 14]
    assert not set(split_scenes("gibson", "train")) & set(split_scenes("gibson", "val"))
    assert len(known_scenes("replica")) == 18
    assert split_names("replica") == split_names("hm3d") == ()


def test_the_hint_names_the_download_of_the_split(tmp_path: Path) -> None:
    folder = SceneFolder(tmp_path)
    for split, uid in (("train", "hm3d_train_v0.2"), ("val", "hm3d_val_v0.2"), ("example", "hm3d_example")):
        assert f"--uids {uid} " in folder.how_to_obtain("hm3d", split)
        with pytest.raises(SceneError, match=f"--uids {uid} "):
            resolve_scenes(f"hm3d:{split}", tmp_path)


def test_a_wrong_root_is_diagnosed(tmp_path: Path) -> None:
    scene = tmp_path / "root" / "mp3d" / "17DRP5sb8fy"
    scene.mkdir(parents=True)
    (scene / "17DRP5sb8fy.glb").write_bytes(b"")
    for root, says in (
        (scene / "17DRP5sb8fy.glb", "is a file"),
        (tmp_path / "gone", "gone does not exist"),
        (scene, f"is inside a collection: type --scene-root {tmp_path / 'root'}"),
    ):
        with pytest.raises(SceneError, match=re.escape(says)):
            resolve_scenes("mp3d", root)
    unpacked = tmp_path / "downloads" / "v1" / "tasks" / "mp3d" / "17DRP5sb8fy"
    unpacked.mkdir(parents=True)
    (unpacked / "17DRP5sb8fy.glb").write_bytes(b"")
    assert [scene.scene_id for scene in resolve_scenes("mp3d", tmp_path / "downloads")] == ["mp3d/17DRP5sb8fy"]
