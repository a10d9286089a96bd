"""What an agent would hear if it turned left or right, simulated, for states of recorded episodes.

A simulator is opened once per scene, with the agent placed at the state and the sound at the phase that it has then, so
that nothing has to be replayed. Opening a scene takes seconds, so the result is kept in $XDG_CACHE_HOME/avw/turns.

Shapes: B states · N steps · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import Windows
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import require_interpreter
from avw.sim_bridge.task.task import AudioNavTask
from avw.sim_bridge.types import STEP_SAMPLES, Action, Pose

SIDES = (Action.TURN_LEFT, Action.TURN_RIGHT)
VERSION = 1  # of the files in the cache
SMALL = 32  # pixels: the images are not used


def true_turns(
    windows: Windows, t_B: np.ndarray, steps: int, progress: Callable[[str], object] = lambda scene: None
) -> np.ndarray:
    """float32 (2, B, N, E, S): the sound of each of `steps` turns to the left, and to the right, after frames t.

    progress: called with each scene before it is opened. Raises an AvwError where a scene is not on this machine.
    """
    states = [(windows.episodes[int(windows.episode_F[t])].index, int(t - windows.start_F[t])) for t in t_B]
    file = _cache_folder() / f"{_key(windows.dataset, states, steps)}.npz"
    if file.exists():
        with np.load(file, allow_pickle=False) as stored:
            return stored["audio"]
    audio = np.zeros((2, len(t_B), steps, 2, STEP_SAMPLES), np.float32)
    scenes = [windows.episodes[int(windows.episode_F[t])].scene for t in t_B]
    order = sorted(range(len(t_B)), key=lambda b: scenes[b])
    spec = windows.dataset.spec
    require_interpreter(spec.simulator, f"the dataset {windows.dataset.path}")
    for scene, group in groupby(order, key=lambda b: scenes[b]):
        progress(scene)
        simulator = open_simulator(scene, replace(spec.simulator, size=SMALL))
        try:
            for b in group:
                audio[:, b] = _turns(AudioNavTask(simulator, spec.task), windows, int(t_B[b]), steps)
        finally:
            simulator.close()
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.stem}.{os.getpid()}.npz")
    np.savez(unfinished, audio=audio)
    unfinished.replace(file)
    return audio


def _turns(task: AudioNavTask, windows: Windows, t: int, steps: int) -> np.ndarray:
    """(2, N, E, S) of one state."""
    ref = windows.episodes[int(windows.episode_F[t])]
    step = int(t - windows.start_F[t])
    row = windows.dataset.read(ref, ["position", "yaw"], step, step + 1)
    x, y, z = (float(value) for value in row["position"][0])
    source = windows.dataset.source(ref)
    source = replace(source, phase=source.phase + step * STEP_SAMPLES)
    sounds = []
    for action in SIDES:
        task.reset(Pose(x, y, z, float(row["yaw"][0])), source, seed=ref.spec.source_seed)
        sounds.append([task.step(action).observation.audio_ES for _ in range(steps)])
    return np.array(sounds, np.float32)


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "avw" / "turns"


def _key(dataset: Dataset, states: list[tuple[int, int]], steps: int) -> str:
    text = json.dumps([VERSION, dataset.spec.sha256, states, steps])
    return hashlib.sha256(text.encode()).hexdigest()[:24]
