"""The benchmark of whole steps: its rows, and what it says of a habitat-sim that is absent, broken, or there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import habitat_peer
from benchmarks.habitat_peer import habitat_frames, has_habitat
from benchmarks.simulate import simulate
from sim_bridge.errors import BackendError
from sim_bridge.scenes.shoebox import shoebox
from sim_bridge.types import Pose

POSES = [Pose(0.0, 0.0, 0.0, 0.1), Pose(0.5, 0.0, 0.0, 0.4)]
# As much of habitat-sim as the program of frames calls.
FAKE = """
import numpy as np
__version__ = "9.9"
class Anything:
    def __init__(self, *a): self.__dict__["a"] = a
SimulatorConfiguration = Configuration = CameraSensorSpec = AgentState = Anything
class SensorType: COLOR, DEPTH = 1, 2
class agent: AgentConfiguration = Anything
class utils:
    class common:
        @staticmethod
        def quat_from_angle_axis(angle, axis): return (angle, axis)
class Agent:
    def set_state(self, state): assert state.position.shape == (3,)
class Simulator:
    def __init__(self, configuration):
        backend, (agent,) = configuration.a
        assert open(backend.scene_id, "rb").read(4) == b"glTF"
        assert open(backend.scene_id.replace(".glb", ".stage_config.json")).read()
        self.size = agent.sensor_specifications[0].resolution
    def get_agent(self, number): return Agent()
    def get_sensor_observations(self): return {"depth": np.full(self.size, DEPTH)}
    def close(self): pass
"""


def _with_habitat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "habitat_sim.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_frames_are_timed_in_the_other_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_habitat(tmp_path, monkeypatch, FAKE.replace("DEPTH)", "2.0)"))
    found = habitat_frames(sys.executable, shoebox((6.0, 3.0, 5.0)), POSES, 64, 90.0)
    assert found.version == "9.9"
    assert 0.0 <= found.cpu < 100.0
    assert 0.0 < found.wall < 100.0


def test_a_scene_that_did_not_load_is_no_peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_habitat(tmp_path, monkeypatch, FAKE.replace("DEPTH)", "0.0)"))
    with pytest.raises(BackendError, match="saw nothing"):
        habitat_frames(sys.executable, shoebox((6.0, 3.0, 5.0)), POSES, 64, 90.0)


def test_a_habitat_that_dies_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_habitat(tmp_path, monkeypatch, "raise SystemExit('no EGL device')")
    with pytest.raises(BackendError, match="no EGL device"):
        habitat_frames(sys.executable, shoebox((6.0, 3.0, 5.0)), POSES, 64, 90.0)


def test_a_python_that_is_none_is_an_error() -> None:
    with pytest.raises(BackendError, match="cannot be run"):
        has_habitat("/no/such/python")


def test_rlr_costs_something_where_it_is_installed() -> None:
    pytest.importorskip(
        "rlr_audio_propagation", reason="rlr-audio-propagation is not installed: pip install 'avw[rlr]'"
    )
    assert habitat_peer.rlr_milliseconds(shoebox((6.0, 3.0, 5.0)), np.array([1.5, 1.5, -1.0]), POSES) > 1.0


@pytest.mark.slow
def test_the_benchmark_prints_its_rows() -> None:
    arguments = ["--quick", "--steps", "20", "--size", "32", "--emitters", "500", "--json"]
    document = json.loads(CliRunner().invoke(simulate, arguments, catch_exceptions=False).stdout)
    rows = {row["name"]: row for row in document["rows"]}
    assert rows["steps, the source's trace shared among 160"]["ours"] > 1.0
    assert rows["whole step"]["ours"] > rows["sight (RGB-D)"]["ours"]
