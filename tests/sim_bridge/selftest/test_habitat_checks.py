"""`avw doctor --backend habitat`: every failed check says what to type, and a correct build passes all checks."""

from __future__ import annotations

import importlib.util
import json
import os
import sys

import pytest
from click.testing import CliRunner

from avw.cli.doctor import doctor
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.selftest.run_checks import run_checks
from avw.sim_bridge.simulators.habitat import session
from tests.sim_bridge.habitat_sensors import session_whose_sensor_is

ENGINES = ("emitters", "rlr", "habitat")


def run(*arguments: str) -> tuple[int, dict]:
    result = CliRunner().invoke(doctor, [*arguments, "--json"])
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # The command exports its option, which must not outlive the test.
    monkeypatch.setenv("AVW_HABITAT_PYTHON", os.environ.get("AVW_HABITAT_PYTHON", ""))


def test_a_wrong_python_is_the_only_failed_check() -> None:
    code, document = run("--backend", "habitat", "--habitat-python", "/no/such/python")
    assert code == 1
    assert document["backend"] == "habitat"
    (check,) = document["checks"]
    assert not check["ok"]
    assert "'/no/such/python' cannot be run" in check["fix"]


@pytest.mark.skipif(importlib.util.find_spec("habitat_sim") is not None, reason="habitat_sim is in this interpreter")
def test_a_python_without_habitat_says_what_to_type() -> None:
    result = CliRunner().invoke(doctor, ["--backend", "habitat", "--habitat-python", sys.executable])
    assert result.exit_code == 1
    assert "0 of 1 tests passed" in result.output
    assert "--habitat-python" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("arguments", [{"backend": "embedded"}, {}])
def test_the_sensor_needs_the_habitat_backend(arguments: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="--backend habitat"):
        next(run_checks("habitat", **arguments))


@pytest.mark.habitat
@pytest.mark.slow
@pytest.mark.parametrize("acoustics", ENGINES)
def test_all_checks_pass_on_a_correct_build(acoustics: str) -> None:
    if acoustics == "rlr" and importlib.util.find_spec("rlr_audio_propagation") is None:
        pytest.skip("rlr-audio-propagation is not installed: pip install 'avw[rlr]'")
    python = session_whose_sensor_is(right=True).python
    results = list(run_checks(acoustics, "habitat", python))
    assert len(results) == 19
    assert not [f"{check.name}: {check.measured}" for check in results if not check.ok]


@pytest.mark.habitat
@pytest.mark.slow
def test_with_the_position_bug_the_sensor_fails_and_the_other_checks_still_run() -> None:
    code, document = run("--backend", "habitat", "--habitat-python", session_whose_sensor_is(right=False).python,
                         "--acoustics", "habitat")  # fmt: skip
    assert code == 1
    failed = [check for check in document["checks"] if not check["ok"]]
    assert [check["name"] for check in failed] == ["the audio sensor hears sources at their positions"]
    assert "2632" in failed[0]["fix"]
    assert len(document["checks"]) == 8


@pytest.mark.habitat
@pytest.mark.slow
def test_without_a_graphics_context_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real habitat-sim that finds no driver, because the EGL loader is pointed at an empty folder."""
    python = session_whose_sensor_is(right=True).python
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_DIRS", "/nonexistent")
    monkeypatch.setattr(session, "_sessions", {})
    results = list(run_checks("habitat", "habitat", python))
    session.close_sessions()
    assert not results[-1].ok
    assert "libegl1" in results[-1].fix
    assert all(check.ok for check in results[:-1]), "the acoustic checks need no graphics"
