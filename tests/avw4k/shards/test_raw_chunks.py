"""Uncompressed arrays that are read chunk by chunk: the same rows as from HDF5, and the same checksum."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avw.avw4k.shards.raw_chunks import can_read, read_rows, same


def stored(path: Path, array: np.ndarray, rows: int) -> h5py.Dataset:
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=array, chunks=(rows, *array.shape[1:]), fletcher32=True)
    return h5py.File(path)["x"]


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("width", [1, 40, 700])
def test_all_ranges_of_rows_are_those_of_hdf5(kind: type, width: int, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 200, (21, width, 3)).astype(kind)
    dataset = stored(tmp_path / "x.h5", array, 8)
    assert can_read(dataset)
    for first in range(0, 21, 3):
        for last in range(first + 1, 22):
            out = np.empty((last - first, width, 3), kind)
            read_rows(dataset, first, out)
            assert np.array_equal(out, array[first:last])
    dataset.file.close()


@given(st.binary(min_size=2, max_size=3000).filter(lambda x: len(x) % 2 == 0), st.integers(0, 10**9))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_checksum_is_that_of_hdf5_and_sees_every_changed_bit(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, bit: int
) -> None:
    array = np.frombuffer(content, np.uint8).reshape(1, -1)
    dataset = stored(tmp_path_factory.mktemp("x") / "x.h5", array, 1)
    _, raw = dataset.id.read_direct_chunk((0, 0))
    dataset.file.close()
    checksum = int.from_bytes(raw[-4:], "little")
    words = np.frombuffer(raw[:-4], np.uint16)
    assert same(checksum, words)
    changed = bytearray(raw[:-4])
    changed[bit % len(content)] ^= 1 << bit % 8
    assert not same(checksum, np.frombuffer(bytes(changed), np.uint16))


@pytest.mark.parametrize("word", [0, 0xFFFF])
def test_sums_that_are_zero_are_as_hdf5_stores_them(word: int, tmp_path: Path) -> None:
    dataset = stored(tmp_path / "x.h5", np.full((8, 100), word, np.uint16), 8)
    out = np.empty((8, 100), np.uint16)
    read_rows(dataset, 0, out)
    assert (out == word).all()
    dataset.file.close()


def test_a_damaged_chunk_is_an_error(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (16, 500), np.uint8)
    dataset = stored(tmp_path / "x.h5", array, 8)
    place = dataset.id.get_chunk_info(1).byte_offset
    dataset.file.close()
    content = bytearray((tmp_path / "x.h5").read_bytes())
    content[place + 77] ^= 4
    (tmp_path / "x.h5").write_bytes(bytes(content))
    with h5py.File(tmp_path / "x.h5") as file:
        out = np.empty((16, 500), np.uint8)
        read_rows(file["x"], 0, out[:8])
        assert np.array_equal(out[:8], array[:8])
        with pytest.raises(OSError, match="checksum of the chunk at row 8 is wrong"):
            read_rows(file["x"], 0, out)


def test_the_sums_of_a_bright_large_chunk_fit() -> None:
    """A sum of sums over eight images of 2,048 pixels is more than 64 bits hold."""
    assert same(0xFFFFFFFF, np.full(8 * 2048**2 * 3 // 2, 0xFFFF, np.uint16))
