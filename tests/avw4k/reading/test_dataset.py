"""Readers: lazy, picklable, forkable; and whatever is wrong is an error that says what to type."""

from __future__ import annotations

import json
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest

from avw.avw4k.plan.spec import MODES, SPLITS, DatasetSpec
from avw.avw4k.reading.dataset import Dataset, EpisodeRef, open_dataset
from avw.avw4k.shards.shard import FEATURES
from avw.sim_bridge.errors import DatasetError, UsageError


def test_every_episode_is_there_once_and_in_its_split(reference: Path, spec: DatasetSpec) -> None:
    dataset = open_dataset(reference)
    refs = dataset.episodes()
    assert dataset.complete
    assert sorted(ref.index for ref in refs) == list(range(6))
    assert {ref.mode for ref in refs} == set(MODES)
    for split in SPLITS:
        assert [ref for ref in refs if ref.split == split] == dataset.episodes(split)
        assert {ref.scene for ref in dataset.episodes(split)} == set(dataset.info["splits"][split])
    assert dataset.spec == spec
    with pytest.raises(UsageError, match="unknown split 'dev'"):
        dataset.episodes("dev")


def test_arrays_include_the_final_observation(reference: Path) -> None:
    dataset = open_dataset(reference)
    ref = dataset.episodes()[0]
    rows = dataset.read(ref)
    assert set(rows) == set(FEATURES)
    assert {name: len(array) for name, array in rows.items()} == {name: 12 + f.extra for name, f in FEATURES.items()}
    part = dataset.read(ref, ["rgb", "rewards"], 10, 13)
    np.testing.assert_array_equal(part["rgb"], rows["rgb"][10:13])
    np.testing.assert_array_equal(part["rewards"], rows["rewards"][10:12])
    assert dataset.audio_scale == pytest.approx(dataset.spec.audio_full_scale / 32767)
    assert dataset.source(ref).sound == "ring"


def test_info_says_how_to_read_the_files(reference: Path) -> None:
    import h5py

    info = json.loads((reference / "info.json").read_text())
    with h5py.File(reference / "train-00000.h5") as file:
        for name, feature in info["features"].items():
            array = file[feature["path"].replace("<i>", "0")]
            assert str(array.dtype) == feature["dtype"], name
            rows = 13 if feature["shape"][0] == "T + 1" else 12
            assert array.shape == (rows, *feature["shape"][1:]), name
    assert info["licences"]["restricted"] is True  # a mesh file's terms are not known
    assert info["reproducible"] is True


def test_the_episode_table_and_the_card_agree_with_the_data(reference: Path) -> None:
    import pyarrow.parquet as pq

    dataset = open_dataset(reference)
    table = pq.read_table(reference / "episodes.parquet").to_pylist()
    assert [row["index"] for row in table] == list(range(6))
    for ref in dataset.episodes():
        row = table[ref.index]
        assert (row["shard"], row["demo"], row["mode"]) == (ref.shard, ref.demo, ref.mode)
        rewards = dataset.read(ref, ["rewards"])["rewards"]
        assert row["return"] == pytest.approx(float(rewards.sum()), abs=1e-3)
        assert row["success"] == (ref.mode == "approach")
    croissant = json.loads((reference / "croissant.json").read_text())
    files = {f["name"]: f["sha256"] for f in croissant["distribution"]}
    assert {name: files[name] for name in dataset.records} == {
        name: record.sha256 for name, record in dataset.records.items()
    }
    assert "| train | 1 | 2 |" in (reference / "README.md").read_text()


def test_a_pickled_dataset_reads_again(reference: Path) -> None:
    dataset = open_dataset(reference)
    ref = dataset.episodes()[0]
    before = dataset.read(ref, ["rgb"])["rgb"]
    again: Dataset = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again.read(ref, ["rgb"])["rgb"], before)
    dataset.close()
    np.testing.assert_array_equal(dataset.read(ref, ["rgb"])["rgb"], before)


def test_spawned_readers_agree(reference: Path) -> None:
    dataset = open_dataset(reference)
    refs = dataset.episodes()
    here = [_sum(dataset, ref) for ref in refs]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.starmap(_sum, [(dataset, ref) for ref in refs]) == here


def _sum(dataset: Dataset, ref: EpisodeRef) -> int:
    return int(dataset.read(ref, ["rgb"])["rgb"].sum(dtype=np.int64))


def test_what_is_not_committed_is_not_there(copy: Path) -> None:
    lines = (copy / "manifest.jsonl").read_text().splitlines(keepends=True)
    (copy / "manifest.jsonl").write_text("".join(lines[:2]))
    dataset = open_dataset(copy)
    assert not dataset.complete
    assert len(dataset.episodes()) == 2


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-7]), "truncated or damaged|were committed"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "were committed"),
        (lambda path: path.write_bytes(b"no HDF5 at all"), "truncated or damaged"),
        (lambda path: path.unlink(), "is missing; type: avw verify"),
    ],
)
def test_a_damaged_shard_is_named(copy: Path, damage: object, says: str) -> None:
    dataset = open_dataset(copy)
    ref = dataset.episodes()[0]
    damage(copy / ref.shard)  # type: ignore[operator]
    with pytest.raises(DatasetError, match=says):
        dataset.read(ref)


def test_a_shard_in_anothers_place_is_refused(copy: Path) -> None:
    dataset = open_dataset(copy)
    one, two = dataset.episodes()[:2]
    content = (copy / two.shard).read_bytes()
    (copy / one.shard).write_bytes(content.ljust(dataset.records[one.shard].bytes, b"\0"))
    with pytest.raises(DatasetError):
        dataset.read(one)


def test_folders_without_a_dataset_say_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no info.json there\); type: avw generate"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda info: info.pop("spec"), "cannot be understood"),
        (lambda info: info["spec"].update(seed=1), "does not match its own SHA-256"),
        (lambda info: info.update(schema_version=99), "schema version 99"),
        (lambda info: info.update(audio_scale=0), "does not match"),
        (lambda info: info.pop("audio_scale"), "cannot be understood"),
    ],
)
def test_an_altered_info_is_refused(copy: Path, change: object, says: str) -> None:
    info = json.loads((copy / "info.json").read_text())
    change(info)  # type: ignore[operator]
    (copy / "info.json").write_text(json.dumps(info))
    with pytest.raises(DatasetError, match=says):
        open_dataset(copy)


def test_an_empty_info_is_refused(copy: Path) -> None:
    (copy / "info.json").write_text("")
    with pytest.raises(DatasetError, match="cannot be understood"):
        open_dataset(copy)
