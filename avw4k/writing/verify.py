"""Checks of a dataset: shards, manifest, tables, and, on request, a new simulation of some episodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from avw.avw4k.execution.local_processes import run_in_processes
from avw.avw4k.execution.protocol import Report
from avw.avw4k.plan.episode import run_episode
from avw.avw4k.plan.spec import SCHEMA_VERSION, ShardSpec, plan
from avw.avw4k.reading.checks import check_shard
from avw.avw4k.reading.dataset import CARD, Dataset, EpisodeRef, open_dataset
from avw.avw4k.reading.info import read_info
from avw.avw4k.shards.locks import is_locked
from avw.avw4k.shards.manifest import Manifest, ShardRecord, scan_manifest
from avw.avw4k.writing.beside import FILES, beside_problems, card_digest
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.paths import own_files
from avw.sim_bridge.scenes.catalogue import scene_refs
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import is_reproducible, require_interpreter
from avw.sim_bridge.storage.json_lines import json_line


@dataclass(kw_only=True, slots=True)
class VerifyReport:
    """The result of a verification.

    problems: {shard, manifest line or file: what is wrong, and with which episode} · missing: shards not made yet
    unlisted: shards and other files that an interrupted command has not finished · busy: whether a command is writing
    replayed: episodes simulated again and equal · differing: episodes that are not equal, if the dataset does not
        promise equality · repaired: shards made again · adopted: valid shards that had no line in the manifest
    removed: files that were copies of shards · changed: shards with other bytes than before
    """

    shards: int = 0
    episodes: int = 0
    steps: int = 0
    bytes: int = 0
    missing: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    busy: bool = False
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
    if replay:
        require_interpreter(spec.simulator, f"the dataset {folder}")
    schema = int(info["schema_version"])
    manifest = scan_manifest(folder)
    report = VerifyReport(problems=dict(manifest.problems), busy=is_locked(folder))
    shards = plan(spec)
    columns = {name for record in manifest.records.values() for row in record.episodes for name in row}
    for shard in shards:
        if shard.name not in manifest.records:
            _report_unlisted(folder, shard, manifest, report)
            continue
        on_shard(shard.name)
        try:
            found = check_shard(folder / shard.name, spec, shard, schema)
        except DatasetError as error:
            report.problems[shard.name] = str(error)
            continue
        if schema < SCHEMA_VERSION:
            found = _with_columns(found, columns)
        if problem := _line_problem(folder, manifest, found):
            report.problems.update([problem])
            continue
        report.shards += 1
        report.episodes += len(shard.episodes)
        report.steps += shard.steps
        report.bytes += found.bytes
    known = {shard.name for shard in shards}
    for name in sorted(set(manifest.records) - known):
        report.problems[name] = f"{folder}/{manifest.lines[name][0]}: {name} is not a shard of this dataset"
    for path in own_files(folder.glob("*.h5")):
        if path.name not in known:
            report.problems[path.name] = f"{path} is not a shard of this dataset: a copy, or from another dataset"
    if report.ok and not report.missing and not report.unlisted:
        problems = beside_problems(folder, spec, schema, shards, manifest.records)
        if CARD in problems and not (folder / CARD).exists():  # the last file of a dataset: it was never finished
            report.unlisted = [name for name in FILES if not (folder / name).exists()]
            problems = {name: text for name, text in problems.items() if name not in report.unlisted}
        report.problems.update(problems)
    if replay:
        _replay(Dataset(folder, info, spec, manifest.records), report, replay, workers)
    return report


def _report_unlisted(folder: Path, shard: ShardSpec, manifest: Manifest, report: VerifyReport) -> None:
    """A shard without a line: not made yet, being committed at the moment, or removed from the manifest by hand."""
    episodes = ", ".join(str(episode.index) for episode in shard.episodes)
    if shard.name in manifest.unclear:
        return
    if (folder / CARD).exists():
        report.problems[shard.name] = (
            f"{folder / shard.name} (episodes {episodes}) is in no manifest, although the dataset was complete: "
            "its line was deleted or altered"
        )
    elif (folder / shard.name).exists() and shard.name not in scan_manifest(folder).records:
        report.unlisted.append(shard.name)
    else:
        report.missing.append(shard.name)


def _line_problem(folder: Path, manifest: Manifest, found: ShardRecord) -> tuple[str, str] | None:
    """(line or shard, what is wrong) if the manifest does not say what the shard says; every character counts."""
    where, line = manifest.lines[found.shard]
    record = manifest.records[found.shard]
    if found.sha256 != record.sha256 and card_digest(folder, found.shard) != found.sha256:
        return found.shard, f"{folder / found.shard}: its SHA-256 is not the one in the manifest"
    if line == json_line(dataclasses.asdict(found)).rstrip("\n"):
        return None
    listed, actual = dataclasses.asdict(record), dataclasses.asdict(found)
    for demo, (row, right) in enumerate(zip(listed.pop("episodes"), actual.pop("episodes"), strict=False)):
        for name in sorted({*row, *right}):
            if row.get(name) != right.get(name):
                place = f"{found.shard}, demo_{demo}, episode {right['index']}"
                return where, _contradiction(folder, where, place, name, row.get(name), right.get(name))
    for name in listed:
        if listed[name] != actual[name]:
            return where, _contradiction(folder, where, found.shard, name, listed[name], actual[name])
    return where, f"{folder}/{where}: {found.shard} is not listed as AVW writes it; the line was altered"


def _contradiction(folder: Path, where: str, place: str, name: str, listed: Any, actual: Any) -> str:
    return f"{folder}/{where}: {place}: the manifest gives {name} as {listed!r}, but it is {actual!r}"


def _with_columns(record: ShardRecord, columns: set[str]) -> ShardRecord:
    """The record as an older version wrote it, with fewer values of each episode."""
    rows = tuple({name: value for name, value in row.items() if name in columns} for row in record.episodes)
    return dataclasses.replace(record, episodes=rows)


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
