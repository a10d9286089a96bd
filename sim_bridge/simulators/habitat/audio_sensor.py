"""Habitat-Sim's own audio sensor as an `AcousticEngine`: SoundSpaces 2.0's engine, RLR, in Habitat's process."""

from __future__ import annotations

import itertools
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avw.sim_bridge.acoustics.engine import checked_position
from avw.sim_bridge.acoustics.rlr import LEVEL, RlrSettings
from avw.sim_bridge.errors import BackendError, UsageError
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.simulators.habitat import remedies
from avw.sim_bridge.simulators.habitat.heard_scene import write_heard_scene
from avw.sim_bridge.simulators.habitat.session import Session
from avw.sim_bridge.types import SAMPLE_RATE, Pose

_MAX_POSES = 50  # poses of an episode that are repeated in one request
_REPLAYS = 3  # crashes on one response, after which the response itself is taken for the cause
_episodes = itertools.count()


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioSensorConfig(RlrSettings):
    """Settings of Habitat-Sim's audio sensor: those of RLR, which it runs."""


class AudioSensorEngine:
    """See `AcousticEngine`. The sensor has no seed, so `seed` is ignored. `sensor_trust` checks the sensor before use.

    It uses exactly the triangles and materials of `scene`. As with RLR, a response depends on all responses since
    `set_source`. If Habitat's process crashes, they are computed again, and the episode continues unchanged.
    """

    name = "habitat"
    reproducible = False

    def __init__(self, session: Session, scene: Scene, config: AudioSensorConfig | None = None):
        self.config = config or AudioSensorConfig()
        self.sample_rate = SAMPLE_RATE
        self.n_samples = round(self.config.length_seconds * self.sample_rate)
        self.cpu_seconds = 0.0  # CPU time of Habitat's process for responses so far
        self._session = session
        self._scene = scene
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # where Habitat reads the scene
        self._files: dict[str, str] = {}
        self._source: list[float] | None = None
        self._episode = ""
        self._poses: list[list[float]] = []

    def set_source(self, position_3: np.ndarray, seed: int = 0) -> None:
        """Place the source (metres) for a new sensor: later responses depend only on the calls after this one."""
        self._source = [float(value) for value in checked_position(position_3)]
        self._episode = f"{os.getpid()}-{next(_episodes)}"
        self._poses = []
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="avw-heard-")
            stage, materials = write_heard_scene(self._scene, Path(self._folder.name))
            self._files = {"stage": str(stage), "materials": str(materials)}

    def impulse_response(self, pose: Pose) -> np.ndarray:
        """float32 (2, S): from the source to the left and right ear of a head at `pose`."""
        if self._source is None:
            raise UsageError("no source in this acoustic engine: call set_source before impulse_response")
        x, y, z = (float(value) for value in pose.ears_3)
        self._poses.append([x, y, z, float(pose.yaw)])
        try:
            heard_ES = self._heard()
        except BaseException:
            self._poses.pop()  # there is no response for it
            raise
        response_ES = np.zeros((2, self.n_samples), dtype=np.float32)
        kept = min(self.n_samples, heard_ES.shape[1])
        response_ES[:, :kept] = heard_ES[:, :kept]
        return response_ES * np.float32(LEVEL)

    def close(self) -> None:
        """Delete the scene's files; `set_source` writes them again. May be called twice."""
        self._source = None
        if self._folder is not None:
            self._folder.cleanup()
        self._folder = None

    def _heard(self) -> np.ndarray:
        """The response at the last pose. For a new worker, the episode is repeated from its start."""
        heard_ES = self._ask(len(self._poses) - 1)
        for _ in range(_REPLAYS):
            if heard_ES is not None:
                return heard_ES
            for since in range(0, len(self._poses), _MAX_POSES):
                heard_ES = self._ask(since)
                if heard_ES is None:  # it crashed again
                    break
        if heard_ES is None:
            raise BackendError(remedies.died_listening(self._scene.scene_id, _REPLAYS))
        return heard_ES

    def _ask(self, since: int) -> np.ndarray | None:
        """The last response to the poses from `since` on, 50 at most; None if the worker does not have the episode."""
        reply, answer = self._session.listen(
            self._scene.scene_id,
            **self._files,
            settings={
                "sampleRate": self.sample_rate,
                "threadCount": 1,  # with more threads, responses differ between runs
                "frequencyBands": self.config.bands,
                "indirectRayCount": self.config.rays,
                "indirectRayDepth": self.config.depth,
                "diffraction": self.config.diffraction,
                "transmission": self.config.transmission,
                "temporalCoherence": False,  # if it is on, levels are wrong after a jump
                "globalVolume": 1.0,  # as in RLR outside of Habitat, for which LEVEL was measured
            },
            episode=self._episode,
            source=self._source,
            since=since,
            poses=self._poses[since : since + _MAX_POSES],
        )
        if reply["lost"]:
            return None
        self.cpu_seconds += reply["cpu_seconds"]
        return answer[0]
