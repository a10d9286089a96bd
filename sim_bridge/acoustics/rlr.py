"""RLR-Audio-Propagation, SoundSpaces 2.0's acoustic engine, as an optional `AcousticEngine`.

Closed source, CC-BY-NC-4.0, Linux x86-64: `pip install 'avw[rlr]'`. Its reverberation uses random numbers from a stream
that every response advances, so it is not reproducible in our sense: a response depends on the requests before it. With
one thread and a new context for every source, the same calls in the same order do give the same responses. An episode
always requests its responses in order from step 0, so it repeats.
"""

from __future__ import annotations

import importlib.util
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avw.sim_bridge.acoustics.engine import checked_position
from avw.sim_bridge.acoustics.rlr_materials import write_materials
from avw.sim_bridge.acoustics.rlr_process import RlrProcess
from avw.sim_bridge.errors import BackendError, UsageError
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.types import SAMPLE_RATE, Pose

LEVEL = 2.41
"""Factor from RLR's pressure to ours: energy 1 in the mean of both ears for a frontal source at 1 m (measured at 2)."""
MONO_LEVEL = 3.35
"""The same factor for its mono listener: a source at r metres has energy 1/r^2 (within 0.3 dB from 1 to 8 m)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RlrSettings:
    """Settings of RLR itself, in our child process or in Habitat-Sim's audio sensor.

    rays: RLR's and Habitat's default is 5,000, SoundSpaces uses 500 for navigation
    depth: maximum number of bounces of a ray; fewer than 200 shorten the decay of coupled rooms
    bands: frequency bands; RLR's default is 4, which blurs octave-band materials
    diffraction, transmission: on by default, as in RLR (its diffraction has no effect without mesh simplification)
    length_seconds: responses are cut or padded to this length
    """

    rays: int = 500
    depth: int = 200
    bands: int = 8
    diffraction: bool = True
    transmission: bool = True
    length_seconds: float = 1.25

    def __post_init__(self) -> None:
        if self.rays < 1 or self.depth < 1 or self.bands < 1:
            raise UsageError("rays, depth and bands must be at least 1")
        if not self.length_seconds > 0.0:
            raise UsageError("length_seconds must be above 0")


@dataclass(frozen=True, kw_only=True, slots=True)
class RlrConfig(RlrSettings):
    """`RlrSettings`, and patience_seconds: a child process that gives no answer for so long is ended."""

    patience_seconds: float = 300.0

    def __post_init__(self) -> None:
        RlrSettings.__post_init__(self)  # `super()` without arguments does not work in a dataclass with slots
        if not self.patience_seconds > 0.0:
            raise UsageError("patience_seconds must be above 0")


class RlrEngine:
    """See `AcousticEngine`. RLR has no seed, so `seed` is ignored.

    Raises BackendError if RLR is not installed, or if its process dies or gives no answer. After that, `set_source`
    starts another process, so that a run over many episodes loses only one of them.
    """

    name = "rlr"
    reproducible = False

    def __init__(self, scene: Scene, config: RlrConfig | None = None, sample_rate: int = SAMPLE_RATE):
        if importlib.util.find_spec("rlr_audio_propagation") is None:
            raise BackendError(
                "the RLR acoustic engine is not installed; type: pip install 'avw[rlr]' (Linux x86-64, licence "
                "CC-BY-NC-4.0), or use --acoustics emitters"
            )
        self.config = config or RlrConfig()
        self.sample_rate = sample_rate
        self.n_samples = round(self.config.length_seconds * sample_rate)
        self.cpu_seconds = 0.0  # CPU time that its processes have spent on responses so far
        self._scene = scene
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # where RLR reads the materials
        self._process: RlrProcess | None = None
        self._source: list[float] | None = None

    def set_source(self, position_3: np.ndarray, seed: int = 0) -> None:
        """Place the source (metres), in a new context: the next responses depend only on the calls after this one."""
        position = [float(value) for value in checked_position(position_3)]
        if self._process is None:
            self._start()
        self._ask({"do": "source", "position": position})
        self._source = position

    def impulse_response(self, pose: Pose) -> np.ndarray:
        """float32 (2, S): from the source to the left and right ear of a head at `pose`."""
        quaternion = [math.cos(pose.yaw / 2), 0.0, math.sin(pose.yaw / 2), 0.0]  # w, x, y, z: about +Y
        return self._listen("binaural", pose.ears_3, quaternion) * np.float32(LEVEL)

    def omni_response(self, position_3: np.ndarray) -> np.ndarray:
        """float32 (S,): from the source to an omnidirectional microphone at `position_3` (metres; not on the floor)."""
        return self._listen("mono", position_3, [1.0, 0.0, 0.0, 0.0])[0] * np.float32(MONO_LEVEL)

    def close(self) -> None:
        """End the child process; `set_source` starts another one. Safe to call twice."""
        process, self._process = self._process, None
        self._source = None
        if process is not None:
            process.close()
        if self._folder is not None:
            self._folder.cleanup()

    def __del__(self) -> None:
        if getattr(self, "_process", None) is not None:
            self.close()

    def _start(self) -> None:
        """Start a process and send it the scene."""
        scene = self._scene
        self._folder = tempfile.TemporaryDirectory(prefix="avw-rlr-")
        database = Path(self._folder.name) / "materials.json"
        names = write_materials(scene, database)
        settings = {
            "sample_rate": float(self.sample_rate),
            "thread_count": 1,
            "frequency_bands": self.config.bands,
            "indirect_ray_count": self.config.rays,
            "indirect_ray_depth": self.config.depth,
            "diffraction": int(self.config.diffraction),
            "transmission": int(self.config.transmission),
            "temporal_coherence": 0,  # if on, levels after a jump of the listener are wrong
            "max_ir_length": max(4.0, self.config.length_seconds),
        }
        self._process = RlrProcess(scene.scene_id, self.config.patience_seconds)
        self._ask(
            {"do": "scene", "settings": settings, "materials": str(database), "names": names},
            scene.vertices_V3.astype(np.float32),
            scene.faces_F3.astype(np.int32),
            scene.surface_F.astype(np.int32),
        )

    def _listen(self, layout: str, position_3: np.ndarray, quaternion: list[float]) -> np.ndarray:
        if self._source is None:
            raise UsageError("no source in this acoustic engine: call set_source before you request a response")
        position = [float(value) for value in position_3]
        header = {"do": "listen", "layout": layout, "position": position, "quaternion": quaternion}
        raw_CS = self._ask(header)[0]
        response_CS = np.zeros((len(raw_CS), self.n_samples), dtype=np.float32)
        kept = min(self.n_samples, raw_CS.shape[1])
        response_CS[:, :kept] = raw_CS[:, :kept]
        return response_CS

    def _ask(self, header: dict[str, Any], *arrays: np.ndarray) -> list[np.ndarray]:
        assert self._process is not None
        try:
            reply, answer = self._process.ask(header, *arrays)
        except BackendError:
            self.close()
            raise
        if header["do"] == "listen":
            self.cpu_seconds += reply["cpu_seconds"]
        return answer
