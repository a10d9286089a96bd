"""From a spec to a dataset on disk: plan, workers, commit. It can be stopped at any time and resumed.

A shard is committed in two steps: the worker writes a temporary file, reads it back, and renames it; the parent appends
its line to the manifest. If a kill comes between the two, the shard without a line is checked and adopted at the next
start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from avw.avw4k.execution.local_processes import run_in_processes
from avw.avw4k.execution.protocol import Execute, Report
from avw.avw4k.plan.assets import as_stored, refuse_changed, with_digests
from avw.avw4k.plan.episode import Episode, run_episode
from avw.avw4k.plan.spec import SCHEMA_VERSION, DatasetSpec, ShardSpec, plan
from avw.avw4k.reading.checks import check_shard
from avw.avw4k.reading.dataset import Dataset, load_dataset
from avw.avw4k.reading.info import INFO
from avw.avw4k.shards.locks import LOCK, beginning, locked
from avw.avw4k.shards.manifest import (
    ShardRecord,
    append_record,
    drop_records,
    read_manifest,
    write_manifest,
)
from avw.avw4k.shards.shard import FEATURES, shard_bytes
from avw.avw4k.writing.beside import FILES, read_table_rows
from avw.avw4k.writing.card import engine_versions, episode_rows, write_card, write_info
from avw.avw4k.writing.croissant import TABLE
from avw.sim_bridge.errors import AvwError, DatasetError, UsageError
from avw.sim_bridge.paths import COMPANION
from avw.sim_bridge.scenes.catalogue import scene_refs
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.storage.atomic_write import TMP_SUFFIX, atomic_write
from avw.sim_bridge.storage.disk_errors import readable_errors


@dataclass(kw_only=True, slots=True)
class GenerateReport:
    """The result of a run. adopted: valid shards that had no line in the manifest · redone: damaged ones, made again"""

    path: str
    spec_sha256: str
    shards: int = 0
    episodes: int = 0
    steps: int = 0
    bytes: int = 0
    clipped: int = 0
    written: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    redone: list[str] = field(default_factory=list)
    complete: bool = False


@dataclass(slots=True)
class ShardWork:
    """Simulates and writes one shard in a worker; keeps the scene open for the next one. Picklable."""

    folder: Path
    spec: DatasetSpec
    scenes: Mapping[str, SceneRef]
    schema: int
    _open: tuple[str, Simulator] | None = None

    def __call__(self, shard: ShardSpec, report: Report) -> ShardRecord:
        simulator = self._simulator(shard.scene)
        image = shard_bytes(self.spec, shard, self._episodes(simulator, shard, report), self.schema)
        with readable_errors(f"cannot write {shard.name}", self.folder):
            return commit_shard(self.folder, self.spec, shard, image, self.schema)

    def _episodes(self, simulator: Simulator, shard: ShardSpec, report: Report) -> Iterator[Episode]:
        for episode in shard.episodes:
            report.doing(f"episode {episode.index}")
            yield run_episode(simulator, self.spec, episode, report)

    def _simulator(self, scene: str) -> Simulator:
        if self._open is None or self._open[0] != scene:
            if self._open is not None:
                self._open[1].close()
                self._open = None
            self._open = (scene, open_simulator(self.scenes[scene], self.spec.simulator))
        return self._open[1]


def commit_shard(
    folder: Path, spec: DatasetSpec, shard: ShardSpec, image: bytes, schema: int = SCHEMA_VERSION
) -> ShardRecord:
    """Write the file, read it back from the disk, and then give it its final name."""

    def check(tmp: Path) -> ShardRecord:
        return check_shard(tmp, spec, shard, schema)

    return atomic_write(folder / shard.name, image, check, shared=True)


def generate(
    folder: Path,
    spec: DatasetSpec,
    *,
    workers: int = 1,
    resume: bool = True,
    part: tuple[int, int] | None = None,
    scenes: Sequence[SceneRef] = (),
    execute: Execute = run_in_processes,
    on_start: Callable[[int, int], None] = lambda done, total: None,
    on_steps: Callable[[int], None] = lambda steps: None,
    log: Callable[[str], None] = lambda text: None,
) -> GenerateReport:
    """Write the dataset of `spec` to `folder`, continuing from what is committed there.

    part: (i, n), i from 0: only every n-th shard, for array jobs on a shared file system
    scenes: the scenes of the spec; missing ones are found by their names. Files of `scenes` whose digest is not in the
    spec are read once, when the dataset is begun · execute: the executor, see `avw.avw4k.execution.protocol`
    on_start: called with the steps committed so far and the total · on_steps: called with the steps done since the last
    call
    Raises UsageError for a folder that contains something else or is in use, DatasetError for a full disk.
    """
    shards = plan(spec)
    mine = shards if part is None else shards[part[0] :: part[1]]
    with readable_errors("cannot prepare the dataset", folder):
        folder.mkdir(parents=True, exist_ok=True)
        _holds_dataset(folder, spec, resume)  # before the lock, so that no lock file is written to a foreign folder
    with locked(folder, part), readable_errors("cannot write the dataset", folder):
        new = not _holds_dataset(folder, spec, resume)
        if new:
            _begin(folder, spec, scenes, log)
        else:
            _warn_about_versions(folder, log)
        begun = load_dataset(folder)
        spec, schema = begun.spec, begun.schema
        _remove_temporary_files(folder, mine, part)
        report = GenerateReport(path=str(folder), spec_sha256=spec.sha256)
        missing = _missing_shards(begun, mine, part, report, log)
        total = sum(shard.steps for shard in mine)
        on_start(total - sum(shard.steps for shard in missing), total)
        try:
            work = ShardWork(folder, spec, _scenes_of(spec, missing, scenes), schema)
            for shard, record in execute(
                work, missing, workers, scene_of=lambda shard: shard.scene, on_steps=on_steps, log=log
            ):
                append_record(folder, record, part)
                report.written.append(shard.name)
        except AvwError:
            if new and part is None:
                _undo_start(folder)
            raise
        finally:
            _remove_temporary_files(folder, mine, part)
        finish(folder, spec, schema, shards, report)
    return report


def _begin(folder: Path, spec: DatasetSpec, scenes: Sequence[SceneRef], log: Callable[[str], None]) -> None:
    """Write info.json, with the digest of every scene. The first part of an array job does it, and the others wait."""
    with beginning(folder):
        if (folder / "info.json").is_file():  # another part has written it
            committed(folder, spec)
            return
        lacking = {scene.scene_id for scene in scenes if scene.files} - {name for name, _ in spec.assets}
        if lacking:
            log(f"reading the files of {len(lacking)} scene{'' if len(lacking) == 1 else 's'} for their SHA-256")
        write_info(folder, with_digests(spec, scenes) if scenes else spec)


def _scenes_of(spec: DatasetSpec, shards: list[ShardSpec], scenes: Sequence[SceneRef]) -> dict[str, SceneRef]:
    """The scenes of these shards, among `scenes` or found by their names, as they were when the dataset was begun."""
    known, wanted = {scene.scene_id: scene for scene in scenes}, {shard.scene for shard in shards}
    refs = scene_refs(sorted(wanted - known.keys())) | {name: known[name] for name in wanted & known.keys()}
    refuse_changed(spec, refs)
    return refs


def _undo_start(folder: Path) -> None:
    """Remove what a start that failed has written before its first shard, so that other options can be tried."""
    if not any(folder.glob("*.h5")) and not any(folder.glob("manifest*.jsonl")):
        for name in (INFO, *(path.name for path in folder.glob(f"{LOCK}*"))):
            (folder / name).unlink(missing_ok=True)
        with suppress(OSError):  # not empty
            folder.rmdir()


def _holds_dataset(folder: Path, spec: DatasetSpec, resume: bool) -> bool:
    """Whether the folder already contains this dataset; False if it is empty. Raises UsageError for anything else."""
    if (folder / "info.json").is_file():
        records = committed(folder, spec)
        if records and not resume:
            raise UsageError(
                f"{folder} already contains {len(records)} committed shards, and --no-resume does not continue from "
                "them; name another folder, or remove this one"
            )
        return True
    foreign = sorted(path.name for path in folder.iterdir() if not _is_leftover(path.name))
    if foreign:
        raise UsageError(
            f"{folder} is not a dataset, but contains {', '.join(foreign[:3])}{' …' if len(foreign) > 3 else ''}; "
            "name an empty or new folder"
        )
    return False


def _warn_about_versions(folder: Path, log: Callable[[str], None]) -> None:
    dataset = load_dataset(folder)
    old, new = dataset.info.get("versions", {}), engine_versions(dataset.spec)
    changed = [f"{name} was {old.get(name)}, is {new[name]}" for name in new if old.get(name) != new[name]]
    if changed:
        log(f"{folder} was begun with other versions ({'; '.join(changed)}): new shards may differ in bytes")
    lacking = [name for name, feature in FEATURES.items() if feature.since > dataset.schema]
    if lacking and not dataset.complete:
        log(f"{folder} was begun with schema version {dataset.schema}, and continues without {', '.join(lacking)}")


def committed(folder: Path, spec: DatasetSpec) -> dict[str, ShardRecord]:
    """The manifest of a folder that contains the dataset of this spec. Raises UsageError for another spec."""
    dataset = load_dataset(folder)
    spec = as_stored(spec, dataset.spec)
    if not dataset.spec.same_as(spec):
        raise UsageError(
            f"{folder} contains a dataset of another spec ({'; '.join(dataset.spec.differences(spec)[:4])}); "
            "name another folder, use the same options again, or remove the folder"
        )
    return dataset.records


def remaining_scenes(folder: Path, spec: DatasetSpec, part: tuple[int, int] | None = None) -> tuple[str, ...]:
    """The scenes that `generate` would open: those with a shard of this part that is not committed."""
    records = committed(folder, spec) if (folder / "info.json").is_file() else {}
    shards = plan(spec)
    mine = shards if part is None else shards[part[0] :: part[1]]
    return tuple(dict.fromkeys(shard.scene for shard in mine if shard.name not in records))


def _missing_shards(
    dataset: Dataset,
    shards: list[ShardSpec],
    part: tuple[int, int] | None,
    report: GenerateReport,
    log: Callable[[str], None],
) -> list[ShardSpec]:
    """The shards to make: those that are neither committed (in the manifest) nor valid and adopted here."""
    folder, spec = dataset.path, dataset.spec
    records, missing, damaged = read_manifest(folder), [], set()
    for shard in shards:
        path, record = folder / shard.name, records.get(shard.name)
        if record is not None:
            if path.is_file() and path.stat().st_size == record.bytes:
                continue
            log(f"{shard.name} was committed, but is {'damaged' if path.is_file() else 'missing'}; making it again")
            damaged.add(shard.name)
            report.redone.append(shard.name)
            missing.append(shard)
        elif path.is_file():
            try:
                append_record(folder, check_shard(path, spec, shard, dataset.schema), part)
                report.adopted.append(shard.name)
                log(f"{shard.name} was complete, but not in the manifest; checked and adopted")
            except DatasetError as error:
                log(f"{error}; making it again")
                report.redone.append(shard.name)
                missing.append(shard)
        else:
            missing.append(shard)
    if damaged:
        drop_records(folder, damaged)
    return missing


def finish(folder: Path, spec: DatasetSpec, schema: int, shards: list[ShardSpec], report: GenerateReport) -> None:
    """Count the committed shards; a complete dataset gets its sorted manifest, episode table and card."""
    records = read_manifest(folder)
    listed = [records[shard.name] for shard in shards if shard.name in records]
    report.shards = len(listed)
    report.episodes = sum(len(record.episodes) for record in listed)
    report.steps = sum(record.steps for record in listed)
    report.bytes = sum(record.bytes for record in listed)
    report.clipped = sum(record.clipped for record in listed)
    report.complete = len(listed) == len(shards)
    if report.complete and not (_is_finished(folder) and not _changed(report)):
        # Parts of an array job may do this at the same time: all write the same bytes, and each write is atomic.
        _refuse_laundering(folder, shards, records, _changed(report))
        write_card(folder, spec, schema, shards, records)
        write_manifest(folder, listed)
    if report.complete:
        for path in folder.glob(f"{LOCK}*"):
            path.unlink(missing_ok=True)


def _changed(report: GenerateReport) -> set[str]:
    """The shards whose lines in the manifest are of this run, and therefore checked."""
    return {*report.written, *report.adopted, *report.redone}


def _is_finished(folder: Path) -> bool:
    """Whether nothing is left to write beside the shards."""
    return all((folder / name).is_file() for name in FILES) and not any(folder.glob("manifest.*-of-*.jsonl"))


def _refuse_laundering(
    folder: Path, shards: list[ShardSpec], records: dict[str, ShardRecord], checked: set[str]
) -> None:
    """Raises DatasetError if the table of a finished dataset contradicts a line of the manifest that was not checked.

    One of them was altered, and the table must not be written again from the wrong line.
    """
    try:
        table = {row.get("index"): row for row in read_table_rows(folder)}
    except (FileNotFoundError, ValueError):
        return
    for row in episode_rows(shards, records):
        old = {name: value for name, value in table.get(row["index"], row).items() if value is not None}
        if row["shard"] not in checked and old != row:
            raise DatasetError(
                f"{folder}: the manifest and {TABLE} disagree about episode {row['index']}; one of them was altered; "
                f"type: avw verify {folder} --repair"
            )


def _is_leftover(name: str) -> bool:
    """Whether a killed run may have left a file of this name before it wrote info.json."""
    return name.startswith((LOCK, ".nfs", COMPANION)) or name.endswith(TMP_SUFFIX)


def _remove_temporary_files(folder: Path, shards: list[ShardSpec], part: tuple[int, int] | None) -> None:
    """Remove the temporary files of a killed run; in an array job those of this part only."""
    mine = tuple(f"{shard.name}." for shard in shards)
    for path in folder.glob(f"*{TMP_SUFFIX}"):
        if part is None or path.name.startswith(mine):
            path.unlink(missing_ok=True)
