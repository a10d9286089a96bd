"""Locks: one holder, nothing left behind, and a stale lock file is no lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.storage.file_lock import claimed


def test_a_target_has_one_writer_at_a_time_and_keeps_no_lock_file(tmp_path: Path) -> None:
    target = tmp_path / "new" / "out"
    for _ in range(2):
        with claimed(target, "busy"), pytest.raises(UsageError, match="busy"), claimed(target, "busy"):
            pass
        assert list(target.parent.iterdir()) == []


def test_the_lock_file_of_a_killed_command_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / ".out.lock").touch()
    with claimed(tmp_path / "out", "busy"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_sentence() -> None:
    with pytest.raises(DatasetError, match="cannot write out in /proc/x"), claimed(Path("/proc/x/out"), "busy"):
        pass
