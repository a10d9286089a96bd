"""What is committed: `manifest.jsonl`, one line a shard, appended after the shard's own rename.

A line torn by a kill has no newline at its end, and is no line: readers pass over it, the next writer cuts it off.
Array jobs (`--shard i/n`) append each to a file of its own, `manifest.<i>-of-<n>.jsonl`; readers take all together.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from avw.sim_bridge.errors import DatasetError

TMP_SUFFIX = ".tmp"
Checked = TypeVar("Checked")


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardRecord:
    """A committed shard. episodes: one row each, what `episodes.parquet` says of it beyond the plan."""

    shard: str
    sha256: str
    bytes: int
    spec_sha256: str
    episodes: tuple[dict[str, Any], ...]

    @property
    def steps(self) -> int:
        return sum(int(row["steps"]) for row in self.episodes)

    @property
    def clipped(self) -> int:
        return sum(int(row["clipped"]) for row in self.episodes)


def manifest_name(part: tuple[int, int] | None = None) -> str:
    """The file that a run appends to; `part` = (i, n) of an array job."""
    return "manifest.jsonl" if part is None else f"manifest.{part[0]}-of-{part[1]}.jsonl"


def read_manifest(folder: Path) -> dict[str, ShardRecord]:
    """{shard name: record} of everything committed. Raises DatasetError for a line that is none of ours."""
    records, problems = scan_manifest(folder)
    if problems:
        raise DatasetError(f"{next(iter(problems.values()))}; type: avw verify {folder} --repair")
    return records


def scan_manifest(folder: Path) -> tuple[dict[str, ShardRecord], dict[str, str]]:
    """({shard name: record}, {"manifest.jsonl, line 3": what is wrong with it}).

    Of a shard that is listed twice and differently no record is given: nobody can tell which is true. That two files
    list the same is no fault, since a kill may come between merging the parts of an array job and removing them.
    """
    records: dict[str, ShardRecord] = {}
    problems: dict[str, str] = {}
    conflicts: set[str] = set()
    for path in sorted(folder.glob("manifest*.jsonl")):
        here: set[str] = set()
        try:
            lines = _whole_lines(path)
        except FileNotFoundError:  # the last part of an array job has just merged it into the whole
            return scan_manifest(folder)
        for number, line in enumerate(lines, start=1):
            where = f"{path.name}, line {number}"
            try:
                values = json.loads(line)
                record = ShardRecord(**{**values, "episodes": tuple(values["episodes"])})
                _check_types(record)
            except (ValueError, TypeError, KeyError) as error:
                problems[where] = (
                    f"{path}, line {number}: not a line of a manifest ({error}); altered by hand or a failing disk"
                )
                continue
            if record.shard in here:
                problems[where] = f"{path}, line {number}: {record.shard} is listed a second time"
            if records.setdefault(record.shard, record) != record:
                problems[where] = f"{path}, line {number}: {record.shard} is listed twice, and differently"
                conflicts.add(record.shard)
            here.add(record.shard)
    return {name: record for name, record in records.items() if name not in conflicts}, problems


def append_record(folder: Path, record: ShardRecord, part: tuple[int, int] | None = None) -> None:
    """Commit: one line in one write, flushed to the disk. On a full disk the manifest stays as it was."""
    path = folder / manifest_name(part)
    line = json.dumps(asdict(record), sort_keys=True).encode() + b"\n"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        end = _whole_length(handle)
        os.ftruncate(handle, end)
        try:
            written = os.pwrite(handle, line, end)
            if written < len(line):
                os.pwrite(handle, line[written:], end + written)  # raises what cut the first write short
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, end)
            raise
    finally:
        os.close(handle)
    _sync_folder(folder)


def write_manifest(folder: Path, records: list[ShardRecord]) -> None:
    """Replace all manifests by one, in the order given: the last act of a whole dataset."""
    text = "".join(json.dumps(asdict(record), sort_keys=True) + "\n" for record in records)
    write_whole(folder / manifest_name(), text.encode())
    for path in folder.glob("manifest.*-of-*.jsonl"):
        path.unlink(missing_ok=True)


def drop_records(folder: Path, names: set[str]) -> None:
    """Strike shards from every manifest, before their files are removed."""
    for path in sorted(folder.glob("manifest*.jsonl")):
        kept = [line for line in _whole_lines(path) if _shard_of(line) not in names]
        write_whole(path, "".join(line + "\n" for line in kept).encode())


def write_whole(path: Path, content: bytes, check: Callable[[Path], Checked] = lambda tmp: None) -> Checked:  # type: ignore[assignment,return-value]
    """Write a file that is there whole or not at all: tmp, fsync, `check(tmp)`, rename, fsync of the folder.

    Returns what `check` returns. Raises OSError (a full disk) with the tmp removed, so that its space is free again.
    """
    tmp = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TMP_SUFFIX}")  # process ids repeat across machines
    try:
        with tmp.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        checked = check(tmp)
        tmp.replace(path)
    except BaseException:
        tmp.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return checked


@contextmanager
def readable_errors(doing: str, folder: Path) -> Iterator[None]:
    """Turns a full disk, a missing permission and their kin into one sentence."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        cure = "free some space" if error.errno in (28, 122) else "mend that"  # ENOSPC, EDQUOT
        raise DatasetError(
            f"{doing} in {folder}: {reason}. What was committed before is safe; {cure} and type the same command again."
        ) from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _whole_lines(path: Path) -> list[str]:
    text = path.read_bytes()
    return text[: text.rfind(b"\n") + 1].decode(errors="replace").splitlines()


def _whole_length(handle: int) -> int:
    """Bytes up to and including the last newline."""
    size = os.fstat(handle).st_size
    return os.pread(handle, size, 0).rfind(b"\n") + 1 if size else 0


def _shard_of(line: str) -> str | None:
    try:
        return str(json.loads(line)["shard"])
    except (ValueError, TypeError, KeyError):
        return None


def _check_types(record: ShardRecord) -> None:
    if not (isinstance(record.shard, str) and isinstance(record.bytes, int) and len(str(record.sha256)) == 64):
        raise ValueError("a field of the wrong type")
    for row in record.episodes:
        if not all(isinstance(row[name], int) for name in ("index", "steps", "clipped", "success")):
            raise ValueError("an episode with a field of the wrong type")
