"""Shards: equal content gives equal bytes, reading returns what was written, and damage is never read as data."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avw.avw4k.plan.episode import Episode, run_episode
from avw.avw4k.plan.spec import COMPRESSIONS, DatasetSpec, ShardSpec, plan
from avw.avw4k.reading.checks import check_shard
from avw.avw4k.shards.shard import FEATURES, OBSERVED, open_shard, read_demo, shard_bytes
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.simulators.protocol import Simulator

STEPS, SIZE = 12, 32


@pytest.fixture(scope="module")
def shard(spec: DatasetSpec, simulator: Simulator) -> ShardSpec:
    return next(shard for shard in plan(spec) if shard.scene == simulator.scene_id)


@pytest.fixture(scope="module")
def episode(spec: DatasetSpec, shard: ShardSpec, simulator: Simulator) -> Episode:
    return run_episode(simulator, spec, shard.episodes[0])


@pytest.fixture(scope="module")
def image(spec: DatasetSpec, shard: ShardSpec, episode: Episode) -> bytes:
    return shard_bytes(spec, shard, [episode])


@pytest.fixture(scope="module")
def stored(image: bytes, tmp_path_factory: pytest.TempPathFactory) -> h5py.File:
    path = tmp_path_factory.mktemp("shard") / "x.h5"
    path.write_bytes(image)
    with open_shard(path) as file:
        yield file


def test_equal_episodes_give_equal_bytes(spec: DatasetSpec, shard: ShardSpec, episode: Episode, image: bytes) -> None:
    time.sleep(1.1)  # HDF5 can store the time of day, in seconds
    assert shard_bytes(spec, shard, [episode]) == image


@pytest.mark.parametrize("threads", ["1", "2", "7"])
def test_thread_settings_change_no_byte(
    spec: DatasetSpec, shard: ShardSpec, episode: Episode, image: bytes, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOSC_NTHREADS", threads)
    assert shard_bytes(spec, shard, [episode]) == image
    monkeypatch.delenv("BLOSC_NTHREADS")
    assert shard_bytes(spec, shard, [episode]) == image


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_compression_reads_back_and_passes_the_check(
    compression: str, spec: DatasetSpec, shard: ShardSpec, episode: Episode, tmp_path: Path
) -> None:
    spec = dataclasses.replace(spec, compression=compression)
    path = tmp_path / shard.name
    path.write_bytes(shard_bytes(spec, shard, [episode]))
    record = check_shard(path, spec, shard)
    assert record.steps == STEPS
    assert record.bytes == path.stat().st_size
    with open_shard(path) as file:
        assert file["data/demo_0/obs/rgb"].fletcher32
        for name, array in read_demo(file, 0, FEATURES, steps=STEPS, size=SIZE).items():
            np.testing.assert_array_equal(array, getattr(episode, name))


@given(st.integers(-20, 20), st.one_of(st.none(), st.integers(-20, 20)), st.sampled_from(sorted(FEATURES)))
@settings(max_examples=150, deadline=None)
def test_slices_are_those_of_numpy(
    stored: h5py.File, episode: Episode, start: int, stop: int | None, name: str
) -> None:
    rows = read_demo(stored, 0, [name], steps=STEPS, size=SIZE, start=start, stop=stop)[name]
    expected = getattr(episode, name)[start:stop]
    assert rows.dtype == expected.dtype
    np.testing.assert_array_equal(rows, expected)


def test_the_tree_is_that_of_robomimic(stored: h5py.File, spec: DatasetSpec) -> None:
    demo = stored["data/demo_0"]
    assert set(demo) == {"actions", "rewards", "dones", "collided", "obs", "state", "final_obs"}
    assert demo.attrs["num_samples"] == STEPS
    assert demo.attrs["spec_sha256"] == spec.sha256
    assert all(len(demo[f"obs/{name}"]) == STEPS and len(demo[f"final_obs/{name}"]) == 1 for name in OBSERVED)


def test_unknown_keys_and_demos_are_refused(stored: h5py.File) -> None:
    with pytest.raises(DatasetError, match="unknown key 'smell'"):
        read_demo(stored, 0, ["smell"], steps=STEPS, size=SIZE)
    with pytest.raises(DatasetError, match="demo_9: cannot be read"):
        read_demo(stored, 9, ["rgb"], steps=STEPS, size=SIZE)


def test_any_truncation_is_found(spec: DatasetSpec, shard: ShardSpec, image: bytes, tmp_path: Path) -> None:
    path = tmp_path / shard.name
    for length in sorted({0, 1, 100, len(image) - 1, *keyed_rng("cut").integers(0, len(image), 12).tolist()}):
        path.write_bytes(image[:length])
        with pytest.raises(DatasetError, match=shard.name):
            check_shard(path, spec, shard)


@pytest.mark.parametrize(
    ("column", "added", "claim"),
    [
        (0, 13.0, "counterfactual poses are within 6 m of the agent"),
        (1, 2.0, "counterfactual poses are within 1.5 m of the agent's height"),
        (3, 0.05, "counterfactual poses are turned by multiples of 10 degrees"),
        (4, -30.0, "counterfactual distances are at least those of a straight line"),
        (4, np.nan, "counterfactual holds a number that is not finite"),
    ],
)
def test_wrong_counterfactuals_are_found(
    spec: DatasetSpec, shard: ShardSpec, episode: Episode, tmp_path: Path, column: int, added: float, claim: str
) -> None:
    poses_TN5 = episode.counterfactual.copy()
    poses_TN5[3, 5, column] += added
    path = tmp_path / shard.name
    path.write_bytes(shard_bytes(spec, shard, [dataclasses.replace(episode, counterfactual=poses_TN5)]))
    with pytest.raises(DatasetError, match=claim):
        check_shard(path, spec, shard)


def test_flipped_bits_never_give_a_wrong_array(
    spec: DatasetSpec, shard: ShardSpec, image: bytes, episode: Episode, tmp_path: Path
) -> None:
    """Reading either raises DatasetError or returns what was written."""
    path = tmp_path / shard.name
    refused = 0
    for place in keyed_rng("flip").integers(0, 8 * len(image), 60):
        damaged = bytearray(image)
        damaged[place // 8] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            with open_shard(path) as file:
                rows = read_demo(file, 0, FEATURES, steps=STEPS, size=SIZE)
        except DatasetError:
            refused += 1
            continue
        for name, array in rows.items():
            np.testing.assert_array_equal(array, getattr(episode, name), err_msg=f"bit {place}: {name}")
    assert refused > 30


def test_arrays_of_other_shapes_and_files_are_refused(image: bytes, tmp_path: Path) -> None:
    path, other = tmp_path / "malicious.h5", tmp_path / "other.h5"
    other.write_bytes(image)
    path.write_bytes(image)
    with h5py.File(path, "r+") as file:
        demo = file["data/demo_0"]
        del demo["rewards"], demo["dones"], demo["actions"], demo["obs/depth"]
        demo["rewards"] = np.zeros(STEPS, np.float64)
        demo["dones"] = h5py.ExternalLink(str(other), "/data/demo_0/dones")
        demo.create_dataset("actions", shape=(1 << 40,), dtype="uint8", chunks=(1024,))
        demo.create_group("obs/depth")
    with open_shard(path) as file:
        for name in ("rewards", "dones", "actions", "depth"):
            with pytest.raises(DatasetError, match="cannot be read"):
                read_demo(file, 0, [name], steps=STEPS, size=SIZE)
