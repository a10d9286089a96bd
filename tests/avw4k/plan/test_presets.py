"""The preset of the paper has its size, and trains on no official validation or test scene."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from avw.avw4k.plan.presets import PRESETS, mp3d_scenes, preset_scenes
from avw.avw4k.plan.spec import DatasetSpec, plan
from avw.avw4k.writing.card import licences
from avw.avw4k.writing.generate_dataset import plan_dataset
from avw.sim_bridge.errors import SceneError, UsageError
from avw.sim_bridge.scenes.collections.collections import collection_split
from avw.sim_bridge.scenes.collections.splits import split_scenes, without_soundspaces_episodes
from tests import ROOT


def test_the_list_has_76_scenes_with_soundspaces_episodes() -> None:
    scenes = {name.partition("/")[2] for name in mp3d_scenes()}
    assert len(scenes) == 76
    assert scenes <= set(split_scenes("mp3d", "soundspaces")) - set(without_soundspaces_episodes("mp3d"))


def test_no_official_validation_or_test_scene_is_used_for_training() -> None:
    scenes = mp3d_scenes()
    assert Counter(scenes.values()) == {"train": 51, "val": 8, "test": 17}
    assert all(collection_split(name) == "train" for name, split in scenes.items() if split == "train")


def test_the_list_has_not_changed() -> None:
    digest = hashlib.sha256(repr(list(mp3d_scenes().items())).encode()).hexdigest()
    assert digest.startswith("3f95696546959a6f")  # the scenes of existing datasets follow from it


def test_scans_keep_their_official_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("17DRP5sb8fy", "2azQ1b91cZZ", "2t7WUuJeko7"):
        (tmp_path / "mp3d" / name).mkdir(parents=True)
        (tmp_path / "mp3d" / name / f"{name}.glb").write_bytes(b"glTF")
    monkeypatch.setenv("AVW_SCENES", str(tmp_path))
    scenes, splits = preset_scenes(None, ("mp3d",))
    assert tuple(scene.scene_id for scene in scenes) == ("mp3d/17DRP5sb8fy", "mp3d/2azQ1b91cZZ", "mp3d/2t7WUuJeko7")
    assert splits == ("train", "val", "test")
    # The splits are drawn if all scenes are of one official split, or if one is in no list.
    assert preset_scenes(None, ("mp3d:17DRP5sb8fy",))[1] == ()
    assert preset_scenes(None, ("mp3d", "procedural:2"))[1] == ()


@pytest.mark.parametrize("scenes", [("mp3d",), ("procedural",), ()])
def test_avw_4k_has_the_size_of_the_paper(scenes: tuple[str, ...]) -> None:
    preset = PRESETS["avw-4k"]
    found, splits = preset_scenes("avw-4k", scenes)
    spec = DatasetSpec(
        scenes=tuple(scene.scene_id for scene in found), scene_splits=splits,
        trajectories=preset.trajectories, steps=preset.steps,
        sources_per_scene=preset.sources_per_scene,
    )  # fmt: skip
    assert (spec.trajectories, spec.total_steps, spec.hours) == (4500, 720_000, 30.0)
    shards = plan(spec)
    assert Counter({shard.scene: shard.split for shard in shards}.values()) == {"train": 51, "val": 8, "test": 17}
    episodes = [episode for shard in shards for episode in shard.episodes]
    assert {episode.source for episode in episodes} == {0}
    assert len({(episode.scene, episode.source_seed) for episode in episodes}) == 76
    assert max(Counter(episode.mode for episode in episodes).values()) == 1500


def test_rooms_v1_has_not_changed() -> None:
    spec, scenes = plan_dataset(preset="rooms-v1")
    # Results in docs/benchmark.md are comparable only on exactly this dataset.
    assert spec.sha256 == "65770edbe7ebd14ac570b7480d9d2fdcf66077baf7b3bcc89f73c82b53025da7"
    assert [scene.scene_id for scene in scenes] == [f"procedural-{seed}" for seed in range(3000, 3080)]
    split_of = {shard.scene: shard.split for shard in plan(spec)}
    assert Counter(split_of.values()) == {"train": 53, "val": 9, "test": 18}
    assert spec.sha256 in (ROOT / "docs" / "benchmark.md").read_text(encoding="utf-8")


def test_presets_without_a_list_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--preset avw-4k --scenes mp3d"):
        preset_scenes("demo", ("mp3d",))
    monkeypatch.setenv("AVW_SCENES", "/nowhere")
    with pytest.raises(SceneError, match="no scene of mp3d is under"):
        preset_scenes(None, ("mp3d",))
    assert len(preset_scenes("demo", ("procedural",))[0]) == 18
    scenes, splits = preset_scenes("avw-4k", ("procedural:3",))
    assert [scene.scene_id for scene in scenes] == [f"procedural-000{i}" for i in range(3)]
    assert splits == ()


def test_data_from_scans_name_the_terms_of_the_scans() -> None:
    def scenes(*names: str) -> dict[str, Any]:
        return licences(DatasetSpec(scenes=names, trajectories=len(names), steps=5))

    assert scenes("procedural-0001") == scenes("procedural-0002")
    assert scenes("procedural-0001")["restricted"] is False
    for name, words in (
        ("mp3d/17DRP5sb8fy", "Matterport3D Terms of Use"),
        ("hm3d/00800-TEEsavR23oF", "Academic Use of Model Data"),
        ("replica/apartment_0", "Replica Dataset Research Terms"),
        ("gibson/Adrian", "Gibson's License Agreement"),
        ("flat.glb", "look it up"),
    ):
        terms = scenes("procedural-0001", name)
        assert words in terms["scenes"]
        assert "generated by AVW" in terms["scenes"]
        assert terms["restricted"] is True
