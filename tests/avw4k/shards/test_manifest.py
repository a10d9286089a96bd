"""The manifest of committed shards."""

from __future__ import annotations

from pathlib import Path

import pytest

from avw.avw4k.shards.manifest import (
    ShardRecord,
    append_record,
    drop_records,
    manifest_name,
    read_manifest,
    write_manifest,
)
from avw.sim_bridge.errors import DatasetError


def record(name: str, **fields: object) -> ShardRecord:
    row = {"index": 0, "steps": 4, "clipped": 1, "success": False}
    values = {"shard": name, "sha256": "0" * 64, "bytes": 9, "spec_sha256": "1" * 64, "episodes": (row, row)}
    return ShardRecord(**(values | fields))  # type: ignore[arg-type]


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    append_record(tmp_path, record("a.h5"))
    append_record(tmp_path, record("b.h5", bytes=7))
    found = read_manifest(tmp_path)
    assert found == {"a.h5": record("a.h5"), "b.h5": record("b.h5", bytes=7)}
    assert (found["a.h5"].steps, found["a.h5"].clipped) == (8, 2)


@pytest.mark.parametrize("keep", [1, 10, 100])
def test_a_cut_last_line_is_ignored_and_removed(tmp_path: Path, keep: int) -> None:
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
def test_lines_that_are_not_valid_are_named(tmp_path: Path, line: str) -> None:
    append_record(tmp_path, record("a.h5"))
    with (tmp_path / manifest_name()).open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DatasetError, match=r"manifest.jsonl, line 2: not a line"):
        read_manifest(tmp_path)


def test_parts_of_an_array_job_are_combined(tmp_path: Path) -> None:
    append_record(tmp_path, record("a.h5"), (0, 2))
    append_record(tmp_path, record("b.h5"), (1, 2))
    found = read_manifest(tmp_path)
    assert set(found) == {"a.h5", "b.h5"}
    write_manifest(tmp_path, list(found.values()))
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.jsonl"]
    assert read_manifest(tmp_path) == found


def test_dropped_records_are_removed_from_every_part(tmp_path: Path) -> None:
    append_record(tmp_path, record("a.h5"))
    append_record(tmp_path, record("b.h5"), (0, 2))
    append_record(tmp_path, record("c.h5"))
    drop_records(tmp_path, {"b.h5", "a.h5"})
    assert set(read_manifest(tmp_path)) == {"c.h5"}
