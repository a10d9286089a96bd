"""A dataset from someone else may name a program in its info.json. No command may run it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import pytest
from click.testing import CliRunner

from avw.avw4k.plan.spec import json_sha256, plan
from avw.avw4k.reading.checks import check_shard
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.shards.manifest import write_manifest
from avw.avw4k.writing.generate import generate
from avw.cli.main import avw
from avw.sim_bridge.errors import AvwError
from avw.sim_bridge.simulators import open_simulator
from avw.sim_bridge.simulators.protocol import stored_config

OPTIONS = "--scenes procedural:1 --trajectories 2 --steps 2 --size 16 --emitters 200 --workers 1 --episodes-per-shard 1"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("good") / "data"
    done = CliRunner().invoke(avw, ["generate", str(folder), *OPTIONS.split()])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What the program writes when it runs."""
    return tmp_path / "it-ran"


@pytest.fixture
def evil(good: Path, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The dataset, with a program in its spec that a simulator on Habitat would start, and with shards to make."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    monkeypatch.setenv("AVW_HABITAT_PYTHON", str(tmp_path / "no-such-python"))
    folder = tmp_path / "evil"
    folder.mkdir()
    info: dict[str, Any] = json.loads((good / "info.json").read_text())
    info["spec"]["simulator"] |= {"backend": "habitat", "habitat_python": str(program), "scene_root": str(tmp_path)}
    info["spec_sha256"] = json_sha256(info["spec"])
    (folder / "info.json").write_text(json.dumps(info))
    return folder


def refused(*arguments: str | Path) -> str:
    """Run a command that fails because the interpreter of $AVW_HABITAT_PYTHON does not exist; returns its message."""
    done = CliRunner().invoke(avw, [str(argument) for argument in arguments])
    assert done.exit_code not in (0, None)
    said = f"{done.output} {done.exception}"
    assert "no-such-python" in said
    assert "--habitat-python" in said
    return said


def test_verify_runs_no_program_of_the_dataset(evil: Path, marker: Path) -> None:
    refused("verify", evil, "--repair")
    assert not marker.exists()


def test_a_replay_runs_no_program_of_the_dataset(good: Path, evil: Path, marker: Path) -> None:
    spec = open_dataset(evil).spec
    records = []
    for shard in plan(spec):
        path = Path(shutil.copy(good / shard.name, evil))
        with h5py.File(path, "r+") as file:
            for group in (file["data"], *file["data"].values()):
                group.attrs["spec_sha256"] = spec.sha256
        records.append(check_shard(path, spec, shard))
    write_manifest(evil, records)
    refused("verify", evil, "--replay", "1")
    assert not marker.exists()


def test_a_resume_runs_no_program_of_the_dataset(evil: Path, marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_simulator, "backend_versions", lambda config: {})
    refused("generate", evil, *OPTIONS.split(), "--backend", "habitat")
    with pytest.raises(AvwError, match="no-such-python"):
        generate(evil, open_dataset(evil).spec)
    assert not marker.exists()


def test_navigate_runs_no_program_of_the_dataset(evil: Path, marker: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text(json.dumps({"data": str(evil)}))
    arguments = ["--policy", "random", "--scenes", "procedural:1", "--episodes", "1", "--workers", "1", "--model"]
    refused("navigate", *arguments, run)
    assert not marker.exists()


def test_what_is_ignored_is_logged_with_what_to_type(evil: Path, caplog: pytest.LogCaptureFixture) -> None:
    spec = open_dataset(evil).spec
    assert spec.simulator.habitat_python is None
    (message,) = {record.getMessage() for record in caplog.records}
    for words in ("habitat_python", "scene_root", "--habitat-python PYTHON", "$AVW_HABITAT_PYTHON", "--scene-root DIR"):
        assert words in message


def test_a_stored_configuration_without_them_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    assert stored_config({"backend": "embedded", "scene_root": None}).backend == "embedded"
    assert not caplog.records
    with pytest.raises(ValueError, match=r"no field 'simulator\.program'"):
        stored_config({"program": "x"})


@pytest.mark.parametrize("arguments", [("verify", "--replay", "1"), ("verify", "--repair")])
def test_a_stored_backend_asks_for_its_interpreter(
    evil: Path, marker: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AVW_HABITAT_PYTHON")
    done = CliRunner().invoke(avw, [arguments[0], str(evil), *arguments[1:]])
    assert done.exit_code == 2
    assert "names the backend habitat" in done.output
    assert "--habitat-python" in done.output
    assert not marker.exists()
