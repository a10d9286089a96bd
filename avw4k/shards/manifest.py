"""The list of committed shards: `manifest.jsonl`, one line per shard, appended after the shard has its final name.

Each part of an array job (`--shard i/n`) appends to a file of its own, `manifest.<i>-of-<n>.jsonl`; readers combine
them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avw.avw4k.plan.spec import ShardSpec
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.paths import own_files
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.json_lines import append_line, complete_lines, json_line, line_bytes
from avw.sim_bridge.storage.small_files import LONGEST_LINE, as_object, parse_json
from avw.sim_bridge.storage.typed_json import from_json, typed

COLUMNS: dict[str, Any] = {
    "index": int,
    "steps": int,
    "source_position": tuple[float, float, float],
    "success": bool,
    "return": float,
    "geodesic_start": float,
    "geodesic_end": float,
    "path_metres": float,
    "collisions": int,
    "clipped": int,
    "actions": tuple[int, ...],
    "distances": tuple[int, ...],
    "materials_named": float,
}
"""The values of an episode in a line, and their types. Older versions wrote fewer."""
REQUIRED = ("index", "steps", "clipped", "success")
_SHARD = re.compile(r"[A-Za-z0-9_-]{1,80}\.h5")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardRecord:
    """A committed shard. episodes: a row per episode, the columns of `episodes.parquet` that are not in the plan"""

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
    """The file that a run appends to. part: (i, n) of an array job"""
    return "manifest.jsonl" if part is None else f"manifest.{part[0]}-of-{part[1]}.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What the manifest files of a folder say.

    records: {shard: record} of the valid lines · lines: {shard: (where, text)}, e.g. ("manifest.jsonl, line 3", "{…")
    problems: {where: what is wrong with the line} · unclear: shards that a line with a problem names
    """

    records: dict[str, ShardRecord]
    lines: dict[str, tuple[str, str]]
    problems: dict[str, str]
    unclear: set[str]


def read_manifest(folder: Path) -> dict[str, ShardRecord]:
    """{shard name: record} of everything committed. Raises DatasetError for a line that is not valid."""
    return valid_manifest(folder).records


def valid_manifest(folder: Path) -> Manifest:
    """The manifest of a folder. Raises DatasetError for a line that is not valid."""
    manifest = scan_manifest(folder)
    if manifest.problems:
        raise DatasetError(f"{next(iter(manifest.problems.values()))}; type: avw verify {folder} --repair")
    return manifest


def scan_manifest(folder: Path) -> Manifest:
    """All lines of all manifest files, valid or not.

    A shard that is listed twice with different values has no record, because it is not known which line is true. The
    same line in two files is not an error: a kill may come between merging the parts of an array job and removing them.
    """
    manifest = Manifest(records={}, lines={}, problems={}, unclear=set())
    conflicts: set[str] = set()
    for path in own_files(folder.glob("manifest*.jsonl")):
        seen: set[str] = set()
        try:
            lines = complete_lines(path)
        except FileNotFoundError:  # the last part of an array job has just merged it into manifest.jsonl
            return scan_manifest(folder)
        except ValueError as error:
            manifest.problems[path.name] = f"{path} is not read: {error}"
            continue
        for number, line in enumerate(lines, start=1):
            where = f"{path.name}, line {number}"
            try:
                record = _parsed(line)
            except ValueError as error:
                manifest.unclear.add(_shard_of(line) or "")
                manifest.problems[where] = (
                    f"{path}, line {number}: not a line of a manifest ({error}); it was altered, or the disk is failing"
                )
                continue
            if record.shard in seen:
                manifest.problems[where] = f"{path}, line {number}: {record.shard} is listed a second time"
            if manifest.records.setdefault(record.shard, record) != record:
                manifest.problems[where] = f"{path}, line {number}: {record.shard} is listed twice with other values"
                conflicts.add(record.shard)
            manifest.lines.setdefault(record.shard, (where, line))
            seen.add(record.shard)
    for name in conflicts:
        del manifest.records[name]
    return manifest


def refuse_unplanned(folder: Path, spec_sha256: str, shards: Iterable[ShardSpec], manifest: Manifest) -> None:
    """Raises DatasetError for a line that contradicts the plan of the dataset."""
    planned = {shard.name: shard for shard in shards}
    for name, record in manifest.records.items():
        shard = planned.get(name)
        listed = [(row["index"], row["steps"]) for row in record.episodes]
        if shard is None:
            reason = f"{name} is not a shard of this dataset"
        elif record.spec_sha256 != spec_sha256:
            reason = f"{name} is listed for another dataset (its spec_sha256 differs)"
        elif listed != [(episode.index, episode.steps) for episode in shard.episodes]:
            reason = f"the episodes of {name} are not those of the plan"
        else:
            continue
        where, _ = manifest.lines[name]
        raise DatasetError(f"{folder}/{where}: {reason}; it was altered; type: avw verify {folder} --repair")


def append_record(folder: Path, record: ShardRecord, part: tuple[int, int] | None = None) -> None:
    """Commit a shard: one line, flushed to the disk. On a full disk the manifest stays as it was."""
    append_line(folder / manifest_name(part), asdict(record))


def write_manifest(folder: Path, records: list[ShardRecord]) -> None:
    """Replace all manifests by one, in the given order: the last step of a complete dataset."""
    text = "".join(json_line(asdict(record)) for record in records)
    atomic_write(folder / manifest_name(), text, shared=True)
    for path in folder.glob("manifest.*-of-*.jsonl"):
        path.unlink(missing_ok=True)


def drop_records(folder: Path, names: set[str]) -> None:
    """Remove shards from every manifest, before their files are removed."""
    for path in own_files(folder.glob("manifest*.jsonl")):
        kept = [line for line in complete_lines(path) if _shard_of(line) not in names]
        atomic_write(path, line_bytes(kept), shared=True)


def _shard_of(line: str) -> str | None:
    """The shard that a line names, valid or not."""
    try:
        return str(as_object(parse_json(line)).get("shard"))
    except ValueError:
        return None


def _parsed(line: str) -> ShardRecord:
    """The record in a line. Raises ValueError for anything that this AVW, or an older one, does not write."""
    if len(line) > LONGEST_LINE:
        raise ValueError(f"more than {LONGEST_LINE:,} characters")
    record = from_json(ShardRecord, parse_json(line))
    if not _SHARD.fullmatch(record.shard):
        raise ValueError(f"{record.shard[:80]!r} is not the name of a shard")
    for name in ("sha256", "spec_sha256"):
        if not _DIGEST.fullmatch(getattr(record, name)):
            raise ValueError(f"{name} is not a SHA-256")
    if record.bytes < 0:
        raise ValueError(f"bytes is {record.bytes}")
    for row in record.episodes:
        for name, value in row.items():
            if name not in COLUMNS:
                raise ValueError(f"an episode has an unknown value {name[:80]!r}")
            typed(COLUMNS[name], value, name)
        for name in REQUIRED:
            if name not in row:
                raise ValueError(f"an episode has no {name!r}")
    return record
