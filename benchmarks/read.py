"""Speed of reading training data: `python -m benchmarks.read [--trajectories 12] [--json]`, under two minutes.

A window has a context of four frames and four targets up to 64 steps away in either direction. Each of these eight
steps has an image and 0.15 s of binaural sound. In one epoch every step of every episode is the end of a context once.

    ours        avw.avw4k.reading.loader: episodes decoded once, windows drawn from a pool of them, with checksums
    h5py        the same files; the frames of each window are read from the file
    WebDataset  tar files of whole episodes, with .npz (zlib) compared with our compressed shards and .npy with our raw
                shards; all windows of one episode, then the next episode
    mp4         H.264 (lossy, images only) and FLAC with PyAV; in the same order

The peers are compared with ours in their order, all windows of an episode after another. Shuffled windows of many
episodes, as a training needs them, have rows of their own: their frames come from memory instead of the cache of the
processor, which takes longer whatever the format.

All figures are CPU time of one process, which is the work of one DataLoader worker. A worker of each is then started as
a process of its own (`benchmarks.readers`): the CPU time until its first batch, and the peak of its memory over an
epoch. WebDataset and PyAV are optional.
"""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import click
import h5py
import numpy as np

from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.avw4k.reading.windows import Windows
from avw.avw4k.writing.generate import generate
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from benchmarks.readers import FEW as H5PY_WINDOWS
from benchmarks.readers import SENSES, TARGETS, WINDOW, episode_by_episode, h5py_windows, ours
from benchmarks.rows import Row, present

STEPS_PER_WINDOW = len(WINDOW.ages) + TARGETS
SPAN = 16


