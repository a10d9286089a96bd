"""The list of committed shards: `manifest.jsonl`, one line per shard, appended after the shard has its final name.

Each part of an array job (`--shard i/n`) appends to a file of its own, `manifest.<i>-of-<n>.jsonl`; readers combine
them all.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.json_lines import append_line, complete_lines, json_line


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


def read_manifest(folder: Path) -> dict[str, ShardRecord]:
    """{shard name: record} of everything committed. Raises DatasetError for a line that is not valid."""
    records, problems = scan_manifest(folder)
    if problems:
        raise DatasetError(f"{next(iter(problems.values()))}; type: avw verify {folder} --repair")
    return records


def scan_manifest(folder: Path) -> tuple[dict[str, ShardRecord], dict[str, str]]:
    """({shard name: record}, {"manifest.jsonl, line 3": what is wrong with it}).

    A shard that is listed twice with different values has no record, because it is not known which line is true. The
    same line in two files is not an error: a kill may come between merging the parts of an array job and removing them.
    """
    records: dict[str, ShardRecord] = {}
    problems: dict[str, str] = {}
    conflicts: set[str] = set()
    for path in sorted(folder.glob("manifest*.jsonl")):
        seen: set[str] = set()
        try:
            lines = complete_lines(path)
        except FileNotFoundError:  # the last part of an array job has just merged it into manifest.jsonl
            return scan_manifest(folder)
        for number, line in enumerate(lines, start=1):
            where = f"{path.name}, line {number}"
            try:
                values = json.loads(line)
                record = ShardRecord(**{**values, "episodes": tuple(values["episodes"])})
                _check_types(record)
            except (ValueError, TypeError, KeyError) as error:
                problems[where] = (
                    f"{path}, line {number}: not a line of a manifest ({error}); it was altered, or the disk is failing"
                )
                continue
            if record.shard in seen:
                problems[where] = f"{path}, line {number}: {record.shard} is listed a second time"
            if records.setdefault(record.shard, record) != record:
                problems[where] = f"{path}, line {number}: {record.shard} is listed twice with different values"
                conflicts.add(record.shard)
            seen.add(record.shard)
    return {name: record for name, record in records.items() if name not in conflicts}, problems


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
    for path in sorted(folder.glob("manifest*.jsonl")):
        kept = [line for line in complete_lines(path) if _shard_of(line) not in names]
        atomic_write(path, "".join(f"{line}\n" for line in kept), shared=True)


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
