"""Our datasets in the hands of others: mlcroissant reads the metadata, robomimic's own loader reads the shards."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers Blosc2
import numpy as np
import pytest

from avw.avw4k.reading.dataset import open_dataset


def test_every_file_is_named_with_its_size_and_hash(reference: Path):
    metadata = json.loads((reference / "croissant.json").read_text())
    files = {file["name"]: file for file in metadata["distribution"]}
    assert set(files) == {"info.json", "episodes.parquet"} | set(open_dataset(reference).records)
    for name, file in files.items():
        content = (reference / name).read_bytes()
        assert file["contentSize"] == f"{len(content)} B"
        assert file["sha256"] == hashlib.sha256(content).hexdigest()


def test_mlcroissant_finds_no_fault_and_reads_the_records(reference: Path, copy: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
        dataset = mlcroissant.Dataset(str(reference / "croissant.json"))
        assert not dataset.metadata.ctx.issues.errors
        found = {record["episodes/index"]: record for record in dataset.records("episodes")}
    refs = open_dataset(reference).episodes()
    assert set(found) == {ref.index for ref in refs}
    for ref in refs:
        record = found[ref.index]
        assert record["episodes/shard"].decode() == ref.shard
        assert (record["episodes/demo"], record["episodes/mode"].decode()) == (ref.demo, ref.mode)
        assert record["episodes/success"] == (ref.mode == "approach")


def test_the_card_names_the_table_for_datasets(reference: Path):
    front = (reference / "README.md").read_text().split("---\n")[1]
    assert (
        "configs:\n- config_name: episodes\n  data_files:\n  - split: episodes\n    path: episodes.parquet\n" in front
    )


def test_datasets_loads_the_table(reference: Path, tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        datasets = pytest.importorskip("datasets", reason="datasets is not installed")
        table = datasets.load_dataset(str(reference), split="episodes", cache_dir=str(tmp_path))
    assert table["index"] == [ref.index for ref in open_dataset(reference).episodes()]


def test_the_tree_is_robomimics(reference: Path):
    """What its readers rely on: attributes, names, and one row of every array for each of num_samples."""
    dataset = open_dataset(reference)
    for shard in dataset.records:
        with h5py.File(reference / shard) as file:
            environment = json.loads(file["data"].attrs["env_args"])
            assert set(environment) == {"env_name", "type", "env_kwargs"}
            demos = [demo for demo in file["data"] if demo.startswith("demo_")]
            assert demos == [f"demo_{i}" for i in range(len(demos))]
            assert file["data"].attrs["total"] == sum(file["data"][demo].attrs["num_samples"] for demo in demos)
            for demo in demos:
                rows = file["data"][demo].attrs["num_samples"]
                assert all(len(file["data"][demo][name]) == rows for name in ("actions", "rewards", "dones"))
                assert all(len(array) == rows for array in file["data"][demo]["obs"].values())


def test_robomimics_own_loader_reads_a_shard(reference: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaders = pytest.importorskip("robomimic.utils.dataset", reason="robomimic is not installed")
        shard = reference / "train-00000.h5"
        sequences = loaders.SequenceDataset(
            str(shard), obs_keys=("rgb", "audio"), dataset_keys=("actions", "rewards", "dones"), frame_stack=1,
            seq_length=4, load_next_obs=False, hdf5_use_swmr=False,
        )  # fmt: skip
        item = sequences[3]
        sequences.close_and_delete_hdf5_handle()
    dataset = open_dataset(reference)
    rows = dataset.read(dataset.episodes("train")[0], ["rgb", "audio", "actions", "rewards"])
    assert len(sequences) == 12
    np.testing.assert_array_equal(item["obs"]["rgb"], rows["rgb"][3:7])
    np.testing.assert_array_equal(item["obs"]["audio"], rows["audio"][3:7])
    np.testing.assert_array_equal(item["actions"], rows["actions"][3:7])
    np.testing.assert_array_equal(item["rewards"], rows["rewards"][3:7])
