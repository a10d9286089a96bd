"""The benchmark of whole steps: its rows, and its behaviour if habitat-sim is missing or fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from avw.sim_bridge.errors import BackendError
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.types import Pose
from benchmarks import habitat_peer
from benchmarks.simulate import simulate

POSES = [Pose(0.0, 0.0, 0.0, 0.1), Pose(0.5, 0.0, 0.0, 0.4)]
SMALL = SimulatorConfig(backend="habitat", size=32, emitters=200)


def test_a_missing_habitat_is_none_and_a_named_one_that_fails_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "habitat_sim.py").write_text("raise ModuleNotFoundError(\"No module named 'habitat_sim'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("AVW_HABITAT_PYTHON", sys.executable)
    assert habitat_peer.open_habitat("procedural-0000", SMALL) is None
    with pytest.raises(BackendError, match="cannot be run"):
        habitat_peer.open_habitat("procedural-0000", SimulatorConfig(backend="habitat", habitat_python="/no/python"))


@pytest.mark.habitat
def test_frames_of_a_real_habitat_take_time() -> None:
    simulator = habitat_peer.open_habitat("procedural-0000", SMALL)
    assert simulator is not None
    x, y, z = simulator.navgrid.sample(np.random.default_rng(0))
    found = habitat_peer.habitat_frames(simulator, [Pose(x, y, z, 0.3 * n) for n in range(20)])
    assert 0.0 < found.cpu < 1_000.0
    assert 0.0 < found.wall < 1_000.0
    assert found.version[0].isdigit()


def test_rlr_takes_time() -> None:
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
