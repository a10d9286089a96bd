"""Kills at every file operation, any byte and any time: committed shards stay, and a resumed run has the same bytes.

The kills are real (SIGKILL, and the kernel's own signal at a byte's limit), on forks of a warm process: see
`kill_points`. `make test` takes a sample; `make test-all` every operation, before and after, and 120 random kills.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from avw.sim_bridge.randomness import keyed_rng
from tests import ROOT


class Harness:
    """The warmed-up process, which runs trials and returns their results."""

    def __init__(self, reference: Path, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.avw4k.kill_points", str(reference), str(folder)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        first = self._read()
        assert first["same"], "one process gives other bytes than several workers"
        self.operations: int = first["operations"]

    def __call__(self, **trial: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(trial) + "\n")
        return self._read()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the harness died; its error is above"
        result: dict[str, Any] = json.loads(line)
        return result


@pytest.fixture(scope="module")
def harness(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    started = Harness(reference, tmp_path_factory.mktemp("killed") / "data")
    yield started
    started.close()


def assert_nothing_lost(result: dict[str, Any]) -> None:
    assert result["resumed"] == "exit 0", result
    assert result["true"], f"a committed shard is not what the manifest says: {result}"
    assert result["kept"], f"a committed shard was written again: {result}"
    assert result["same"], f"other bytes than without a kill: {result}"


def points(harness: Harness) -> list[dict[str, Any]]:
    return [
        {"kind": "point", "number": number, "after": after}
        for number in range(harness.operations)
        for after in (False, True)
    ]


def byte_limits(reference: Path, count: int) -> list[dict[str, Any]]:
    largest = max(path.stat().st_size for path in reference.glob("*.h5"))
    rng = keyed_rng("byte", count)
    return [{"kind": "byte", "limit": int(rng.integers(1, largest))} for _ in range(count)]


def test_a_run_has_enough_operations(harness: Harness) -> None:
    assert harness.operations > 60  # about ten for each of six shards, and the tables


def test_a_sample_of_kills_loses_nothing(harness: Harness, reference: Path) -> None:
    every = points(harness)
    chosen = [every[int(i)] for i in sorted(keyed_rng("points").choice(len(every), 10, replace=False))]
    for trial in [*chosen, *byte_limits(reference, 3)]:
        result = harness(**trial)
        assert result["ended"] in ("SIGKILL", "SIGXFSZ")
        assert_nothing_lost(result)


@pytest.mark.slow
def test_killed_at_every_operation(harness: Harness) -> None:
    tried = committed = 0
    for trial in points(harness):
        result = harness(**trial)
        assert result["ended"] == "SIGKILL"
        assert_nothing_lost(result)
        tried += 1
        committed += result["committed"]
    print(f"killed at {tried} points of {harness.operations} operations; {committed} commits before, 0 lost")


@pytest.mark.slow
def test_killed_at_any_byte(harness: Harness, reference: Path) -> None:
    limits = byte_limits(reference, 60)
    for trial in limits:
        result = harness(**trial)
        assert result["ended"] == "SIGXFSZ"
        assert_nothing_lost(result)
    print(f"killed by the kernel at {len(limits)} random bytes, 0 lost")


@pytest.mark.slow
def test_killed_at_any_time(harness: Harness) -> None:
    rng = keyed_rng("time")
    ends = []
    for _ in range(60):
        result = harness(kind="time", seconds=float(rng.uniform(0.0, 1.0)))
        assert_nothing_lost(result)
        ends.append(result["committed"])
    print(f"killed at 60 random moments, with {min(ends)} to {max(ends)} of 6 shards committed, 0 lost")
