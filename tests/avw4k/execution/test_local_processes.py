"""Worker processes: every task is done once, errors and deaths are distinguished, and no process is left over."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from avw.avw4k.execution.local_processes import run_in_processes
from avw.avw4k.execution.protocol import Report
from avw.sim_bridge.errors import BackendError, DatasetError
from tests import ROOT


@dataclass
class Job:
    """Does what the task says. folder: for notes, because workers share nothing else"""

    folder: Path

    def __call__(self, task: str, report: Report) -> str:
        kind, name = task.split(":")
        if kind == "alone":
            (self.folder / f"{name}-began").touch()
            time.sleep(0.3)  # longer than the interval between reports
            others = len(list(self.folder.glob("*-began"))) - 1
            report(1)
            return f"alone {name}" if name == "b" or others == 0 else "together"
        report.doing(f"part {name}")
        report(1)
        if kind == "refuse":
            raise DatasetError(f"no {name}")
        if kind == "bug":
            raise ZeroDivisionError(name)
        if kind == "die" or (kind == "die-once" and not (self.folder / name).exists()):
            (self.folder / name).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "segfault":
            ctypes.string_at(0)
        if kind == "grow":
            bytearray(300_000_000)
        if kind == "cut-once" and not (self.folder / name).exists():
            (self.folder / name).touch()
            os.write(report.connection.fileno(), struct.pack("!i", 100) + b"part of a message")
            os._exit(1)
        if kind == "leave":
            os._exit(7)
        if kind == "wait":
            (self.folder / name).write_text(str(os.getpid()))
            time.sleep(600)
        if kind == "threads":
            return os.environ["OMP_NUM_THREADS"]
        return f"{name}@{os.getpid()}"


def run(tmp_path: Path, tasks: list[str], workers: int) -> dict[str, str]:
    steps: list[int] = []
    done = run_in_processes(
        Job(tmp_path), tasks, workers, scene_of=lambda task: task.split(":")[1][0], on_steps=steps.append
    )
    results = dict(done)
    assert sum(steps) == len(tasks)
    assert not multiprocessing.active_children()
    return results


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_task_is_done_once(tmp_path: Path, workers: int) -> None:
    tasks = [f"do:{letter}{n}" for n in range(4) for letter in "ab"]
    results = run(tmp_path, tasks, workers)
    assert sorted(results) == sorted(tasks)
    assert all(result.startswith(task[3:]) for task, result in results.items())


def test_the_first_worker_compiles_the_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an empty cache, the second task begins after the first one has reported a step."""
    monkeypatch.setattr("avw.avw4k.execution.local_processes.kernels_cached", lambda: False)
    tasks = ["alone:a", "alone:b"]
    assert all(result.startswith("alone") for result in run(tmp_path, tasks, 2).values())


def test_without_tasks_there_are_no_results(tmp_path: Path) -> None:
    assert run(tmp_path, [], 3) == {}


def test_workers_have_one_thread_and_this_process_keeps_its_own(tmp_path: Path) -> None:
    before = dict(os.environ)
    assert run(tmp_path, ["threads:a"], 1) == {"threads:a": "1"}
    assert dict(os.environ) == before


def test_an_expected_error_is_raised_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no a"):
        run(tmp_path, ["do:b", "refuse:a"], 1)
    assert not multiprocessing.active_children()


def test_an_unexpected_error_is_raised_with_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="ZeroDivisionError: a"):
        run(tmp_path, ["bug:a"], 1)


@pytest.mark.parametrize("died", ["die-once:b", "cut-once:b"])
def test_a_task_whose_worker_died_is_done_again(tmp_path: Path, died: str) -> None:
    results = run(tmp_path, ["do:a", died, "do:c"], 2)
    assert sorted(results) == sorted([died, "do:a", "do:c"])


@pytest.mark.parametrize(
    ("task", "how"),
    [
        ("die:a", "in part a was killed by signal SIGKILL, 3 times"),
        ("segfault:a", "in part a was killed by signal SIGSEGV, 3 times"),
        ("leave:a", "exited with code 7"),
    ],
)
def test_a_task_that_kills_its_worker_is_named_after_all_others_are_done(tmp_path: Path, task: str, how: str) -> None:
    logged: list[str] = []
    done = run_in_processes(
        Job(tmp_path), [task, "do:b"], 1, scene_of=str, on_steps=lambda steps: None, log=logged.append
    )
    assert next(done)[0] == "do:b"
    with pytest.raises(BackendError, match=how):
        next(done)
    assert len(logged) == 2
    assert all(text.endswith("trying again") for text in logged)
    assert not multiprocessing.active_children()


def test_workers_are_replaced_after_many_tasks_or_much_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avw.avw4k.execution.local_processes.RECYCLE_TASKS", 2)
    results = run(tmp_path, [f"do:{n}" for n in range(5)], 1)
    assert len({result.split("@")[1] for result in results.values()}) == 3
    monkeypatch.setattr("avw.avw4k.execution.local_processes.RECYCLE_TASKS", 64)
    monkeypatch.setattr("avw.avw4k.execution.local_processes.MEMORY_SHARE", 0.0)
    results = run(tmp_path, ["grow:a", "do:b"], 1)
    assert results["grow:a"].split("@")[1] != results["do:b"].split("@")[1]


def test_leaving_the_iteration_early_ends_the_workers(tmp_path: Path) -> None:
    tasks = ["do:a", "wait:b"]
    results = run_in_processes(Job(tmp_path), tasks, 2, scene_of=str, on_steps=lambda steps: None)
    next(results)
    deadline = time.monotonic() + 30
    while not (tmp_path / "b").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    results.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


SCRIPT = """
import sys
from pathlib import Path
from avw.avw4k.execution.local_processes import run_in_processes
from tests.avw4k.execution.test_local_processes import Job
print("script")
job = Job(Path(sys.argv[1]))
found = run_in_processes(job, ["ok:a", "ok:b"], 2, scene_of=lambda task: task, on_steps=lambda steps: None)
print(sorted(task for task, _ in found), __file__)
"""


def test_workers_do_not_run_a_script_without_a_guard_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["script", f"['ok:a', 'ok:b'] {script}"]
