"""Atomic writes: the file is complete or as before, and a failure leaves nothing behind."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.storage.atomic_write import atomic_write, new_folder


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


def test_others_can_read_what_a_library_has_written_for_its_user_alone(tmp_path: Path) -> None:
    def replaced(tmp: Path) -> None:
        mine = tmp.with_name("mine")
        mine.write_bytes(b"x")
        mine.chmod(0o600)
        mine.replace(tmp)

    before = os.umask(0o022)
    try:
        atomic_write(tmp_path / "x", replaced)
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644


def test_each_writer_has_a_temporary_file_of_its_own_and_touches_no_other(tmp_path: Path) -> None:
    mine = {"x.tmp": "thesis", "x.1234abcd.tmp.bak": "thesis"}
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    names: set[str] = set()
    for shared in (False, False, True):
        atomic_write(tmp_path / "x", "", lambda tmp: names.add(tmp.name), shared=shared)
    assert len(names) == 3
    assert all(name.startswith("x.") and name.endswith(".tmp") for name in names)
    assert {name: (tmp_path / name).read_text() for name in mine} == mine
    assert len(list(tmp_path.iterdir())) == 3


def test_what_a_killed_writer_has_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "x.0123abcd.tmp").write_text("half")
    (tmp_path / "x.4567abcd.tmp").mkdir()
    (tmp_path / "x.4567abcd.tmp" / "part").write_text("half")
    held = os.open(tmp_path / "x.89ababcd.tmp", os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)  # its writer is still running
    atomic_write(tmp_path / "x", "whole")
    assert {path.name for path in tmp_path.iterdir()} == {"x", "x.89ababcd.tmp"}
    os.close(held)


def test_a_new_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "out.tmp").mkdir()
    (tmp_path / "new" / "out.tmp" / "thesis.txt").write_text("mine")

    def fail() -> None:
        with new_folder(out) as folder:
            (folder / "part").write_text("x")
            raise DatasetError("no")

    with pytest.raises(DatasetError):
        fail()
    assert [path.name for path in out.parent.iterdir()] == ["out.tmp"]
    with new_folder(out) as folder:
        (folder / "part").write_text("x")
    assert (out / "part").read_text() == "x"
    assert (tmp_path / "new" / "out.tmp" / "thesis.txt").read_text() == "mine"
    with pytest.raises(UsageError, match="not empty"), new_folder(out):
        pass
