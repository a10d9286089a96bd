"""The paper's preset is the paper's size, and its list of scans trains on no official validation or test scene."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from avw4k.presets import PRESETS, mp3d_scenes, preset_scenes
from avw4k.spec import DatasetSpec, plan
from sim_bridge.errors import SceneError, UsageError
from sim_bridge.scenes.collections import scene_split
from sim_bridge.scenes.splits import split_scenes, without_soundspaces_episodes


def test_76_of_the_scenes_that_soundspaces_navigates_in() -> None:
    scenes = {name.partition("/")[2] for name in mp3d_scenes()}
    assert len(scenes) == 76
    assert scenes <= set(split_scenes("mp3d", "soundspaces")) - set(without_soundspaces_episodes("mp3d"))


def test_no_official_validation_or_test_scene_is_trained_on() -> None:
    scenes = mp3d_scenes()
    assert Counter(scenes.values()) == {"train": 51, "val": 8, "test": 17}
    assert all(scene_split(name) == "train" for name, split in scenes.items() if split == "train")


def test_the_list_is_as_it_was_published() -> None:
    digest = hashlib.sha256(repr(list(mp3d_scenes().items())).encode()).hexdigest()
    assert digest.startswith("3f95696546959a6f")  # datasets say by it which scenes are theirs


def test_scans_come_in_their_official_splits(tmp_path: Path) -> None:
    for name in ("17DRP5sb8fy", "2azQ1b91cZZ", "2t7WUuJeko7"):
        (tmp_path / "mp3d" / name).mkdir(parents=True)
        (tmp_path / "mp3d" / name / f"{name}.glb").write_bytes(b"glTF")
    names, splits = preset_scenes(None, "mp3d", str(tmp_path))
    assert names == ("mp3d/17DRP5sb8fy", "mp3d/2azQ1b91cZZ", "mp3d/2t7WUuJeko7")
    assert splits == ("train", "val", "test")
    # One split alone is drawn from as any scenes are, and so are scenes of which one is in no list.
    assert preset_scenes(None, "mp3d:17DRP5sb8fy", str(tmp_path))[1] == ()
    assert preset_scenes(None, "mp3d,procedural:2", str(tmp_path))[1] == ()


@pytest.mark.parametrize("scenes", ["mp3d", "procedural", None])
def test_avw_4k_is_the_papers_size(scenes: str | None) -> None:
    preset = PRESETS["avw-4k"]
    names, splits = preset_scenes("avw-4k", scenes, None)
    spec = DatasetSpec(
        scenes=names, scene_splits=splits, trajectories=preset.trajectories, steps=preset.steps,
        sources_per_scene=preset.sources_per_scene,
    )  # fmt: skip
    assert (spec.trajectories, spec.total_steps, spec.hours) == (4500, 720_000, 30.0)
    shards = plan(spec)
    assert Counter({shard.scene: shard.split for shard in shards}.values()) == {"train": 51, "val": 8, "test": 17}
    episodes = [episode for shard in shards for episode in shard.episodes]
    assert {episode.source for episode in episodes} == {0}
    assert len({(episode.scene, episode.source_seed) for episode in episodes}) == 76
    assert max(Counter(episode.mode for episode in episodes).values()) == 1500


def test_presets_without_a_list_say_so() -> None:
    with pytest.raises(UsageError, match="--preset avw-4k --scenes mp3d"):
        preset_scenes("demo", "mp3d", None)
    with pytest.raises(SceneError, match="no scene of mp3d is under"):
        preset_scenes(None, "mp3d", "/nowhere")
    assert len(preset_scenes("demo", "procedural", None)[0]) == 18
    assert preset_scenes("avw-4k", "procedural:3", None) == (tuple(f"procedural-000{i}" for i in range(3)), ())
