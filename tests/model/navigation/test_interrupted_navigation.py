"""Workers that die, kills and Ctrl-C: no episode that has ended is lost, and the records are those of a quiet run."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from avw.avw4k.execution import task_queue
from avw.avw4k.execution.ray_executor import RayExecutor
from avw.avw4k.execution.this_process import run_in_this_process
from avw.model.navigation.episode_run import EpisodeRecord, SkippedEpisode
from avw.model.navigation.episode_store import EpisodeStore
from avw.model.navigation.navigate import NavigationResult, run_policies
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.navigation.outcomes import read_records
from avw.model.policies.policy_file import source_digest
from avw.sim_bridge.errors import BackendError, DatasetError, PolicyError, UsageError
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.storage.json_lines import complete_lines
from avw.sim_bridge.task.task import TaskConfig
from tests import ROOT
from tests.avw4k.execution.fake_ray import FakeRay

SECONDS = 300
MY_POLICIES = """
import os, signal, time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


class Short:
    \"\"\"Turns and walks at random for a few steps, then stops.\"\"\"

    def reset(self, seed):
        self.rng = np.random.default_rng(seed)
        self.remaining = 3 + seed % 4

    def act(self, observation):
        self.remaining -= 1
        return int(self.rng.integers(1, 4)) if self.remaining else 0


class Dies(Short):
    \"\"\"Kills its process in the second step of an episode, as often as the file `deaths` says.\"\"\"

    def act(self, observation):
        deaths = HERE / "deaths"
        number = int(deaths.read_text()) if deaths.exists() else 0
        if number and self.remaining == 2:
            deaths.write_text(str(number - 1))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().act(observation)


class Slow(Short):
    def act(self, observation):
        time.sleep(0.2)
        return super().act(observation)


class Mute:
    def reset(self, seed):
        pass


class Broken(Short):
    def act(self, observation):
        raise ZeroDivisionError("in my own code")
"""


@pytest.fixture
def my(tmp_path: Path) -> Path:
    """A user's file of policies."""
    path = tmp_path / "user" / "my.py"
    path.parent.mkdir()
    path.write_text(MY_POLICIES)
    return path


Config = Callable[..., NavigateConfig]


@pytest.fixture
def config(flats: tuple[str, ...]) -> Config:
    """config(policy, **changes): three short episodes in two small flats."""

    def made(policy: str | Path, **changes: object) -> NavigateConfig:
        values: dict[str, object] = {
            "policies": (str(policy),),
            "scenes": flats[:2],
            "episodes": 3,
            "seed": 5,
            "simulator": SimulatorConfig(size=16, emitters=500),
            "task": TaskConfig(max_steps=20),
        }
        return NavigateConfig(**(values | changes))  # type: ignore[arg-type]

    return made


def run_here(asked: NavigateConfig, folder: Path | None = None, **keywords: object) -> NavigationResult:
    return run_policies(asked, folder=folder, execute=run_in_this_process, **keywords)  # type: ignore[arg-type]


def without_times(records: list[EpisodeRecord]) -> list[EpisodeRecord]:
    return [dataclasses.replace(record, decision_ms=0.0) for record in records]


def test_an_episode_whose_worker_died_is_run_again(config: Config, my: Path) -> None:
    reference = run_here(config(f"{my}:Short")).records["Short"]
    (my.parent / "deaths").write_text("1")
    logged: list[str] = []
    records = run_policies(config(f"{my}:Dies", workers=2), log=logged.append).records["Dies"]
    assert (my.parent / "deaths").read_text() == "0"
    assert without_times(records) == [dataclasses.replace(r, policy="Dies") for r in without_times(reference)]
    assert len(logged) == 1
    assert "was killed by signal SIGKILL" in logged[0]


