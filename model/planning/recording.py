"""Recordings of navigation: the camera image beside a floor plan with the path, and the sound.

Written as mp4 if ffmpeg is on the path; otherwise as GIF and WAV, which need no other program.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from avw.avw4k.exports.video import find_ffmpeg, write_video
from avw.sim_bridge.errors import AvwError, BackendError
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SECONDS, Observation, Pose, Source

SIDE = 384  # pixels of each of the two pictures
_TEAL, _RUST, _PAPER = (15, 118, 110), (194, 65, 12), (238, 241, 245)


class Recorder:
    """Collects the frames of an episode, and writes them at its end."""

    def __init__(self, folder: Path, name: str, simulator: Simulator, source: Source):
        self.folder, self.name = folder, name
        self._plan = _Plan(simulator, source)
        self._frames: list[np.ndarray] = []
        self._audio: list[np.ndarray] = []

    def add(self, observation: Observation, pose: Pose) -> None:
        """Add one step: image, sound, and the pose for the floor plan."""
        self._frames.append(np.concatenate([_enlarged(observation.rgb_HWC), self._plan.draw(pose)], axis=1))
        self._audio.append(observation.audio_ES)

    def write(self, success: bool) -> list[Path]:
        """Write NAME-found.mp4 or NAME-lost.mp4 (or .gif and .wav). Returns the paths written."""
        name = f"{self.name}-{'found' if success else 'lost'}"
        return write_recording(self.folder / name, self._frames, np.concatenate(self._audio, axis=1))


def write_recording(stem: Path, frames: list[np.ndarray], audio_ES: np.ndarray) -> list[Path]:
    """Write frames (uint8, one per step) and their sound to files with the given stem. Returns the paths written.

    Raises BackendError if ffmpeg is installed but fails.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    # A fixed gain keeps levels comparable: louder is closer. An RMS of 0.1 at 1 m leaves headroom down to half a metre.
    sound_ES = np.clip(audio_ES * 0.5, -1.0, 1.0)
    if find_ffmpeg() is not None:
        write_video(stem.with_suffix(".mp4"), np.stack(frames), sound_ES)
        return [stem.with_suffix(".mp4")]
    import soundfile
    from PIL import Image

    wave, animation = stem.with_suffix(".wav"), stem.with_suffix(".gif")
    soundfile.write(wave, sound_ES.T, SAMPLE_RATE, subtype="PCM_16")
    images = [Image.fromarray(frame) for frame in frames]
    images[0].save(animation, save_all=True, append_images=images[1:], duration=round(1e3 * STEP_SECONDS), loop=0)
    return [animation, wave]


class _Plan:
    """The floor plan with the path so far and the source, as a square image."""

    def __init__(self, simulator: Simulator, source: Source):
        from PIL import Image

        from avw.sim_bridge.rendering.top_down import floor_plan_image

        try:
            rgb_HWC, self._origin, metres_per_pixel = floor_plan_image(simulator.ref.load(), 30.0)
        except AvwError as error:
            raise BackendError(
                f"the floor plan of {simulator.scene_id} could not be drawn ({error}); run without --video"
            ) from error
        scale = SIDE / max(rgb_HWC.shape[:2])
        size = (max(1, round(rgb_HWC.shape[1] * scale)), max(1, round(rgb_HWC.shape[0] * scale)))
        self._left, self._top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
        self._pixels_per_metre = scale / metres_per_pixel
        self._image = Image.new("RGB", (SIDE, SIDE), _PAPER)
        self._image.paste(Image.fromarray(rgb_HWC).resize(size, Image.Resampling.LANCZOS), (self._left, self._top))
        self._source = self._at(source.position_3[0], source.position_3[2])
        self._path: list[tuple[float, float]] = []

    def draw(self, pose: Pose) -> np.ndarray:
        from PIL import ImageDraw

        self._path.append(self._at(pose.x, pose.z))
        image = self._image.copy()
        pen = ImageDraw.Draw(image)
        x, y = self._source
        for radius in (4, 9, 14):
            pen.ellipse(
                (x - radius, y - radius, x + radius, y + radius),
                outline=_RUST,
                width=2,
                fill=_RUST if radius == 4 else None,
            )
        if len(self._path) > 1:
            pen.line(self._path, fill=(255, 255, 255), width=6, joint="curve")
            pen.line(self._path, fill=_TEAL, width=3, joint="curve")
        x, y = self._path[-1]
        corners = [
            (x - length * math.sin(pose.yaw + angle), y - length * math.cos(pose.yaw + angle))
            for angle, length in ((0.0, 13.0), (2.5, 10.0), (math.pi, 3.0), (-2.5, 10.0))
        ]
        pen.polygon(corners, fill=_TEAL, outline=(255, 255, 255))
        return np.asarray(image)

    def _at(self, x: float, z: float) -> tuple[float, float]:
        return (
            self._left + (x - self._origin[0]) * self._pixels_per_metre,
            self._top + (z - self._origin[1]) * self._pixels_per_metre,
        )


def _enlarged(rgb_HWC: np.ndarray) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(rgb_HWC).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
