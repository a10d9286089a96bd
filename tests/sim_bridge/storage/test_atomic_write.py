"""Atomic writes: the file is complete or as before, and a failure leaves nothing behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.storage.atomic_write import atomic_write


@pytest.mark.parametrize("shared", [False, True])
def test_a_failed_check_leaves_the_file_as_it_was(tmp_path: Path, shared: bool) -> None:
    path = tmp_path / "x"
    atomic_write(path, b"old", shared=shared)

    def refuse(tmp: Path) -> None:
        assert tmp.read_bytes() == b"new"
        raise DatasetError("no")

    with pytest.raises(DatasetError):
        atomic_write(path, b"new", refuse, shared=shared)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]
    assert atomic_write(path, b"new", lambda tmp: 7, shared=shared) == 7
    assert path.read_bytes() == b"new"


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    atomic_write(path, "old")

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write(path, "new")
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("x", "old")]


def test_content_may_be_bytes_text_or_a_function(tmp_path: Path) -> None:
    for content in (b"\xc3\xa9", "\u00e9", lambda tmp: tmp.write_text("\u00e9", encoding="utf-8")):
        atomic_write(tmp_path / "x", content)
        assert (tmp_path / "x").read_bytes() == b"\xc3\xa9"


def test_only_writers_that_share_a_file_have_temporary_files_of_their_own(tmp_path: Path) -> None:
    names: dict[bool, set[str]] = {False: set(), True: set()}
    for shared, seen in names.items():
        for _ in range(2):
            atomic_write(tmp_path / "x", "", lambda tmp, seen=seen: seen.add(tmp.name), shared=shared)  # type: ignore[misc]
    assert names[False] == {"x.tmp"}
    assert len(names[True]) == 2
    assert all(name.endswith(".tmp") for name in names[True])
