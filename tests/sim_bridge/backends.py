"""The simulator backends that must behave the same: ours, and Habitat in a child process and in this process."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.scenes.catalogue import scene_ref
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator, SimulatorConfig
from avw.sim_bridge.task.task import sample_episode
from avw.sim_bridge.types import Action, Observation

BACKENDS = [
    "embedded",
    pytest.param("habitat", marks=pytest.mark.habitat),
    pytest.param("in-process", marks=pytest.mark.habitat("in-process")),
]
"""Parameters for a fixture: `@pytest.fixture(params=BACKENDS)`."""
SOUNDSPACES = pytest.param("soundspaces", marks=[pytest.mark.habitat("soundspaces"), pytest.mark.slow])
"""One more backend, for the tests of the simulator contract; it takes half a minute to open a scene."""
ACTIONS = [1, 1, 2, 2, 2, 1, 1, 1, 3, 1, 1, 0, 1, 1, 2, 1]


def config_of(backend: str, **chosen: Any) -> SimulatorConfig:
    """The configuration of one of BACKENDS."""
    if backend == "embedded":
        return SimulatorConfig(backend=backend, **chosen)
    if backend == "soundspaces":
        return SimulatorConfig(backend=backend, habitat_python=os.environ["AVW_SOUNDSPACES_PYTHON"], **chosen)
    return SimulatorConfig(
        backend="habitat", habitat_python="in-process" if backend == "in-process" else None, **chosen
    )


def open_backend(backend: str, scene: str = "procedural-0002", root: Path | None = None, **chosen: Any) -> Simulator:
    """A simulator of one of BACKENDS, with small images and few emitters."""
    return open_simulator(scene_ref(scene, root), config_of(backend, **({"size": 32, "emitters": 2_000} | chosen)))


def open_mesh(backend: str, scene: Scene, folder: Path, name: str = "flat.glb", **chosen: Any) -> Simulator:
    """Open `scene` from a file whose name does not depend on its folder, because episodes depend on the name."""
    export_glb(scene, folder / name)
    return open_backend(backend, name, folder, **chosen)


def free_space(backend: str, scene: Scene, folder: Path) -> FreeSpace:
    return open_mesh(backend, scene, folder, size=16, emitters=200).navgrid


def digest(observations: list[Observation]) -> str:
    """SHA-256 of all images and sounds."""
    hashed = hashlib.sha256()
    for observation in observations:
        for array in (observation.rgb_HWC, observation.depth_HW, observation.audio_ES):
            hashed.update(np.ascontiguousarray(array).tobytes())
    return hashed.hexdigest()


def play(simulator: Simulator, episode: int, seed: int = 7) -> list[Observation]:
    """The observations of a short walk from the start of an episode."""
    start, source = sample_episode(simulator, episode)
    observations = [simulator.reset(start, source, seed=seed)]
    return observations + [simulator.step(Action(action)) for action in ACTIONS]
