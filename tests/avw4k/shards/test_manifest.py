"""The manifest: whole lines only, and a failed write changes nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from avw.avw4k.shards.manifest import (
    ShardRecord,
    append_record,
    drop_records,
    manifest_name,
    read_manifest,
    readable_errors,
    write_manifest,
    write_whole,
)
from avw.sim_bridge.errors import DatasetError


def record(name: str, **fields: object) -> ShardRecord:
    row = {"index": 0, "steps": 4, "clipped": 1, "success": False}
    values = {"shard": name, "sha256": "0" * 64, "bytes": 9, "spec_sha256": "1" * 64, "episodes": (row, row)}
    return ShardRecord(**(values | fields))  # type: ignore[arg-type]


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    append_record(tmp_path, record("a.h5"))
    append_record(tmp_path, record("b.h5", bytes=7))
    found = read_manifest(tmp_path)
    assert found == {"a.h5": record("a.h5"), "b.h5": record("b.h5", bytes=7)}
    assert (found["a.h5"].steps, found["a.h5"].clipped) == (8, 2)


@pytest.mark.parametrize("keep", [1, 10, 100])
def test_a_torn_last_line_is_no_line_and_is_cut_off(tmp_path: Path, keep: int) -> None:
    append_record(tmp_path, record("a.h5"))
    path = tmp_path / manifest_name()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:keep])
    assert set(read_manifest(tmp_path)) == {"a.h5"}
    append_record(tmp_path, record("b.h5"))
    assert set(read_manifest(tmp_path)) == {"a.h5", "b.h5"}
    assert path.read_bytes().startswith(whole)


@pytest.mark.parametrize(
    "line",
    [
        "garbage",
        "{}",
        "[1]",
        '{"shard": 3}',
        '{"shard": "a", "sha256": "", "bytes": 1, "spec_sha256": "", "episodes": []}',
    ],
)
def test_lines_that_are_not_ours_are_named(tmp_path: Path, line: str) -> None:
    append_record(tmp_path, record("a.h5"))
    with (tmp_path / manifest_name()).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DatasetError, match=r"manifest.jsonl, line 2: not a line"):
        read_manifest(tmp_path)


def test_parts_of_an_array_job_are_read_together_and_merged(tmp_path: Path) -> None:
    append_record(tmp_path, record("a.h5"), (0, 2))
    append_record(tmp_path, record("b.h5"), (1, 2))
    found = read_manifest(tmp_path)
    assert set(found) == {"a.h5", "b.h5"}
    write_manifest(tmp_path, list(found.values()))
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.jsonl"]
    assert read_manifest(tmp_path) == found


def test_struck_records_are_gone_from_every_part(tmp_path: Path) -> None:
    append_record(tmp_path, record("a.h5"))
    append_record(tmp_path, record("b.h5"), (0, 2))
    append_record(tmp_path, record("c.h5"))
    drop_records(tmp_path, {"b.h5", "a.h5"})
    assert set(read_manifest(tmp_path)) == {"c.h5"}


def test_a_file_is_there_whole_or_as_before(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_whole(path, b"old")

    def refuse(tmp: Path) -> None:
        assert tmp.read_bytes() == b"new"
        raise DatasetError("no")

    with pytest.raises(DatasetError):
        write_whole(path, b"new", refuse)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]
    assert write_whole(path, b"new", lambda tmp: 7) == 7
    assert path.read_bytes() == b"new"


def test_a_quota_is_one_sentence(tmp_path: Path) -> None:
    says = pytest.raises(DatasetError, match=r"cannot write x in .*quota exceeded.*free some space")
    with says, readable_errors("cannot write x", tmp_path):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT).lower())


def test_a_full_device_is_one_sentence(tmp_path: Path) -> None:
    def fill() -> None:
        handle = os.open("/dev/full", os.O_WRONLY)
        try:
            with readable_errors("cannot write x", tmp_path):
                os.write(handle, b"x")
        finally:
            os.close(handle)

    with pytest.raises(DatasetError, match=r"cannot write x in .*: No space left on device.* free some space"):
        fill()
