"""What a user without a (good) Habitat-Sim is told: one sentence each, from real processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from avw.sim_bridge.errors import AvwError, BackendError
from avw.sim_bridge.simulators.habitat import session
from avw.sim_bridge.simulators.habitat.session import Session, find_python, open_session
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from tests.sim_bridge.processes import descendants


def refusal(python: str) -> str:
    before = set(descendants(os.getpid()))
    with pytest.raises(BackendError) as raised:
        Session(python)
    sentence = str(raised.value)
    assert "\n" not in sentence
    left = set(descendants(os.getpid())) - before
    assert not [pid for pid in left if "worker.py" in _command(pid)], "it left a worker behind"
    return sentence


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes what this interpreter's children then import as habitat_sim: not a simulator, only what is refused."""

    def write(text: str) -> str:
        (tmp_path / "habitat_sim.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return sys.executable

    return write


def test_a_python_that_is_absent_or_a_folder(tmp_path: Path) -> None:
    assert "'/no/such/python' cannot be run (No such file" in refusal("/no/such/python")
    assert "cannot be run (Permission denied)" in refusal(str(tmp_path))
    script = tmp_path / "python"
    script.write_text("not for this machine")
    script.chmod(0o755)
    assert "cannot be run (Exec format error)" in refusal(str(script))


def test_a_child_that_is_ended_before_its_first_reply_is_replaced(module, tmp_path: Path) -> None:
    """As by the kernel when the memory is full, or by a job scheduler."""
    marker = tmp_path / "started"
    python = module(
        f"import os, pathlib\nmarker = pathlib.Path({str(marker)!r})\nagain = marker.exists()\nmarker.touch()\n"
        "if not again:\n    os.kill(os.getpid(), 9)\n"
    )
    sentence = refusal(python)
    assert marker.exists()
    assert "signal 9" not in sentence


def test_a_program_that_is_no_python() -> None:
    for program in ("/bin/cat", "/bin/true"):
        sentence = refusal(program)
        assert f"{program!r} ended with exit code 0 before Habitat-Sim answered" in sentence
        assert "--habitat-python" in sentence


def test_a_python_without_habitat_sim(module) -> None:
    python = module("raise ModuleNotFoundError(\"No module named 'habitat_sim'\")")
    sentence = refusal(python)
    assert f"habitat-sim is not installed in {python}" in sentence
    assert "AVW_HABITAT_PYTHON" in sentence
    assert "--backend embedded" in sentence


def test_one_that_is_too_old(module) -> None:
    """Of 0.1.7 there is the version alone here: it is refused before anything else is asked of it."""
    sentence = refusal(module('__version__ = "0.1.7"'))
    assert "it is habitat-sim 0.1.7" in sentence
    assert "needs 0.2.2 or newer" in sentence
    for accepted in ("0.2.2", "0.3.3+57ee494", "1.0.0rc1", "0.10.0"):
        opened = Session(module(f'__version__ = "{accepted}"'))
        assert opened.hello["version"] == accepted
        opened.close()


def test_imports_that_fail_and_imports_that_kill(module) -> None:
    missing = "libEGL.so.1: cannot open shared object file: No such file or directory"
    assert "install libegl1" in refusal(module(f"raise ImportError({missing!r})"))
    sentence = refusal(module("raise ImportError('numpy.core.multiarray failed to import')"))
    assert "cannot be imported (ImportError: numpy.core.multiarray" in sentence
    killed = module("import os, sys; sys.stderr.write('free(): invalid pointer'); sys.stderr.flush(); os.abort()")
    sentence = refusal(killed)
    assert "ended with signal 6 before Habitat-Sim answered" in sentence
    assert "'free(): invalid pointer'" in sentence
    assert f"`{killed} -c 'import habitat_sim'`" in sentence


def test_a_worker_of_another_avw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PROTOCOL", 999)
    assert "of another version of AVW (it speaks protocol 1, not 999)" in refusal(sys.executable)


def test_the_backend_says_the_same_and_remembers_nothing(module) -> None:
    python = module("raise ModuleNotFoundError(\"No module named 'habitat_sim'\")")
    for _ in range(2):
        with pytest.raises(AvwError, match="habitat-sim is not installed"):
            open_simulator("procedural-0000", SimulatorConfig(backend="habitat", habitat_python=python))
    assert open_session(module('__version__ = "0.2.5"')).hello["version"] == "0.2.5"
    session.close_sessions()


def test_which_python_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AVW_HABITAT_PYTHON", raising=False)
    assert find_python(None) == sys.executable
    monkeypatch.setenv("AVW_HABITAT_PYTHON", "/opt/habitat/bin/python")
    assert find_python(None) == "/opt/habitat/bin/python"
    assert find_python("in-process") == "in-process"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_python("~/env/bin/python") == f"{tmp_path}/env/bin/python"
    (tmp_path / "somepython").write_text("#!/bin/sh\n")
    (tmp_path / "somepython").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_python("somepython") == f"{tmp_path}/somepython"
