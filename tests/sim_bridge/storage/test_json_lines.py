"""JSON lines: complete ones are read, a cut one is ignored and removed, a full disk changes nothing."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from avw.sim_bridge.storage.json_lines import append_line, complete_lines


@pytest.mark.parametrize("keep", [1, 5, 12])
def test_a_cut_line_is_ignored_and_removed(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "x.jsonl"
    append_line(path, {"number": 1})
    whole = path.read_bytes()
    assert len(whole) > keep
    path.write_bytes(whole + whole[:keep])
    assert complete_lines(path) == ['{"number": 1}']
    append_line(path, {"number": 2})
    assert [json.loads(line) for line in complete_lines(path)] == [{"number": 1}, {"number": 2}]
    assert path.read_bytes().startswith(whole)


def test_a_failed_append_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.jsonl"
    append_line(path, {"number": 1})
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        append_line(path, {"number": 2})
    assert path.read_bytes() == before
