"""What a step costs habitat-sim with RLR: its frames where some interpreter has it, RLR's responses from its own wheel.

Habitat's own audio sensor is not used: of most versions it swaps the source's axes, and builds without it are the
rule. RLR, the engine inside it, is run from its own wheel on the same scene: as shipped, 500 rays, one thread.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sim_bridge.acoustics.rlr import RlrConfig, RlrEngine
from sim_bridge.errors import BackendError
from sim_bridge.scenes.glb_export import export_glb
from sim_bridge.scenes.scene import Scene
from sim_bridge.types import CAMERA_HEIGHT, Pose

RAYS = 500  # SoundSpaces' setting for navigation
_PATIENCE = 300.0  # seconds
_FRAMES = Path(__file__).with_name("habitat_frames.py")


@dataclass(frozen=True, kw_only=True, slots=True)
class Frames:
    """Milliseconds per RGB-D frame: of CPU time in all threads, and by the clock."""

    cpu: float
    wall: float
    version: str


def has_habitat(python: str) -> bool:
    """Whether `python` can import habitat_sim."""
    if python == sys.executable:
        return importlib.util.find_spec("habitat_sim") is not None
    command = [python, "-c", "import importlib.util as u; raise SystemExit(u.find_spec('habitat_sim') is None)"]
    try:
        return subprocess.run(command, check=False, capture_output=True, timeout=_PATIENCE).returncode == 0
    except OSError as error:
        raise BackendError(f"--habitat-python {python!r} cannot be run: {error}; give the path of a Python") from error


def habitat_frames(python: str, scene: Scene, poses: Sequence[Pose], size: int, hfov: float) -> Frames:
    """Times frames of the same scene and poses. Raises BackendError, with its last words, where habitat-sim fails."""
    with tempfile.TemporaryDirectory() as folder:
        glb = Path(folder) / "scene.glb"
        export_glb(scene, glb)
        request = {
            "glb": str(glb),
            "size": size,
            "hfov": hfov,
            "height": CAMERA_HEIGHT,
            "poses": [[pose.x, pose.y, pose.z, pose.yaw] for pose in poses],
        }
        asked = Path(folder) / "request.json"
        asked.write_text(json.dumps(request), encoding="utf-8")
        done = subprocess.run(
            [python, str(_FRAMES), str(asked)], check=False, capture_output=True, text=True, timeout=_PATIENCE
        )
    if done.returncode != 0 or not done.stdout.strip():
        raise BackendError(f"habitat-sim in {python} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    if answer["seen"] < 0.5:
        raise BackendError("habitat-sim saw nothing in most frames: the scene did not load upright; not a fair peer")
    return Frames(cpu=answer["cpu_ms"], wall=answer["wall_ms"], version=answer["version"])


def rlr_milliseconds(scene: Scene, source_3: np.ndarray, poses: Sequence[Pose]) -> float:
    """CPU milliseconds of a response: the mean over poses, walking and turning alike, for RLR remembers nothing."""
    engine = RlrEngine(scene, RlrConfig(rays=RAYS, bands=4))
    engine.set_source(source_3)
    engine.impulse_response(poses[0])
    before = engine.cpu_seconds
    for pose in poses:
        engine.impulse_response(pose)
    spent = engine.cpu_seconds - before
    engine.close()
    return 1e3 * spent / len(poses)
