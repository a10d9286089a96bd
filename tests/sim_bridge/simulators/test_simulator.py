"""The one door: what it opens, what it refuses, and that nothing behind it needs torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig


def test_every_backend_name_opens_the_embedded_simulator() -> None:
    for backend in ("auto", "embedded"):
        simulator = open_simulator("procedural-0000", SimulatorConfig(backend=backend, size=16, emitters=200))
        assert simulator.backend == "embedded"
        assert simulator.scene_id == "procedural-0000"
        assert simulator.reproducible
        simulator.close()


def test_an_unknown_backend_or_engine_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"unknown backend .unity.*auto, embedded"):
        open_simulator("procedural-0000", SimulatorConfig(backend="unity"))
    with pytest.raises(UsageError, match=r"unknown acoustics 'echo'"):
        open_simulator("procedural-0000", SimulatorConfig(acoustics="echo", size=16))


def test_simulating_imports_neither_torch_nor_h5py() -> None:
    code = (
        "import sys\n"
        "from avw.sim_bridge.simulators.open_simulator import open_simulator\n"
        "from avw.sim_bridge.simulators.protocol import SimulatorConfig\n"
        "from avw.sim_bridge.task.task import AudioNavTask, sample_episode\n"
        "simulator = open_simulator('procedural-0000', SimulatorConfig(size=16, emitters=200))\n"
        "task = AudioNavTask(simulator)\n"
        "task.reset(*sample_episode(simulator, 0))\n"
        "task.step(1)\n"
        "print([name for name in ('torch', 'h5py', 'gymnasium') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "[]"


def test_opening_the_door_is_cheap_to_import() -> None:
    heavy = ("numba", "scipy", "embreex")
    code = f"import sys, avw.sim_bridge.simulators.open_simulator; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
