"""Kills, Ctrl-C and full disks during `avw generate`: nothing committed is lost, and the rest is made again."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from avw.avw4k.shards.manifest import read_manifest
from avw.sim_bridge.randomness import keyed_rng
from tests import ROOT

SECONDS = 300


def command(folder: Path, scenes: Path, *more: str) -> list[str]:
    """The command that makes the dataset of the reference."""
    options = "--trajectories 6 --steps 12 --size 32 --emitters 1000 --sources-per-scene 1 --episodes-per-shard 1"
    return [sys.executable, "-m", "avw.cli", "generate", str(folder), "--scenes", str(scenes), *options.split(), *more]


def listen_to_ctrl_c() -> None:
    """A shell has its background jobs ignore Ctrl-C, and so would the command if the tests are one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(folder: Path, scenes: Path, *more: str, **keywords: object) -> subprocess.Popen[str]:
    """In a session of its own, so that a signal to the group reaches the command and its workers only."""
    keywords.setdefault("preexec_fn", listen_to_ctrl_c)
    return subprocess.Popen(
        command(folder, scenes, *more), cwd=ROOT, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords,  # type: ignore[call-overload]
    )  # fmt: skip


def finish(folder: Path, scenes: Path, *more: str) -> subprocess.CompletedProcess[str]:
    arguments = command(folder, scenes, "--workers", "1", *more)
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)


def wait_for(process: subprocess.Popen[str], happened: Callable[[], bool]) -> None:
    """Return as soon as the condition holds, or when the process ends."""
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and not happened() and time.monotonic() < deadline:
        time.sleep(0.0005)


def kill(process: subprocess.Popen[str], *, group: bool = True) -> None:
    """Send SIGKILL. If only the parent gets it, its workers must notice that and exit."""
    if process.poll() is None:
        (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.communicate(timeout=SECONDS)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def committed(folder: Path) -> set[str]:
    return set(read_manifest(folder)) if folder.exists() else set()


def assert_complete_after_resuming(folder: Path, scenes: Path, reference: Path, kept: set[str]) -> None:
    """Committed shards are not written again, and the dataset has the bytes of an uninterrupted run."""
    before = {name: (folder / name).stat().st_mtime_ns for name in kept}
    result = finish(folder, scenes, "--json")
    assert result.returncode == 0, result.stderr
    assert not kept & set(json.loads(result.stdout)["written"])
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == before
    assert digests(folder) == digests(reference)


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(("tmp", "orphans"), id="two"),  # `test_kill_points` tries every operation of a process
        pytest.param(("info", "tmp", "rename", "commit", "orphans"), id="all", marks=pytest.mark.slow),
    ],
)
def test_killed_at_a_stage(scene_folder: Path, reference: Path, tmp_path: Path, wanted: tuple[str, ...]) -> None:
    """Kills of one dataset: at its first file, in a write, after a rename, after a commit, of the parent only."""
    folder = tmp_path / "data"
    stages: list[tuple[str, Callable[[], bool]]] = [
        ("info", lambda: (folder / "info.json").exists()),
        ("tmp", lambda: any(folder.glob("*.h5.*.tmp"))),
        ("rename", lambda: {path.name for path in folder.glob("*.h5")} > committed(folder)),
        ("commit", lambda: len(committed(folder)) > len(kept)),
        ("orphans", lambda: any(folder.glob("*.h5.*.tmp"))),
    ]
    kept: set[str] = set()
    for stage, happened in (entry for entry in stages if entry[0] in wanted):
        process = start(folder, scene_folder, "--workers", "2")
        wait_for(process, happened)
        kill(process, group=stage != "orphans")
        now = committed(folder)
        assert kept <= now, f"{stage}: a committed shard is no longer listed"
        kept = now
    assert_complete_after_resuming(folder, scene_folder, reference, kept)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_random(scene_folder: Path, reference: Path, tmp_path: Path, seed: int) -> None:
    """Three kills at random moments of the run, randomly of the group or of the parent only."""
    folder = tmp_path / "data"
    rng = keyed_rng("kill", seed)
    for _ in range(3):
        process = start(folder, scene_folder, "--workers", str(rng.integers(1, 3)))
        wait = float(rng.uniform(0.5, 8.0))
        deadline = time.monotonic() + wait
        wait_for(process, lambda deadline=deadline: time.monotonic() > deadline)  # type: ignore[misc]
        kill(process, group=bool(rng.integers(2)))
    assert_complete_after_resuming(folder, scene_folder, reference, committed(folder))


