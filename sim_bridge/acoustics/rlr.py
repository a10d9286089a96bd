"""RLR-Audio-Propagation, SoundSpaces 2.0's acoustic engine, as an optional `AcousticEngine`.

Closed source, CC-BY-NC-4.0, Linux x86-64: `pip install 'avw[rlr]'`. Its reverberation is drawn from a stream that
every answer moves on, so it is not reproducible in our sense: a response depends on those asked for before. With one
thread and a fresh context for every source, the same calls in the same order do repeat, which is how an episode
asks: from its step 0 on.
"""

from __future__ import annotations

import importlib.util
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avw.sim_bridge.acoustics.rlr_materials import write_materials
from avw.sim_bridge.acoustics.rlr_process import RlrProcess
from avw.sim_bridge.errors import BackendError, UsageError
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.types import SAMPLE_RATE, Pose

LEVEL = 2.41
"""RLR's pressure to ours: makes a frontal source at 1 m have energy 1 in the mean of the ears (measured at 2 m)."""
MONO_LEVEL = 3.35
"""The same for its mono listener: a source at r metres has energy 1 / r^2 (within 0.3 dB from 1 to 8 m)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RlrConfig:
    """rays: 5,000 is RLR's default, 500 SoundSpaces' for navigation · depth: bounces a ray may live; fewer than 200
    cut the tails of coupled rooms · bands: 4 by default there, which smears octave-band materials
    diffraction, transmission: as there, on by default (its diffraction does nothing without mesh simplification)
    length_seconds: responses are cut or padded to this · patience_seconds: a silence that counts as a hang.
    """

    rays: int = 500
    depth: int = 200
    bands: int = 8
    diffraction: bool = True
    transmission: bool = True
    length_seconds: float = 1.25
    patience_seconds: float = 300.0

    def __post_init__(self) -> None:
        if self.rays < 1 or self.depth < 1 or self.bands < 1:
            raise UsageError("rays, depth and bands must be at least 1")
        if not (self.length_seconds > 0.0 and self.patience_seconds > 0.0):
            raise UsageError("length_seconds and patience_seconds must be above 0")


class RlrEngine:
    """See `AcousticEngine`. RLR offers no seed: `seed` is ignored. Raises BackendError where it is absent or dies.

    After a death, `set_source` starts another process: a run over many episodes loses one of them, not all.
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
        self.cpu_seconds = 0.0  # what its processes have spent on responses so far
        self._scene = scene
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # where RLR reads the materials
        self._process: RlrProcess | None = None
        self._source: list[float] | None = None

    def set_source(self, position_3: np.ndarray, seed: int = 0) -> None:
        """Place the source (metres), in a fresh context: what is heard next depends only on the calls after this."""
        position = [float(value) for value in np.asarray(position_3).reshape(-1)]
        if len(position) != 3 or not all(map(math.isfinite, position)):
            raise UsageError(f"a source's position must be three finite numbers (metres), not {position_3!r}")
        if self._process is None:
            self._start()
        self._ask({"do": "source", "position": position})
        self._source = position

    def impulse_response(self, pose: Pose) -> np.ndarray:
        """float32 (2, S): from the source to the left and right ear of a head at `pose`."""
        quaternion = [math.cos(pose.yaw / 2), 0.0, math.sin(pose.yaw / 2), 0.0]  # w, x, y, z: about +Y
        return self._listen("binaural", pose.ears_3, quaternion) * np.float32(LEVEL)

    def omni_response(self, position_3: np.ndarray) -> np.ndarray:
        """float32 (S,): to an omnidirectional microphone at `position_3` (the very point, not a floor point)."""
        return self._listen("mono", position_3, [1.0, 0.0, 0.0, 0.0])[0] * np.float32(MONO_LEVEL)

    def close(self) -> None:
        """End the child process; `set_source` would start another. Safe to call twice."""
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
        """A process that knows the scene."""
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
            "temporal_coherence": 0,  # on, it gives wrong levels after a jump
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
            raise UsageError("no source in this acoustic engine: call set_source before asking for a response")
        position = [float(value) for value in position_3]
        header = {"do": "listen", "layout": layout, "position": position, "quaternion": quaternion}
        heard_CS = self._ask(header)[0]
        response_CS = np.zeros((len(heard_CS), self.n_samples), dtype=np.float32)
        kept = min(self.n_samples, heard_CS.shape[1])
        response_CS[:, :kept] = heard_CS[:, :kept]
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
