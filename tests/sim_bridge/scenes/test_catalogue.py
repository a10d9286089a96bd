"""The text of `--scenes`, and the scenes that it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from avw.sim_bridge.errors import SceneError, UsageError
from avw.sim_bridge.scenes.catalogue import load_scene, resolve_scenes, scene_sha256
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from tests.sim_bridge.boxes import box_scene, flat


def names(text: str | Sequence[str], root: Path | None = None) -> list[str]:
    return [scene.scene_id for scene in resolve_scenes(text, root)]


def test_generated_houses() -> None:
    assert names("procedural:3") == ["procedural-0000", "procedural-0001", "procedural-0002"]
    assert names("procedural:40-42") == ["procedural-0040", "procedural-0041", "procedural-0042"]
    assert names("procedural:12345-12345") == ["procedural-12345"]
    assert names("procedural-0007, procedural:2") == ["procedural-0007", "procedural-0000", "procedural-0001"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty scene name"),
        ("procedural:", "expected procedural:N"),
        ("procedural:x", "expected procedural:N"),
        ("procedural:0", "stands for no house"),
        ("procedural:9-3", "stands for no house"),
        ("procedural:-4", "expected procedural:N"),
        ("procedural:999999999", "more than"),
        ("procedural:3,procedural-0001", "named twice"),
        ("mp3d", "no scene of mp3d is under"),
        ("mp3d:val", "11 of the 11 scenes of mp3d:val are not under"),
        ("replica", "Replica-Dataset/download.sh"),
        ("no/such/scene.glb", "was not found, neither here"),
    ],
)
def test_texts_that_stand_for_no_scene(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        names(text)


def test_files_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = box_scene(*flat())
    for name in ("b.glb", "a.glb"):
        export_glb(scene, tmp_path / name)
    (tmp_path / "notes.txt").write_text("no mesh")
    assert names(str(tmp_path)) == [str(tmp_path / "a.glb"), str(tmp_path / "b.glb")]
    assert names("a.glb", root=tmp_path) == [str(tmp_path / "a.glb")]
    monkeypatch.setenv("AVW_SCENES", str(tmp_path))
    assert names("b.glb") == [str(tmp_path / "b.glb")]
    assert load_scene("b.glb").scene_id == str(tmp_path / "b.glb")
    with pytest.raises(SceneError, match="2 scenes"):
        load_scene(str(tmp_path))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SceneError, match="contains no scene"):
        names(str(empty))


def test_load_generated() -> None:
    scene = load_scene("procedural-0005")
    assert scene.scene_id == "procedural-0005"


def test_the_hash_depends_on_every_part_of_a_scene() -> None:
    scene = box_scene(*flat())
    surface = scene.surfaces[0]
    changed = [
        replace(scene, vertices_V3=scene.vertices_V3 + 1),
        replace(scene, uv_F32=scene.uv_F32 + 1),
        replace(scene, faces_F3=scene.faces_F3[::-1]),
        replace(scene, surfaces=(replace(surface, texture_HWC=surface.texture_HWC + 1),)),
        replace(scene, surfaces=(replace(surface, emission=0.5),)),
        replace(scene, surfaces=(replace(surface, category="wall"),)),
        replace(scene, object_F=np.zeros(len(scene.faces_F3), dtype=np.int32)),
        replace(scene, surfaces=(replace(surface, material=replace(surface.material, absorption_6=(0.1,) * 6)),)),
        replace(scene, lights=()),
    ]
    hashes = {scene_sha256(s) for s in (scene, *changed)}
    assert len(hashes) == 1 + len(changed)
    assert scene_sha256(replace(scene, scene_id="another name")) == scene_sha256(scene)


def test_similar_scenes_are_proposed(tmp_path: Path) -> None:
    (tmp_path / "kitchen.glb").write_bytes(b"")
    with pytest.raises(SceneError, match=r"Did you mean '.*kitchen\.glb'\?"):
        resolve_scenes(str(tmp_path / "kichen.glb"))
    with pytest.raises(SceneError, match="Did you mean 'procedural'"):
        resolve_scenes("procedual:3")
    with pytest.raises(SceneError, match="Expected procedural:N"):
        resolve_scenes(str(tmp_path / "xyz"))
