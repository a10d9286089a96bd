"""mp4: a video of each episode with its binaural sound, and a .json file with its actions, rewards and poses.

Frame k is shown while the sound of step k is played; both last 0.15 s. The video is lossy: for viewing, not training.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from avw.avw4k.exports.export import Progress, episode_note
from avw.avw4k.exports.video import write_video
from avw.avw4k.reading.dataset import Dataset, EpisodeRef
from avw.sim_bridge.errors import BackendError
from avw.sim_bridge.process.ffmpeg import INSTALL, find_ffmpeg

KEPT = ("actions", "rewards", "dones", "collided", "geodesic", "commanded", "realised", "position", "yaw")


def write(dataset: Dataset, refs: list[EpisodeRef], folder: Path, progress: Progress) -> None:
    """Write {split}/000000.mp4 and .json. Raises BackendError if ffmpeg is not installed."""
    if find_ffmpeg() is None:
        raise BackendError(
            f"mp4 needs ffmpeg, which was not found; {INSTALL}, or use --to webdataset or --to lerobot, which do not "
            "need it"
        )
    # One gain for all episodes, so that loudness is comparable between videos.
    gain = np.float32(dataset.audio_scale / dataset.spec.audio_full_scale)
    for ref in refs:
        rows = dataset.read(ref)
        stem = folder / ref.split / f"{ref.index:06d}"
        stem.parent.mkdir(exist_ok=True)
        sound_ES = np.moveaxis(rows["audio"].astype(np.float32), 1, 0).reshape(2, -1) * gain
        write_video(stem.with_suffix(".mp4"), rows["rgb"], sound_ES)
        note = episode_note(dataset, ref) | {"sound_gain": 1.0 / dataset.spec.audio_full_scale}
        note |= {name: rows[name].tolist() for name in KEPT}
        stem.with_suffix(".json").write_text(json.dumps(note) + "\n")
        progress(1)
