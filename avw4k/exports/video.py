"""Video: frames and their sound as one mp4, written by ffmpeg."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np

from avw.sim_bridge.errors import BackendError
from avw.sim_bridge.process.ffmpeg import INSTALL, find_ffmpeg
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SECONDS


def write_video(path: Path, rgb_THWC: np.ndarray, audio_ES: np.ndarray) -> None:
    """Write uint8 frames, one per step, and sound in [-1, 1]. Raises BackendError if ffmpeg is missing or fails."""
    import soundfile

    ffmpeg = find_ffmpeg()
    if ffmpeg is None:
        raise BackendError(f"{path.name} needs ffmpeg, which was not found; {INSTALL}")
    _, height, width, _ = rgb_THWC.shape
    with tempfile.TemporaryDirectory() as folder:
        wave = Path(folder) / "sound.wav"
        soundfile.write(wave, np.clip(audio_ES.T, -1.0, 1.0), SAMPLE_RATE, subtype="PCM_16")
        command = [
            *(ffmpeg, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"),
            *("-r", f"{1 / STEP_SECONDS:.6f}", "-i", "-", "-i", str(wave)),
            *("-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "192k", str(path)),
        ]
        done = subprocess.run(command, input=np.ascontiguousarray(rgb_THWC).tobytes(), capture_output=True, check=False)
    if done.returncode:
        raise BackendError(f"ffmpeg could not write {path}: {done.stderr.decode(errors='replace').strip()[-300:]}")
