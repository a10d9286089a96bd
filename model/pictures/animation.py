"""Frames with sound: mp4 if there is an ffmpeg; otherwise GIF and WAV, which need no other program.

Shapes: T steps · H W image · C channels · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avw.avw4k.exports.video import write_video
from avw.sim_bridge.process.ffmpeg import find_ffmpeg
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SECONDS

WALK_GAIN = 0.5
"""Of the sound of recorded walks: a factor for all, so that their levels can be compared, with room for the loudest."""


def write_animation(stem: Path, frames: Sequence[np.ndarray], sound_ES: np.ndarray) -> list[Path]:
    """Write frames (uint8, one per step) and their sound, in [-1, 1], to files with the given stem.

    Returns the paths written. Raises BackendError if ffmpeg fails.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    if find_ffmpeg() is not None:
        video = stem.with_name(f"{stem.name}.mp4")
        write_video(video, np.stack(frames), sound_ES)
        return [video]
    animation, wave = stem.with_name(f"{stem.name}.gif"), stem.with_name(f"{stem.name}.wav")
    write_gif(animation, frames)
    write_wave(wave, sound_ES)
    return [animation, wave]


def write_gif(path: Path, frames: Sequence[np.ndarray]) -> None:
    """One frame per step, repeated for ever."""
    from PIL import Image

    images = [Image.fromarray(frame) for frame in frames]
    images[0].save(path, save_all=True, append_images=images[1:], duration=round(1e3 * STEP_SECONDS), loop=0)


def write_wave(path: Path, sound_ES: np.ndarray) -> None:
    """Sound in [-1, 1] as 16-bit WAV; what is louder is clipped."""
    import soundfile

    soundfile.write(path, np.clip(sound_ES.T, -1.0, 1.0), SAMPLE_RATE, subtype="PCM_16")


def common_scale(*sounds: np.ndarray, peak: float = 0.5) -> float:
    """A factor that brings the loudest of several sounds to `peak`, so that their levels can be compared."""
    return peak / max([1e-6, *(float(np.abs(sound).max()) for sound in sounds if sound.size)])
