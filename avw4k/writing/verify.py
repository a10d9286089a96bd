"""Checks of a dataset: shards, manifest, tables, and, on request, a new simulation of some episodes."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avw.avw4k.execution.local_processes import run_in_processes
from avw.avw4k.execution.protocol import Report
from avw.avw4k.plan.episode import run_episode
from avw.avw4k.plan.spec import ShardSpec, plan
from avw.avw4k.reading.checks import check_shard
from avw.avw4k.reading.dataset import Dataset, EpisodeRef, open_dataset, read_info
from avw.avw4k.shards.manifest import ShardRecord, scan_manifest
from avw.avw4k.writing.card import episode_rows
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.paths import own_files
from avw.sim_bridge.scenes.catalogue import scene_refs
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import is_reproducible

TABLE, CARD = "episodes.parquet", "croissant.json"  # written when a dataset is complete, so they show that it was


@dataclass(kw_only=True, slots=True)
class VerifyReport:
    """The result of a verification.

    problems: {shard, manifest line or file: what is wrong, and with which episode} · missing: shards not made yet
    replayed: episodes simulated again and equal · differing: episodes that are not equal, if the dataset does not
        promise equality · repaired: shards made again · adopted: valid shards that had no line in the manifest
    removed: files that were copies of shards · changed: shards with other bytes than before
    """

    shards: int = 0
    episodes: int = 0
    steps: int = 0
    bytes: int = 0
    missing: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    repaired: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    replayed: int = 0
    differing: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"ok": self.ok}


def verify_dataset(
    path: str | Path,
    *,
    replay: int = 0,
    workers: int = 1,
    on_shard: Callable[[str], None] = lambda name: None,
) -> VerifyReport:
    """Check every committed shard against the manifest and itself, and simulate `replay` episodes again.

    Raises DatasetError if the folder contains no dataset or its info.json was altered; all other problems are in the
    report.
    """
    folder = Path(path)
    info, spec = read_info(folder)
    records, line_problems = scan_manifest(folder)
    report = VerifyReport(problems=dict(line_problems))
    shards = plan(spec)
    was_complete = (folder / TABLE).exists() or (folder / CARD).exists()
    for shard in shards:
        record = records.get(shard.name)
        if record is None:
            _report_unlisted(folder, shard, was_complete, report)
            continue
        on_shard(shard.name)
        try:
            found = check_shard(folder / shard.name, spec, shard, int(info["schema_version"]))
            if found.sha256 != record.sha256 or found.bytes != record.bytes:
                raise DatasetError(f"{folder / shard.name}: its SHA-256 is not the one in the manifest")
            _compare_rows(folder, record, found)
        except DatasetError as error:
            report.problems[shard.name] = str(error)
            continue
        report.shards += 1
        report.episodes += len(shard.episodes)
        report.steps += shard.steps
        report.bytes += found.bytes
    known = {shard.name for shard in shards}
    for name in sorted(set(records) - known):
        report.problems[name] = f"the manifest lists {name}, which is not a shard of this dataset"
    for path in own_files(folder.glob("*.h5")):
        if path.name not in known:
            report.problems[path.name] = f"{path} is not a shard of this dataset: a copy, or from another dataset"
    if report.ok and not report.missing:
        _check_tables(folder, shards, records, report)
    if replay:
        _replay(Dataset(folder, info, spec, records), report, replay, workers)
    return report


def _report_unlisted(folder: Path, shard: ShardSpec, was_complete: bool, report: VerifyReport) -> None:
    """A shard without a line: not made yet, being committed at the moment, or removed from the manifest by hand."""
    episodes = ", ".join(str(episode.index) for episode in shard.episodes)
    if was_complete:
        report.problems[shard.name] = (
            f"{folder / shard.name} (episodes {episodes}) is in no manifest, although the dataset was complete: "
            "its line was deleted or altered"
        )
    elif (folder / shard.name).exists() and shard.name not in scan_manifest(folder)[0]:
        report.problems[shard.name] = f"{folder / shard.name} (episodes {episodes}) exists, but is not in the manifest"
    else:
        report.missing.append(shard.name)


def _compare_rows(folder: Path, record: ShardRecord, found: ShardRecord) -> None:
    """Raises DatasetError if the manifest differs from an episode."""
    if len(record.episodes) != len(found.episodes):
        raise DatasetError(f"{folder}: the manifest lists {len(record.episodes)} episodes of {record.shard}")
    for demo, (listed, actual) in enumerate(zip(record.episodes, found.episodes, strict=True)):
        wrong = [name for name, value in listed.items() if actual.get(name, value) != value]
        if wrong:
            raise DatasetError(
                f"{folder / record.shard}, demo_{demo}, episode {actual['index']}: the manifest gives {wrong[0]} as "
                f"{listed[wrong[0]]!r}, but it is {actual[wrong[0]]!r}"
            )


def _check_tables(folder: Path, shards: list[ShardSpec], records: dict[str, ShardRecord], report: VerifyReport) -> None:
    """The episode table and the list of shards must match the manifest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO((folder / TABLE).read_bytes())).to_pylist()
        if table != pa.Table.from_pylist(episode_rows(shards, records)).to_pylist():
            report.problems[TABLE] = f"{folder / TABLE} does not match the manifest"
    except (OSError, pa.ArrowException) as error:
        report.problems[TABLE] = f"{folder / TABLE} cannot be read: {error}"
    try:
        listed = json.loads((folder / CARD).read_text())["distribution"]
        digests = {entry["name"]: entry["sha256"] for entry in listed if str(entry["name"]).endswith(".h5")}
        if digests != {name: record.sha256 for name, record in records.items()}:
            report.problems[CARD] = f"{folder / CARD} does not list the manifest's shards and their SHA-256"
    except (OSError, ValueError, KeyError, TypeError) as error:
        report.problems[CARD] = f"{folder / CARD} cannot be read: {error!r}"


@dataclass(slots=True)
class ReplayWork:
    """Simulates an episode again in a worker; returns the names of the arrays that differ. Picklable."""

    path: Path
    scenes: Mapping[str, SceneRef]

    def __call__(self, ref: EpisodeRef, report: Report) -> list[str]:
        dataset = open_dataset(self.path)
        simulator = open_simulator(self.scenes[ref.scene], dataset.spec.simulator)
        try:
            episode = run_episode(simulator, dataset.spec, ref.spec, report)
        finally:
            simulator.close()
        stored = dataset.read(ref)
        dataset.close()
        return [name for name, array in stored.items() if array.tobytes() != getattr(episode, name).tobytes()]


def _replay(dataset: Dataset, report: VerifyReport, count: int, workers: int) -> None:
    refs = [ref for ref in dataset.episodes() if ref.shard not in report.problems]
    chosen = [refs[i] for i in sorted({round(x) for x in np.linspace(0, len(refs) - 1, min(count, len(refs)))})]
    work = ReplayWork(dataset.path, scene_refs({ref.scene for ref in chosen}))
    for ref, differing in run_in_processes(
        work, chosen, workers, scene_of=lambda ref: ref.scene, on_steps=lambda steps: None
    ):
        if differing and not is_reproducible(dataset.spec.simulator):
            report.differing.append(f"{ref.shard} demo_{ref.demo} ({', '.join(differing)})")
        elif differing:
            report.problems[ref.shard] = (
                f"{dataset.path / ref.shard}, demo_{ref.demo}: {', '.join(differing)} differ when the episode is "
                "simulated again from its spec; it was written by another version of AVW or its libraries, or altered"
            )
        else:
            report.replayed += 1
