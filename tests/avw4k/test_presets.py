"""The paper's preset is the paper's size, and its list of scans trains on no official validation or test scene."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from avw4k.presets import MP3D_LIST, PRESETS, mp3d_scenes, preset_scenes
from avw4k.spec import DatasetSpec, plan
from sim_bridge.errors import UsageError

LISTED = json.loads(MP3D_LIST.read_text())
OFFICIAL = {
    scene: split
    for lines in (LISTED["train"], LISTED["val"], LISTED["test"], *LISTED["left_out"].values())
    for scene, split in (line.split() for line in lines)
}


def test_all_90_scans_are_accounted_for_with_the_official_counts() -> None:
    assert Counter(OFFICIAL.values()) == {"train": 61, "val": 11, "test": 18}
    not_in_soundspaces = {line.split()[0] for line in LISTED["left_out"]["not in SoundSpaces"]}
    soundspaces = Counter(split for scene, split in OFFICIAL.items() if scene not in not_in_soundspaces)
    assert soundspaces == {"train": 59, "val": 11, "test": 15}
    assert not not_in_soundspaces & {name.partition("/")[2] for name in mp3d_scenes()}


def test_no_official_validation_or_test_scene_is_trained_on() -> None:
    scenes = mp3d_scenes()
    assert Counter(scenes.values()) == {"train": 51, "val": 8, "test": 17}
    assert all(OFFICIAL[name.partition("/")[2]] == "train" for name, split in scenes.items() if split == "train")


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
    with pytest.raises(UsageError, match="Habitat bridge"):
        preset_scenes(None, "mp3d", None)
    assert len(preset_scenes("demo", "procedural", None)[0]) == 18
    assert preset_scenes("avw-4k", "procedural:3", None) == (tuple(f"procedural-000{i}" for i in range(3)), ())
