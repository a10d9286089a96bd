"""Recordings of navigation: the camera image beside a floor plan with the path, and the sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from avw.model.pictures.animation import WALK_GAIN, write_animation
from avw.model.pictures.film_strip import enlarged
from avw.model.pictures.floor_plan import FloorPlan
from avw.model.pictures.ink import IMAGINED
from avw.sim_bridge.errors import AvwError, BackendError
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.types import Observation, Pose, Source

SIDE = 384  # pixels of each of the two pictures


class Recorder:
    """Collects the frames of an episode, and writes them at its end."""

    def __init__(self, folder: Path, name: str, simulator: Simulator, source: Source):
        self.folder, self.name = folder, name
        try:
            self._plan = FloorPlan.of_scene(simulator.ref, SIDE)
        except AvwError as error:
            raise BackendError(
                f"the floor plan of {simulator.scene_id} could not be drawn ({error}); run without --video"
            ) from error
        self._plan.source(source.position_3[0], source.position_3[2])
        self._path: list[tuple[float, float]] = []
        self._frames: list[np.ndarray] = []
        self._audio: list[np.ndarray] = []

    def add(self, observation: Observation, pose: Pose) -> None:
        """Add one step: image, sound, and the pose for the floor plan."""
        self._path.append((pose.x, pose.z))
        plan = self._plan.copy()
        plan.path(self._path, IMAGINED)
        plan.agent(pose, IMAGINED)
        self._frames.append(np.hstack([np.asarray(enlarged(observation.rgb_HWC, SIDE)), np.asarray(plan.image)]))
        self._audio.append(observation.audio_ES)

    def write(self, success: bool) -> list[Path]:
        """Write NAME-found.mp4 or NAME-lost.mp4 (or .gif and .wav). Returns the paths written."""
        name = f"{self.name}-{'found' if success else 'lost'}"
        return write_animation(self.folder / name, self._frames, np.concatenate(self._audio, axis=1) * WALK_GAIN)
