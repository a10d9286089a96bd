"""The readers that `benchmarks.read` compares, and each of them as a worker: `python -m benchmarks.readers KIND DATA`.

As a worker it reads the windows of an epoch in a process of its own, and prints as JSON: the CPU seconds until the
first batch (Python, imports, opening and decoding), and the peak of its resident memory in MB. A third argument is the
file or folder of a peer. KIND: shuffled, ours, h5py, npz, npy or mp4

Shapes: B windows · N frames of a window, context and targets · E episodes.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from benchmarks.resident_memory import peak_bytes

WINDOW = WindowConfig(ages=(3, 2, 1, 0), min_offset=-64, max_offset=64)
TARGETS = 4
SENSES = ("rgb", "audio")
FEW = 200  # windows that are read one by one


def ours(windows: Windows, senses: tuple[str, ...] = SENSES, *, in_order: bool = False) -> Iterator[object]:
    """The batches of an epoch of the loader in this process from a cold start, which is the work of a single worker.

    in_order: all windows of one episode, then the next episode, as the peers read them; otherwise shuffled over
    several episodes, as for a training
    """
    from avw.avw4k.reading.epochs import EpochConfig
    from avw.avw4k.reading.loader import LoaderConfig, WindowLoader

    epochs = EpochConfig(lanes=1, pool=1) if in_order else EpochConfig()
    yield from WindowLoader(windows, LoaderConfig(targets=TARGETS, senses=senses, epochs=epochs))


def h5py_windows(windows: Windows, count: int = FEW) -> Iterator[object]:
    """Random windows, read frame by frame from the file."""
    import h5py

    windows.dataset.close()  # HDF5 opens a file only once with the same settings
    files = {name: h5py.File(windows.dataset.path / name) for name in {ref.shard for ref in windows.episodes}}
    window = windows.draw(0, "benchmark", 0, count, TARGETS)
    for context_T, target_K in zip(window.context_BT, window.target_BK, strict=True):
        episode = int(windows.episode_F[context_T[-1]])
        ref, first = windows.episodes[episode], int(windows.first_n[episode])
        demo = files[ref.shard][f"data/demo_{ref.demo}"]
        found = []
        for sense in SENSES:
            array, low = demo[f"obs/{sense}"], int(context_T[0]) - first
            context = array[low : int(context_T[-1]) - first + 1]
            targets = [array[min(int(frame) - first, ref.steps - 1)] for frame in target_K]
            found.append(np.concatenate([context, np.stack(targets)]))
        yield found
    for file in files.values():
        file.close()


def webdataset_episodes(path: Path, kind: str) -> Iterator[dict[str, np.ndarray]]:
    """The episodes of a tar file. kind: npz (compressed) or npy (raw)"""
    import webdataset

    for sample in webdataset.WebDataset(str(path), shardshuffle=False, empty_check=False):
        found = {sense: np.load(io.BytesIO(sample[f"{sense}.{kind}"]), allow_pickle=False) for sense in SENSES}
        yield {sense: array["arr_0"] if kind == "npz" else array for sense, array in found.items()}


def mp4_episodes(media: Path) -> Iterator[dict[str, np.ndarray]]:
    """The episodes of a folder of mp4 and FLAC files."""
    import av
    import soundfile

    for path in sorted(media.glob("*.mp4")):
        with av.open(str(path)) as container:
            container.streams.video[0].thread_count = 1
            rgb = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
        sound, _ = soundfile.read(path.with_suffix(".flac"), dtype="int16")
        yield {"rgb": rgb, "audio": np.moveaxis(sound.reshape(len(rgb), -1, 2), 1, 2)}


def episode_by_episode(windows: Windows, kind: str, files: Path) -> Iterator[object]:
    """All windows of the episodes that a peer reads, assembled in the same way as ours."""
    rows = mp4_episodes(files) if kind == "mp4" else webdataset_episodes(files, kind)
    for episode, row in enumerate(rows):
        first = windows.first_n[episode]
        t_N = first + np.random.default_rng(0).permutation(windows.lengths_E[episode] - 1)
        for t_B in np.array_split(t_N, max(1, len(t_N) // 16)):
            window = windows.window(t_B, windows.offsets(t_B, TARGETS, np.random.default_rng(0)))
            frame_BN = np.concatenate([window.context_BT, window.target_BK], 1) - first
            rgb, audio = (row[sense][frame_BN] for sense in SENSES)
            yield rgb, np.multiply(audio, np.float32(windows.dataset.audio_scale), dtype=np.float32)


def batches(kind: str, windows: Windows, files: Path) -> Iterator[object]:
    """What the reader `kind` gives of one epoch."""
    if kind in ("shuffled", "ours"):
        return ours(windows, in_order=kind == "ours")
    return h5py_windows(windows) if kind == "h5py" else episode_by_episode(windows, kind, files)


def main() -> None:
    kind, data, *files = sys.argv[1:]
    windows = Windows(open_dataset(Path(data)), "train", WINDOW)
    start = 0.0
    for _ in batches(kind, windows, Path(*files)):
        start = start or time.process_time()
    peak = peak_bytes()
    print(json.dumps({"start_s": start, "peak_mb": None if peak is None else peak / 1e6}))


if __name__ == "__main__":
    main()
