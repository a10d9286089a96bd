"""A changed byte of a shard is noticed before the shard is read, and hashing is done once per file stamp."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.shards import checksums
from avw.sim_bridge.errors import DatasetError


def damaged(folder: Path) -> str:
    """Invert 16 bits in the middle of a shard: Fletcher-32 does not see the words 0000 and FFFF change places."""
    path = folder / open_dataset(folder).episodes()[0].shard
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2] = bytes(byte ^ 0xFF for byte in content[middle : middle + 2])
    path.write_bytes(content)
    return path.name


def test_readers_notice_a_changed_word(copy: Path) -> None:
    name = damaged(copy)
    dataset = open_dataset(copy)
    with pytest.raises(DatasetError, match=f"{name} is damaged: its SHA-256 is not the one in the manifest"):
        dataset.read(dataset.episodes()[0])


def test_the_check_can_be_switched_off(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hashed(path: Path) -> str:
        raise AssertionError(path)

    monkeypatch.setattr(checksums, "file_sha256", hashed)
    monkeypatch.setenv("AVW_CHECKSUMS", "0")
    dataset = open_dataset(copy)
    assert len(dataset.read(dataset.episodes()[0], ["rgb"])["rgb"]) == 13
    monkeypatch.delenv("AVW_CHECKSUMS")
    assert len(open_dataset(copy, checksums=False).read(dataset.episodes()[0], ["rgb"])["rgb"]) == 13


def test_a_file_is_hashed_once_and_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "x.h5", []
    monkeypatch.setattr(checksums, "file_sha256", lambda path: seen.append(path) or path.read_text())
    path.write_text("one")
    assert [checksums.shard_sha256(path), checksums.shard_sha256(path)] == ["one", "one"]
    path.write_text("two")
    os.utime(path, ns=(0, 0))
    assert checksums.shard_sha256(path) == "two"
    assert len(seen) == 2


def test_only_regular_files_are_hashed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DatasetError, match="it is a pipe"):
        checksums.file_sha256(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    assert checksums.file_sha256(tmp_path / "file") == hashlib.sha256(b"x").hexdigest()
