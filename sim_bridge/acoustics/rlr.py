"""RLR-Audio-Propagation, SoundSpaces 2.0's acoustic engine, as an optional `AcousticEngine`.

Closed source, CC-BY-NC-4.0, Linux x86-64: `pip install 'avw[rlr]'`. It draws its reverberation anew at every
call, so it is not reproducible in our sense: a response depends on those asked for before. One child process per
engine, one fresh RLR context per source, one thread.
"""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from sim_bridge.acoustics.rlr_worker import receive, send
from sim_bridge.errors import BackendError, UsageError
from sim_bridge.scenes.materials import OCTAVE_BANDS
from sim_bridge.scenes.scene import Scene
from sim_bridge.types import SAMPLE_RATE, Pose

LEVEL = 2.41
"""RLR's pressure to ours: makes a frontal source at 1 m have energy 1 in the mean of the ears (measured at 2 m)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RlrConfig:
    """rays: 5,000 is RLR's default, 500 SoundSpaces' for navigation · depth: bounces a ray may live; fewer than 200
    cut the tails of coupled rooms · bands: 4 by default there, which smears octave-band materials
    length_seconds: responses are cut or padded to this.
    """

    rays: int = 500
    depth: int = 200
    bands: int = 8
    length_seconds: float = 1.25


class RlrEngine:
    """See `AcousticEngine`. RLR offers no seed: `seed` is ignored. Raises BackendError where it is absent or dies."""

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
        self._scene_id = scene.scene_id
        self._placed = False
        self.cpu_seconds = 0.0  # what the child has spent on responses so far
        self._child: subprocess.Popen[bytes] | None = subprocess.Popen(
            [sys.executable, "-m", "sim_bridge.acoustics.rlr_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        settings = {
            "sample_rate": float(sample_rate),
            "thread_count": 1,
            "frequency_bands": self.config.bands,
            "indirect_ray_count": self.config.rays,
            "indirect_ray_depth": self.config.depth,
            "max_ir_length": max(4.0, self.config.length_seconds),
        }
        materials = [_material(index, surface.material) for index, surface in enumerate(scene.surfaces)]
        self._ask(
            {"do": "scene", "settings": settings, "materials": materials},
            scene.vertices_V3.astype(np.float32),
            scene.faces_F3.astype(np.int32),
            scene.surface_F.astype(np.int32),
        )

    def set_source(self, position_3: np.ndarray, seed: int = 0) -> None:
        """Place the source (metres), in a fresh context: what is heard next depends only on the calls after this."""
        position = [float(value) for value in np.asarray(position_3).reshape(-1)]
        if len(position) != 3 or not all(map(math.isfinite, position)):
            raise UsageError(f"a source's position must be three finite numbers (metres), not {position_3!r}")
        self._ask({"do": "source", "position": position})
        self._placed = True

    def impulse_response(self, pose: Pose) -> np.ndarray:
        """float32 (2, S): from the source to the left and right ear of a head at `pose`."""
        if not self._placed:
            raise UsageError("no source in this acoustic engine: call set_source before impulse_response")
        quaternion = [math.cos(pose.yaw / 2), 0.0, math.sin(pose.yaw / 2), 0.0]  # w, x, y, z: about +Y
        heard = self._ask({"do": "listen", "position": pose.ears_3.tolist(), "quaternion": quaternion})[0]
        response_ES = np.zeros((2, self.n_samples), dtype=np.float32)
        kept = min(self.n_samples, heard.shape[1])
        response_ES[:, :kept] = heard[:, :kept] * np.float32(LEVEL)
        return response_ES

    def close(self) -> None:
        """End the child process. Safe to call twice."""
        child, self._child = self._child, None
        if child is None:
            return
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        try:
            child.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def __del__(self) -> None:
        if getattr(self, "_child", None) is not None:
            self.close()

    def _ask(self, header: dict[str, Any], *arrays: np.ndarray) -> list[np.ndarray]:
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise BackendError("this RLR engine is closed: make another")
        try:
            send(child.stdin, header, *arrays)
            reply, answer = receive(child.stdout)
        except (EOFError, OSError) as error:
            self.close()
            code = child.returncode
            how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
            raise BackendError(
                f"RLR's process ended with {how} while asked to {header['do']!r} in scene {self._scene_id!r}: it "
                "aborts on geometry or materials that it cannot take. Try `avw doctor --acoustics rlr`, which "
                "tests it in plain rooms, or use --acoustics emitters"
            ) from error
        self.cpu_seconds += reply.get("cpu_seconds", 0.0)
        if "error" in reply:
            raise BackendError(f"RLR refused to {header['do']!r}: {reply['error']}")
        return answer


def _material(index: int, material: Any) -> dict[str, Any]:
    """A material in RLR's JSON: coefficients as frequency, value, frequency, value ...; all eight keys are needed."""

    def curve(values: tuple[float, ...]) -> list[float]:
        return [number for pair in zip(OCTAVE_BANDS, values, strict=True) for number in map(float, pair)]

    return {
        "name": f"{index}-{material.name}",
        "labels": [f"{index}-{material.name}"],
        "absorption": curve(material.absorption_6),
        "scattering": curve(material.scattering_6),
        "transmission": curve(material.transmission_6),
        "damping": curve((0.0,) * len(OCTAVE_BANDS)),
        "density": 1000.0,
        "speed": 1500.0,
    }
