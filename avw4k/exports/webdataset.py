"""WebDataset: one tar per shard, one sample per episode, with arrays as .npy and metadata as .json.

`wds.WebDataset("train-{000000..000009}.tar").decode()` reads them. The last observation is row T of rgb, depth and
audio, as in `avw.avw4k.reading.dataset`. Audio is int16; multiplied by `audio_scale` (in the .json) it is linear.
"""

from __future__ import annotations

import io
import json
import tarfile
from itertools import groupby
from pathlib import Path

import numpy as np

from avw.avw4k.exports.export import Progress, episode_note
from avw.avw4k.reading.dataset import Dataset, EpisodeRef


def write(dataset: Dataset, refs: list[EpisodeRef], folder: Path, progress: Progress) -> None:
    """Write {split}-000000.tar and so on, numbered without gaps within each split."""
    numbers: dict[str, int] = {}
    for shard, group in groupby(refs, key=lambda ref: ref.shard):
        episodes = list(group)
        split = episodes[0].split
        number = numbers[split] = numbers.get(split, -1) + 1
        with tarfile.open(folder / f"{split}-{number:06d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for ref in episodes:
                note = episode_note(dataset, ref) | {"shard": shard, "audio_scale": dataset.audio_scale}
                _add(tar, f"{ref.index:06d}.json", json.dumps(note, sort_keys=True).encode())
                for name, array in dataset.read(ref).items():
                    buffer = io.BytesIO()
                    np.save(buffer, array, allow_pickle=False)
                    _add(tar, f"{ref.index:06d}.{name}.npy", buffer.getvalue())
                progress(1)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file. Its header has no time and no owner, so that the same export has the same bytes."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
