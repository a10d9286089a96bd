"""Export to any format: `export(dataset, out, to)` writes a complete folder, or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from avw.avw4k.reading.dataset import Dataset, EpisodeRef
from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.storage.atomic_write import new_folder
from avw.sim_bridge.storage.disk_errors import readable_errors
from avw.sim_bridge.storage.file_lock import claimed

FORMATS = ("lerobot", "webdataset", "mp4")
Progress = Callable[[int], object]
"""progress(n): n more episodes have been written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportReport:
    """What an export has written."""

    path: str
    to: str
    episodes: int
    steps: int
    files: int
    bytes: int


def export(
    dataset: Dataset,
    out: Path,
    to: str,
    *,
    splits: tuple[str, ...] = ("train", "val", "test"),
    progress: Progress = lambda episodes: None,
) -> ExportReport:
    """Write the committed episodes of `splits` in the format `to` into the new folder `out`.

    Raises UsageError for an unknown format or a folder that is not empty, BackendError if a tool that the format needs
    is not installed, DatasetError for damaged data or a full disk.
    """
    if to not in FORMATS:
        raise UsageError(f"unknown format {to!r}: expected one of {', '.join(FORMATS)}")
    refs = [ref for ref in dataset.episodes() if ref.split in splits]
    if not refs:
        raise DatasetError(f"{dataset.path} has no episodes of {', '.join(splits)} yet; type: avw info {dataset.path}")
    write: Callable[[Dataset, list[EpisodeRef], Path, Progress], Any] = import_module(f"avw.avw4k.exports.{to}").write
    busy = f"{out} is being written by another `avw export`; wait for it, or name another folder"
    with readable_errors(f"cannot export to {to}", out), claimed(out, busy), new_folder(out) as folder:
        write(dataset, refs, folder, progress)
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
    return ExportReport(
        path=str(out), to=to, episodes=len(refs), steps=sum(ref.steps for ref in refs), files=len(files), bytes=size
    )


def episode_note(dataset: Dataset, ref: EpisodeRef) -> dict[str, Any]:
    """Metadata of an episode, as plain values."""
    table = dataset.records[ref.shard].episodes[ref.demo]
    note = {"index": ref.index, "split": ref.split, "scene": ref.scene, "mode": ref.mode, "sound": ref.spec.sound}
    return note | {"steps": ref.steps, "success": bool(table["success"]), "spec_sha256": dataset.spec.sha256}