@click.command()
@click.option("--trajectories", default=12, show_default=True, help="Trajectories of 160 steps.")
@click.option("--workers", default=2, show_default=True, help="Workers of the row in wall time.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def benchmark(trajectories: int, workers: int, as_json: bool) -> None:
    """Measure windows and steps per second of one worker: ours, h5py, WebDataset and mp4 on the same episodes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = {kind: make(folder / kind, trajectories, kind) for kind in ("blosc2", "none")}
        rows = []
        for kind, label in (("blosc2", "compressed"), ("none", "raw")):
            rows += ours_and_h5py(data[kind], label)
        count = len(rows) // 2
        packed, raw = rows[2].ours, rows[count + 2].ours  # in the order of the peers
        rows.append(webdataset_row(data["blosc2"], folder, "npz", packed))
        rows.append(webdataset_row(data["none"], folder, "npy", raw))
        rows.append(mp4_row(data["blosc2"], folder, packed))
        rows.append(workers_row(data["blosc2"], workers))
        rows += worker_rows(data, folder)
    present("read", rows, as_json=as_json)


def make(folder: Path, trajectories: int, compression: str) -> Dataset:
    """Generate episodes in two houses, all in the training split. The episodes do not depend on the compression."""
    spec = DatasetSpec(
        scenes=("procedural-0000", "procedural-0001"),
        trajectories=trajectories,
        split_shares=(1.0, 0.0, 0.0),
        compression=compression,
        simulator=SimulatorConfig(backend="embedded"),
    )
    generate(folder, spec, workers=2)
    return open_dataset(folder)


def ours_and_h5py(dataset: Dataset, label: str) -> list[Row]:
    """Windows of an epoch, and spans of 16 steps in order, compared with plain h5py on the same file."""
    windows = Windows(dataset, "train", WINDOW)
    size = sum(record.bytes for record in dataset.records.values()) / dataset.spec.hours / 1e9
    about = f"{len(windows.episodes)} x {dataset.spec.steps} steps, 128x128, {size:.2f} GB per hour simulated"
    epoch = min(_cpu_each(lambda: used(ours(windows)), len(windows)) for _ in range(3))
    order = min(_cpu_each(lambda: used(ours(windows, in_order=True)), len(windows)) for _ in range(3))
    all_senses = min(_cpu_each(lambda: used(ours(windows, (*SENSES, "depth"))), len(windows)) for _ in range(2))
    plain = min(_cpu_each(lambda: used(h5py_windows(windows)), H5PY_WINDOWS) for _ in range(2))
    spans = [(ref, start) for ref in windows.episodes for start in range(0, ref.steps - SPAN + 1, SPAN)]
    steps = len(spans) * SPAN
    checked = min(_cpu_each(lambda: [dataset.read(r, SENSES, s, s + SPAN) for r, s in spans], steps) for _ in range(3))
    bare = min(_cpu_each(lambda: h5py_spans(dataset, spans), steps) for _ in range(3))
    return [
        Row(name=f"windows, {label}", ours=1 / epoch, peer=1 / plain, peer_name="h5py, window by window",
            unit="1/s", conditions=f"RGB and sound; {about}"),
        Row(name=f"steps in windows, {label}", ours=STEPS_PER_WINDOW / epoch, peer=STEPS_PER_WINDOW / plain,
            peer_name="h5py, window by window", unit="1/s", conditions=f"{STEPS_PER_WINDOW} a window; {about}"),
        Row(name=f"windows, episode by episode, {label}", ours=1 / order, peer=1 / epoch, peer_name="ours, shuffled",
            unit="1/s", conditions=f"RGB and sound; {about}"),
        Row(name=f"windows with depth, {label}", ours=1 / all_senses, unit="1/s",
            conditions=f"RGB, depth and sound; {about}"),
        Row(name=f"steps read once, {label}", ours=1 / checked, peer=1 / bare, peer_name="h5py, unchecked",
            unit="1/s", conditions=f"spans of {SPAN} in order, each step once, RGB and sound; {about}"),
    ]  # fmt: skip


def h5py_spans(dataset: Dataset, spans: list[tuple]) -> None:
    """Read the spans with plain h5py, without checksums."""
    dataset.close()
    files = {name: h5py.File(dataset.path / name) for name in dataset.records}
    for ref, start in spans:
        demo = files[ref.shard][f"data/demo_{ref.demo}"]
        for sense in SENSES:
            demo[f"obs/{sense}"][start : start + SPAN]
    for file in files.values():
        file.close()


def webdataset_row(dataset: Dataset, folder: Path, kind: str, ours: float) -> Row:
    """Tar files of whole episodes, read with WebDataset. kind: "npz" (compressed) or "npy" (raw)"""
    label = {"npz": "compressed", "npy": "raw"}[kind]
    if importlib.util.find_spec("webdataset") is None:
        return Row(name=f"windows, {label}", ours=ours, unit="1/s", conditions="webdataset is not installed")
    windows = Windows(dataset, "train", WINDOW)
    path = folder / f"{kind}.tar"
    save = {"npz": np.savez_compressed, "npy": np.save}[kind]
    with tarfile.open(path, "w") as tar:
        for ref in windows.episodes:
            for sense, array in dataset.read(ref, SENSES).items():
                buffer = io.BytesIO()
                save(buffer, array)
                info = tarfile.TarInfo(f"{ref.index:06d}.{sense}.{kind}")
                info.size = buffer.tell()
                tar.addfile(info, io.BytesIO(buffer.getvalue()))

    return peer_row("WebDataset", windows, kind, path, ours, label, f".{kind}")


def mp4_row(dataset: Dataset, folder: Path, ours: float) -> Row:
    """One mp4 and one FLAC file per episode, decoded with PyAV."""
    if importlib.util.find_spec("av") is None:
        return Row(name="windows, mp4", ours=ours, unit="1/s", conditions="PyAV (av) is not installed")
    import av
    import soundfile

    windows = Windows(dataset, "train", WINDOW)
    media = folder / "mp4"
    media.mkdir()
    for ref in windows.episodes:
        row = dataset.read(ref, SENSES)
        with av.open(str(media / f"{ref.index:06d}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=20)
            stream.width = stream.height = dataset.spec.simulator.size
            stream.pix_fmt, stream.options = "yuv420p", {"crf": "18", "g": "16"}
            for rgb_HWC in row["rgb"]:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb_HWC, format="rgb24")))
            container.mux(stream.encode(None))
        sound = np.moveaxis(row["audio"], 1, 2).reshape(-1, 2)
        soundfile.write(media / f"{ref.index:06d}.flac", sound, 16000, subtype="PCM_16")

    return peer_row("mp4", windows, "mp4", media, ours, "compressed", "lossy, RGB by H.264 at crf 18")


def peer_row(name: str, windows: Windows, kind: str, path: Path, ours: float, label: str, about: str) -> Row:
    """Windows per second of a peer, in its order."""
    seconds = min(_cpu_each(lambda: used(episode_by_episode(windows, kind, path)), len(windows)) for _ in range(2))
    files = [path] if path.is_file() else list(path.iterdir())
    size = sum(file.stat().st_size for file in files) / windows.dataset.spec.hours / 1e9
    return Row(
        name=f"windows, episode by episode, {label}", ours=ours, peer=1 / seconds, peer_name=name, unit="1/s",
        conditions=f"RGB and sound; {about}, {size:.2f} GB per hour simulated",
    )  # fmt: skip


def workers_row(dataset: Dataset, workers: int) -> Row:
    """Wall time through the processes and the queue of a DataLoader, compared with one worker."""
    from avw.avw4k.reading.loader import LoaderConfig, WindowLoader

    windows = Windows(dataset, "train", WINDOW)
    rates = []
    for count in (workers, 1):
        loader = WindowLoader(windows, LoaderConfig(targets=TARGETS, workers=count, start="fork"))
        for _ in loader:  # the first epoch starts the processes
            pass
        started = time.perf_counter()
        for _ in loader:
            pass
        rates.append(len(windows) / (time.perf_counter() - started))
    return Row(name=f"windows by the clock, {workers} workers", ours=rates[0], peer=rates[1], peer_name="one worker",
               unit="1/s", conditions="second epoch, RGB and sound, through the queue to the trainer")  # fmt: skip


def worker_rows(data: dict[str, Dataset], folder: Path) -> list[Row]:
    """Start-up and memory of a worker of each reader, on the same episodes, of the peers that are installed."""
    kinds = {
        "h5py": ("blosc2", folder), "npz": ("blosc2", folder / "npz.tar"), "npy": ("none", folder / "npy.tar"),
        "mp4": ("blosc2", folder / "mp4"),
    }  # fmt: skip
    mine = {compression: worker("ours", data[compression].path, folder) for compression in data}
    rows = []
    for kind, (compression, path) in kinds.items():
        if not path.exists():
            continue
        peer = worker(kind, data[compression].path, path)
        for key, name, unit in (("start_s", "start of a worker", "s"), ("peak_mb", "peak memory of a worker", "MB")):
            label = {"blosc2": "compressed", "none": "raw"}[compression]
            rows.append(
                Row(name=f"{name}, {label}", ours=mine[compression][key], peer=peer[key], peer_name=kind, unit=unit,
                    conditions="RGB and sound, episode by episode; a process of its own, one epoch")
            )  # fmt: skip
    return rows


def worker(kind: str, data: Path, files: Path) -> dict[str, float]:
    """CPU seconds until the first batch, and peak memory in MB, of a reader in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.readers", kind, str(data), str(files)]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def used(batches: Iterable[object]) -> None:
    """Read all of them."""
    for _ in batches:
        pass


def _cpu_each(task: Callable[[], object], count: int) -> float:
    """CPU seconds of `task` per item, for `count` items."""
    started = time.process_time()
    task()
    return (time.process_time() - started) / count


if __name__ == "__main__":
    benchmark()
