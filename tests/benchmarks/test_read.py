"""`benchmarks.read` starts a worker of each reader in a process of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.read import worker
from benchmarks.resident_memory import peak_bytes, resident_bytes
from tests import ROOT

DATA = ROOT / "tests" / "avw4k" / "reading" / "fixtures" / "schema-2"


def test_a_worker_tells_its_start_and_its_memory(tmp_path: Path) -> None:
    data = shutil.copytree(DATA, tmp_path / "data")
    found = worker("h5py", data, tmp_path)
    assert 0 < found["start_s"] < 600
    assert 10 < found["peak_mb"] < 10_000


@pytest.mark.skipif(resident_bytes() is None, reason="the system does not report memory")
def test_the_peak_remembers_memory_that_was_freed() -> None:
    before, now = peak_bytes(), resident_bytes()
    assert before is not None
    assert now is not None
    held = bytearray(before - now + (64 << 20))  # 64 MiB more than the process has ever had
    held[::4096] = b"1" * len(held[::4096])
    del held
    after = peak_bytes()
    assert after is not None
    assert after >= before + (32 << 20)