def test_the_last_death_names_scene_policy_and_episode_and_the_other_episodes_are_kept(
    config: Config, flats: tuple[str, ...], my: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After one attempt instead of three, which `tests/avw4k/execution` counts."""
    monkeypatch.setattr(task_queue, "ATTEMPTS", 1)
    (my.parent / "deaths").write_text("1")
    asked = config(f"{my}:Dies", episodes=2, scenes=flats[:1])
    expected = rf"episode 0 of {flats[0]} with the policy Dies .*1 times.*other tasks are finished"
    with pytest.raises(BackendError, match=expected):
        run_policies(asked, folder=tmp_path / "out")
    assert [values["record"]["episode"] for values in stored(tmp_path / "out", "Dies")] == [1]
    again = run_here(asked, tmp_path / "out").records["Dies"]  # the file of deaths is used up
    assert [record.episode for record in again] == [0, 1]


def stored(folder: Path, policy: str) -> list[dict]:
    """The lines of a policy's episodes."""
    path = folder / f"navigation-{policy}.jsonl"
    return [json.loads(line) for line in complete_lines(path)[1:]] if path.exists() else []


def test_a_resumed_run_plays_the_missing_episodes_only(config: Config, my: Path, tmp_path: Path) -> None:
    folder, asked = tmp_path / "out", config(f"{my}:Short")
    whole = run_here(asked).records["Short"]
    run_here(dataclasses.replace(asked, episodes=2), folder)
    path = folder / "navigation-Short.jsonl"
    kept = path.read_bytes()
    path.write_bytes(kept + kept[-40:-1])  # a line that a kill cut short
    played: list[EpisodeRecord | SkippedEpisode] = []
    starts: list[tuple[int, int]] = []
    resumed = run_here(asked, folder, on_episode=played.append, on_start=lambda *counts: starts.append(counts))
    assert [outcome.episode for outcome in played] == [2]
    assert starts == [(2, 3)]
    assert without_times(resumed.records["Short"]) == without_times(whole)
    assert path.read_bytes().startswith(kept)
    assert len(complete_lines(path)) == 4
    again = run_here(asked, folder, on_episode=lambda outcome: pytest.fail("played again"))
    assert again == resumed  # to the last digit: nothing was run


def test_a_missing_video_is_recorded_and_the_record_stays(config: Config, my: Path, tmp_path: Path) -> None:
    folder, asked = tmp_path / "out", config(f"{my}:Short", episodes=1)
    first = run_here(asked, folder)
    kept = (folder / "navigation-Short.jsonl").read_bytes()
    videos = tmp_path / "videos"
    with_video = dataclasses.replace(asked, video_dir=str(videos))
    assert run_here(with_video, folder) == first
    recordings = sorted(path.name for path in videos.iterdir())
    assert recordings
    assert all(name.startswith("Short-000-") for name in recordings)
    assert run_here(with_video, folder, on_episode=lambda outcome: pytest.fail("played again")) == first
    assert (folder / "navigation-Short.jsonl").read_bytes() == kept


def test_records_of_another_configuration_are_refused(
    config: Config, flats: tuple[str, ...], my: Path, tmp_path: Path
) -> None:
    folder, asked = tmp_path / "out", config(f"{my}:Short", episodes=1)
    run_here(asked, folder)
    before = (folder / "navigation-Short.jsonl").read_bytes()
    changes: list[tuple[dict[str, object], str]] = [
        ({"seed": 6}, "seed: 5 stored, 6 requested"),
        ({"simulator": SimulatorConfig(size=32, emitters=500)}, "simulator.size: 16 stored, 32 requested"),
        ({"scenes": flats[:1]}, "scenes: "),
    ]
    for change, words in changes:
        with pytest.raises(UsageError, match=words):
            run_here(dataclasses.replace(asked, **change), folder)  # type: ignore[arg-type]
    my.write_text(MY_POLICIES + "# edited")
    with pytest.raises(UsageError, match="policy_file"):
        run_here(asked, folder)
    assert (folder / "navigation-Short.jsonl").read_bytes() == before


def test_a_module_beside_a_policy_counts_as_part_of_it(config: Config, my: Path, tmp_path: Path) -> None:
    folder, asked = tmp_path / "out", config(f"{my}:Short", episodes=1)
    my.write_text("import beside\n" + MY_POLICIES)
    (my.parent / "beside.py").write_text("from beside_too import LENGTH")
    (my.parent / "beside_too.py").write_text("LENGTH = 1")
    (my.parent / "not_imported.py").write_text("LENGTH = 1")
    digest = source_digest(f"{my}:Short")
    run_here(asked, folder)
    (my.parent / "not_imported.py").write_text("LENGTH = 3")
    assert source_digest(f"{my}:Short") == digest
    (my.parent / "beside_too.py").write_text("LENGTH = 2")
    with pytest.raises(UsageError, match="policy_file"):
        run_here(asked, folder)


def test_what_changes_no_episode_does_not_count_as_another_configuration(
    config: Config, my: Path, tmp_path: Path
) -> None:
    folder, asked = tmp_path / "out", config(f"{my}:Short", episodes=1)
    run_here(asked, folder)
    simulator = dataclasses.replace(asked.simulator, backend="embedded", habitat_python="elsewhere")
    same = dataclasses.replace(asked, workers=3, policies=(*asked.policies, "forward"), simulator=simulator)
    with EpisodeStore(folder, same) as store:
        assert list(store.outcomes) == [(asked.policies[0], 0)]


def test_no_resume_refuses_records_and_says_where_they_are(config: Config, my: Path, tmp_path: Path) -> None:
    folder, asked = tmp_path / "out", config(f"{my}:Short", episodes=1)
    run_here(asked, folder, resume=False)
    with pytest.raises(UsageError, match=r"navigation-Short\.jsonl already holds 1 episodes, and --no-resume"):
        run_here(asked, folder, resume=False)


def test_two_runs_at_once_do_not_write_one_file(config: Config, my: Path, tmp_path: Path) -> None:
    asked = config(f"{my}:Short", episodes=1)
    with EpisodeStore(tmp_path, asked), pytest.raises(UsageError, match="being written by another"):
        run_here(asked, tmp_path)


@pytest.mark.parametrize("line", ["garbage", "[1]", "{}", '{"record": {"episode": 1}}', '{"skipped": {"x": 1}}'])
def test_a_damaged_line_is_named(config: Config, my: Path, tmp_path: Path, line: str) -> None:
    asked = config(f"{my}:Short", episodes=1)
    run_here(asked, tmp_path)
    with (tmp_path / "navigation-Short.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DatasetError, match=r"navigation-Short\.jsonl, line 3: not a line"):
        run_here(asked, tmp_path)


def test_ray_gives_the_same_records_and_keeps_them(
    config: Config, my: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a stand-in for Ray, which copies work and tasks as a cluster does; `test_ray` uses a real one."""
    monkeypatch.setitem(sys.modules, "ray", FakeRay())
    asked = config(f"{my}:Short")
    on_ray = run_policies(asked, folder=tmp_path / "out", execute=RayExecutor()).records["Short"]
    assert without_times(on_ray) == without_times(run_here(asked).records["Short"])
    assert len(stored(tmp_path / "out", "Short")) == 3


def test_a_policy_may_come_from_a_factory(config: Config, my: Path) -> None:
    from avw.model.policies.policy_file import load_policy

    by_file = run_here(config(f"{my}:Short", episodes=1)).records["Short"]
    asked = config("Mine", episodes=1)
    by_factory = run_here(asked, factories={"Mine": lambda: load_policy(f"{my}:Short")}).records["Mine"]
    assert without_times(by_factory) == [dataclasses.replace(r, policy="Mine") for r in without_times(by_file)]


@pytest.mark.parametrize(
    ("name", "words"),
    [("absent.py:Short", "there is no file"), ("my.py:Absent", "has no Absent"), ("my.py:Mute", "no method act"),
     ("my.py:", "not the name of a class")],
)  # fmt: skip
def test_a_policy_file_that_cannot_be_used_is_named(config: Config, my: Path, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run_here(config(my.parent / name, episodes=1))


def test_an_error_in_a_users_policy_is_shown_with_its_traceback(config: Config, my: Path) -> None:
    with pytest.raises(PolicyError, match=r"(?s)Broken failed in act, step 0.*ZeroDivisionError: in my own code"):
        run_policies(config(f"{my}:Broken", episodes=1))


def command(my: Path, out: Path, *more: str) -> list[str]:
    options = "--scenes procedural:200-201 --episodes 10 --seed 5 --workers 2 --json"
    return [sys.executable, "-m", "avw.cli", "navigate", "--policy", f"{my}:Slow", "--model", str(out / "none"),
            "--out", str(out), *options.split(), *more]  # fmt: skip


def start(my: Path, out: Path) -> subprocess.Popen[str]:
    """In a session of its own, so that a signal to the group reaches the command and its workers only."""
    return subprocess.Popen(
        command(my, out), cwd=ROOT, start_new_session=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for(process: subprocess.Popen[str], happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and not happened() and time.monotonic() < deadline:
        time.sleep(0.002)


@pytest.mark.slow
def test_killed_and_interrupted_runs_resume_and_end_with_the_records_of_a_quiet_one(my: Path, tmp_path: Path) -> None:
    """One run is ended three times: SIGKILL of the whole group, of the parent alone, and Ctrl-C."""
    out, kept = tmp_path / "out", b""
    path = out / "navigation-Slow.jsonl"
    for ending in ("group", "parent", "ctrl-c"):
        process = start(my, out)
        before = len(stored(out, "Slow"))
        wait_for(process, lambda before=before: len(stored(out, "Slow")) > before)  # type: ignore[misc]
        assert process.poll() is None, process.communicate()[1]
        if ending == "ctrl-c":
            os.killpg(process.pid, signal.SIGINT)
        else:
            (os.killpg if ending == "group" else os.kill)(process.pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=SECONDS)
        if ending == "ctrl-c":
            assert process.returncode == 130, errors
            assert "interrupted" in errors
            assert "Traceback" not in errors
        assert path.read_bytes().startswith(kept), "a record that was on the disk is gone"
        kept = b"".join(line.encode() + b"\n" for line in complete_lines(path))
    assert not (out / "navigation.json").exists()
    done = subprocess.run(command(my, out), cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes().startswith(kept)
    quiet = tmp_path / "quiet"
    subprocess.run(command(my, quiet), cwd=ROOT, capture_output=True, timeout=SECONDS, check=True)
    records = [read_records(folder / "navigation-Slow.json") for folder in (out, quiet)]
    assert without_times(records[0]) == without_times(records[1])
    assert json.loads((out / "navigation.json").read_text()) == json.loads((quiet / "navigation.json").read_text())
