"""Specs are hashed data, and the plan that follows from one covers every trajectory once."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avw.avw4k.plan.motion import MotionConfig
from avw.avw4k.plan.spec import BEFORE, MODES, SPLITS, DatasetSpec, json_sha256, plan, split_scenes
from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import TaskConfig


def houses(count: int, **fields: Any) -> DatasetSpec:
    return DatasetSpec(scenes=tuple(f"procedural-{i:04d}" for i in range(count)), **fields)


specs = st.builds(
    houses,
    st.integers(1, 30),
    trajectories=st.integers(1, 200),
    steps=st.integers(1, 500),
    seed=st.integers(0, 2**40),
    sources_per_scene=st.integers(1, 9),
    episodes_per_shard=st.integers(1, 20),
    sounds=st.sampled_from([("ring",), ("ring", "a.wav")]),
)


@given(specs)
def test_a_spec_is_the_same_after_json(spec: DatasetSpec) -> None:
    again = DatasetSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.sha256 == spec.sha256


@given(specs)
@settings(max_examples=60)
def test_the_plan_covers_every_trajectory_once(spec: DatasetSpec) -> None:
    shards = plan(spec)
    episodes = [episode for shard in shards for episode in shard.episodes]
    assert sorted(episode.index for episode in episodes) == list(range(spec.trajectories))
    assert len({shard.name for shard in shards}) == len(shards)
    splits = split_scenes(spec)
    for shard in shards:
        assert 1 <= len(shard.episodes) <= spec.episodes_per_shard
        assert shard.name.startswith(shard.split + "-")
        assert {episode.scene for episode in shard.episodes} == {shard.scene}
        assert splits[shard.scene] == shard.split
    counts = Counter(episode.scene for episode in episodes)
    assert max(counts.values()) - min(counts.get(scene, 0) for scene in spec.scenes) <= 1
    assert all(0 <= episode.source < spec.sources_per_scene for episode in episodes)
    assert plan(spec) == shards


@pytest.mark.parametrize(
    ("scenes", "sizes"),
    [
        (1, (1, 0, 0)),
        (2, (1, 0, 1)),
        (3, (1, 1, 1)),
        (4, (2, 1, 1)),
        (9, (6, 1, 2)),
        (12, (8, 1, 3)),
        (76, (51, 8, 17)),
    ],
)
def test_splits_follow_the_shares(scenes: int, sizes: tuple[int, int, int]) -> None:
    counts = Counter(split_scenes(houses(scenes)).values())
    assert tuple(counts[split] for split in SPLITS) == sizes


@given(st.integers(1, 40), st.tuples(*[st.floats(0, 10)] * 3).filter(lambda shares: sum(shares) > 0.1))
def test_any_shares_split_any_scenes(scenes: int, shares: tuple[float, float, float]) -> None:
    assert len(split_scenes(houses(scenes, split_shares=shares))) == scenes


def test_few_episodes_per_scene_still_have_every_mode() -> None:
    modes = Counter(episode.mode for shard in plan(houses(4, trajectories=12)) for episode in shard.episodes)
    assert modes == dict.fromkeys(MODES, 4)


def test_modes_follow_their_shares() -> None:
    episodes = plan(houses(1, trajectories=100, mode_shares=(2, 0, 3), episodes_per_shard=100))[0].episodes
    modes = Counter(episode.mode for episode in episodes)
    assert modes == {"approach": 40, "unrelated": 60}


def test_episodes_share_the_seed_of_their_source_and_have_one_of_their_own() -> None:
    episodes = [e for shard in plan(houses(2, trajectories=12, sources_per_scene=2)) for e in shard.episodes]
    assert len({episode.seed for episode in episodes}) == 12
    sources = {(episode.scene, episode.source): episode.source_seed for episode in episodes}
    assert len(set(sources.values())) == len(sources) == 4
    assert all(sources[episode.scene, episode.source] == episode.source_seed for episode in episodes)


def test_every_field_changes_the_hash_except_the_paths_of_scans() -> None:
    spec = houses(3)
    other: dict[str, Any] = {
        "scenes": ("procedural-0007",), "trajectories": 5, "steps": 7, "seed": 1, "sources_per_scene": 2,
        "sounds": ("a.wav",), "mode_shares": (1, 0, 0), "split_shares": (1, 0, 0), "episodes_per_shard": 2,
        "compression": "gzip", "audio_full_scale": 3.0, "simulator": SimulatorConfig(size=64),
        "task": TaskConfig(slack=0.0), "motion": dataclasses.replace(spec.motion, look_rate=0.5),
        "assets": (("a.wav", "00"),), "scene_splits": ("val", "train", "test"), "sounds_by": "turn",
    }  # fmt: skip
    assert set(other) == {field.name for field in dataclasses.fields(DatasetSpec) if field.init}
    changed = [dataclasses.replace(spec, **{name: value}) for name, value in other.items()]
    assert len({spec.sha256, *(c.sha256 for c in changed)}) == len(other) + 1
    for name, value in other.items():
        lines = spec.differences(dataclasses.replace(spec, **{name: value}))
        assert lines
        assert all(line.startswith(name) for line in lines)
    elsewhere = dataclasses.replace(spec, simulator=SimulatorConfig(habitat_python="/somewhere"))
    assert elsewhere.sha256 == spec.sha256


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": 0}, "--steps is 0"),
        ({"steps": 501}, "at most 500 steps"),
        ({"trajectories": -1}, "--trajectories is -1"),
        ({"sources_per_scene": 0}, "--sources-per-scene is 0"),
        ({"episodes_per_shard": 0}, "--episodes-per-shard is 0"),
        ({"scenes": ()}, "at least one scene"),
        ({"scenes": ("a", "a")}, "named twice: a"),
        ({"sounds": ()}, "at least one sound"),
        ({"compression": "zip"}, "unknown compression"),
        ({"sounds_by": "ear"}, "unknown sounds_by"),
        ({"scene_splits": ("train",)}, "for each of 2 scenes"),
        ({"scene_splits": ("train", "dev")}, "for each of 2 scenes"),
        ({"mode_shares": (1, 1)}, "mode_shares"),
        ({"split_shares": (0, 0, 0)}, "split_shares"),
        ({"simulator": SimulatorConfig(backend="dream")}, "unknown backend"),
        ({"simulator": SimulatorConfig(size=0)}, "images of 0 pixels: expected a whole number of at least 1"),
        ({"simulator": SimulatorConfig(size=33.5)}, r"images of 33.5 pixels"),  # type: ignore[arg-type]
        ({"simulator": SimulatorConfig(hfov=360.0)}, "a field of view of 360 degrees: expected 1 to 170"),
        ({"simulator": SimulatorConfig(hfov=math.nan)}, "a field of view of nan degrees"),
        ({"simulator": SimulatorConfig(acoustics="dream")}, "unknown acoustics"),
        ({"simulator": SimulatorConfig(stream="dream")}, "unknown stream"),
    ],
)
def test_specs_that_are_not_valid_are_refused_with_a_reason(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        dataclasses.replace(houses(2), **fields)


@pytest.mark.parametrize(
    "values",
    [None, 3, [], {}, {"scenes": 3}, houses(1).to_json() | {"steps": "many"}, houses(1).to_json() | {"new": 1},
     houses(1).to_json() | {"task": {"max": 1}}, houses(1).to_json() | {"assets": [1]}],
)  # fmt: skip
def test_altered_specs_are_refused(values: Any) -> None:
    with pytest.raises(DatasetError, match="cannot be understood"):
        DatasetSpec.from_json(values)


def test_given_splits_are_kept() -> None:
    spec = houses(4, scene_splits=("test", "train", "val", "train"))
    assert list(split_scenes(spec).values()) == ["test", "train", "val", "train"]
    assert {shard.scene: shard.split for shard in plan(spec)} == split_scenes(spec)


def test_the_sound_of_a_scene_does_not_depend_on_the_other_scenes() -> None:
    sounds = tuple(f"{n}.wav" for n in range(5))
    played = {e.scene: e.sound for shard in plan(houses(40, trajectories=40, sounds=sounds)) for e in shard.episodes}
    assert set(played.values()) == set(sounds)
    fewer = plan(houses(7, trajectories=21, sounds=sounds, sources_per_scene=3))
    assert all(played[e.scene] == e.sound for shard in fewer for e in shard.episodes)


def test_a_spec_keeps_its_hash_when_fields_are_added_later() -> None:
    """A spec of an older AVW, without the newer fields, is read with their old values and keeps its SHA-256."""
    stored = houses(3, sounds=("ring", "a.wav")).to_json()
    for name in ("scene_splits", "sounds_by"):
        del stored[name]
    del stored["motion"]["slip_rate"], stored["simulator"]["hfov"]
    spec = DatasetSpec.from_json(stored)
    assert spec.sha256 == json_sha256(stored) != houses(3).sha256
    assert (spec.sounds_by, spec.motion.slip_rate, spec.simulator.hfov) == ("turn", 0.0, 90.0)
    assert (
        dataclasses.replace(spec, seed=5).sha256
        == DatasetSpec.from_json(dataclasses.replace(spec, seed=5).to_json()).sha256
    )


def test_the_stream_is_stored_only_if_it_is_chosen() -> None:
    spec = houses(3)
    assert "stream" not in spec.to_json()["simulator"]
    chosen = dataclasses.replace(spec, simulator=SimulatorConfig(stream="soundspaces"))
    assert chosen.sha256 != spec.sha256
    assert DatasetSpec.from_json(chosen.to_json()) == chosen
    assert DatasetSpec.from_json(spec.to_json()).simulator.stream == "glide"
    assert spec.differences(chosen) == ['simulator.stream: None stored, "soundspaces" requested']


def test_old_values_are_of_existing_fields() -> None:
    for part, kind in (("", DatasetSpec), ("motion", MotionConfig)):
        assert set(BEFORE[part]) <= {field.name for field in dataclasses.fields(kind)}
