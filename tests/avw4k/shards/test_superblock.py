"""Only HDF5 whose metadata have checksums is opened in this process: a damaged older file crashes the library."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from avw.avw4k.shards.shard import open_shard
from avw.avw4k.shards.superblock import refuse_superblock
from avw.sim_bridge.errors import DatasetError


def written(path: Path, libver: str) -> Path:
    with h5py.File(path, "w", libver=(libver, libver) if libver == "v110" else libver) as file:
        file["data/x"] = [1, 2, 3]
    return path


def test_the_format_of_hdf5_1_10_is_opened(tmp_path: Path) -> None:
    with open_shard(written(tmp_path / "x.h5", "v110")) as file:
        assert file["data/x"][:].tolist() == [1, 2, 3]


def test_an_older_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="HDF5 superblock version 0: AVW writes version 3"):
        open_shard(written(tmp_path / "x.h5", "earliest"))


def test_a_shard_of_schema_1_is_tried_by_a_child_process_first(tmp_path: Path) -> None:
    path = written(tmp_path / "x.h5", "earliest")
    refuse_superblock(path, 1)
    content = bytearray(path.read_bytes())
    content[len(content) // 4 :] = bytes(len(content) - len(content) // 4)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        refuse_superblock(path, 1)


def test_what_is_not_hdf5_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"text")
    with pytest.raises(DatasetError, match="not an HDF5 file"):
        open_shard(tmp_path / "x.h5")