def test_sigint_and_sigterm_exit_with_130(scene_folder: Path, reference: Path, tmp_path: Path) -> None:
    """One dataset, interrupted by each of the two, and resumed."""
    folder = tmp_path / "data"
    # While the first shard is being made: on a fast machine, all are finished shortly after the first commit.
    moments: dict[signal.Signals, Callable[[], bool]] = {
        signal.SIGINT: (folder / "info.json").exists,
        signal.SIGTERM: lambda: any(folder.glob("*.h5.*.tmp")),  # the first that the resumed run writes
    }
    for number, happened in moments.items():
        process = start(folder, scene_folder, "--workers", "2")
        wait_for(process, happened)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            os.kill(process.pid, number)
        _, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == 130
        assert "interrupted" in errors
        assert "Traceback" not in errors
        assert not list(folder.glob("*.tmp"))
    assert_complete_after_resuming(folder, scene_folder, reference, committed(folder))


def test_a_limit_on_file_size_gives_a_one_line_error(scene_folder: Path, reference: Path, tmp_path: Path) -> None:
    """A real failing write that needs no privileges: the kernel refuses the bytes beyond the limit."""
    folder = tmp_path / "data"
    smallest = min(path.stat().st_size for path in reference.glob("*.h5"))

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (smallest // 2, smallest // 2))

    process = start(folder, scene_folder, "--workers", "1", preexec_fn=limit)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1, errors
    assert "File too large" in errors
    assert "type the same command again" in errors
    assert "Traceback" not in errors
    assert not list(folder.glob("*.h5*"))
    assert_complete_after_resuming(folder, scene_folder, reference, set())


@pytest.fixture
def small_disk(reference: Path, tmp_path: Path) -> Iterator[Path]:
    """A file system with space for two and a half shards."""
    sizes = sorted(path.stat().st_size for path in reference.glob("*.h5"))
    disk = tmp_path / "disk"
    disk.mkdir()
    options = f"size={int(2.5 * sizes[-1])}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a full disk needs a small tmpfs, and mounting one needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_gives_a_one_line_error_and_nothing_is_lost(
    scene_folder: Path, reference: Path, small_disk: Path
) -> None:
    folder = small_disk / "data"
    result = finish(folder, scene_folder)
    assert result.returncode == 1, result.stderr
    assert "No space left on device" in result.stderr
    assert "free some space" in result.stderr
    assert "Traceback" not in result.stderr
    kept = committed(folder)
    assert len(kept) >= 1
    assert not list(folder.glob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert_complete_after_resuming(folder, scene_folder, reference, kept)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a tmpfs with options, if that is allowed."""
    made: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"mount-{len(made)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"mounting a tmpfs with {options} was refused: {done.stderr.strip()}")
        made.append(folder)
        return folder

    yield mount
    for folder in made:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_read_only_folder_gives_a_one_line_error(
    scene_folder: Path, reference: Path, mounted: Callable[[str], Path]
) -> None:
    disk = mounted("size=64m")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    result = finish(disk / "data", scene_folder)
    assert result.returncode == 1
    assert "Read-only file system" in result.stderr
    assert "Traceback" not in result.stderr
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert finish(disk / "data", scene_folder, "--shard", "0/2").returncode == 0
    kept = committed(disk / "data")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    result = finish(disk / "data", scene_folder)  # incomplete, then read-only: nothing is lost
    assert result.returncode == 1
    assert "Read-only file system" in result.stderr
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert_complete_after_resuming(disk / "data", scene_folder, reference, kept)


def test_a_read_only_dataset_can_be_read_and_verified(reference: Path, mounted: Callable[[str], Path]) -> None:
    from avw.avw4k.writing.verify import verify_dataset

    disk = mounted("size=64m")
    subprocess.run(["cp", "-r", str(reference), str(disk / "data")], check=True)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert verify_dataset(disk / "data").ok
