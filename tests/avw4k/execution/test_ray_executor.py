"""The Ray executor's own decisions (retries, errors, scenes), on a stand-in for Ray; `test_ray` uses a real cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from avw.avw4k.execution.protocol import Report
from avw.avw4k.execution.ray_executor import RayExecutor
from avw.sim_bridge.errors import BackendError, DatasetError
from avw.sim_bridge.process.threads import ONE_THREAD
from tests.avw4k.execution.fake_ray import Death, FakeRay


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", fake)
    return fake


@dataclass
class Job:
    """Does what the task says. folder: notes of the deaths, since actors share nothing else"""

    folder: Path
    done: int = 0

    def __call__(self, task: str, report: Report) -> str:
        kind, name = task.split(":")
        deaths = self.folder / name
        report(1)
        if kind == "die" or (kind == "die-once" and not deaths.exists()):
            deaths.touch()
            raise Death
        if kind == "refuse":
            raise DatasetError(f"no {name}")
        if kind == "bug":
            raise ZeroDivisionError(name)
        self.done += 1
        return f"{name}, task {self.done} of its actor"


def run(folder: Path, tasks: list[str], workers: int, log: Callable[[str], None] = lambda text: None) -> dict[str, str]:
    results = RayExecutor()(
        Job(folder), tasks, workers, scene_of=lambda task: task.split(":")[1][0], on_steps=lambda steps: None, log=log
    )
    return dict(results)


def test_every_task_is_done_once_and_actors_keep_their_scene(ray: FakeRay, tmp_path: Path) -> None:
    tasks = ["do:a1", "do:b1", "do:a2", "do:b2"]
    results = run(tmp_path, tasks, 0)
    assert sorted(results) == sorted(tasks)
    assert ray.actors == ray.cpus == 2
    assert all(results[f"do:{scene}2"].endswith("task 2 of its actor") for scene in "ab")
    assert not ray.initialized
    assert set(ONE_THREAD) < set(ray.arguments["runtime_env"]["env_vars"])


def test_a_task_whose_actor_died_is_done_by_another_one(ray: FakeRay, tmp_path: Path) -> None:
    logged: list[str] = []
    assert sorted(run(tmp_path, ["do:a", "die-once:b"], 1, logged.append)) == ["die-once:b", "do:a"]
    assert logged == [
        "the actor on die-once:b died (The actor died unexpectedly before finishing this task.); trying again"
    ]
    assert ray.actors == 2


def test_a_task_that_kills_every_actor_is_named_when_all_others_are_done(ray: FakeRay, tmp_path: Path) -> None:
    results = RayExecutor()(Job(tmp_path), ["die:a", "do:b"], 1, scene_of=str, on_steps=lambda steps: None)
    assert next(results)[0] == "do:b"
    with pytest.raises(BackendError, match=r"the actor on die:a died .*, 3 times"):
        next(results)
    assert not ray.initialized


def test_errors_come_through(ray: FakeRay, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no a"):
        run(tmp_path, ["refuse:a"], 1)
    with pytest.raises(BackendError, match=r"failed unexpectedly on bug:a:\s+ZeroDivisionError: a"):
        run(tmp_path, ["bug:a"], 1)


def test_without_ray_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BackendError, match=r"pip install 'avw\[ray\]'"):
        run(tmp_path, ["do:a"], 1)
