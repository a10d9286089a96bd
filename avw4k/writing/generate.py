"""A spec becomes a dataset on disk: plan, workers, commit. Can be stopped at any instant and goes on from there.

A shard is committed in two steps: the worker writes a tmp file, reads it back, and renames it; the parent appends
the manifest's line. What a kill leaves between the two (a shard without a line) is checked and adopted at the next
start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from avw.avw4k.execution.executors import Execute, Report, run_in_processes
from avw.avw4k.plan.assets import as_stored, refuse_changed, with_digests
from avw.avw4k.plan.episode import Episode, run_episode
from avw.avw4k.plan.spec import DatasetSpec, ShardSpec, plan
from avw.avw4k.reading.checks import check_shard
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.shards.locks import LOCK, beginning, locked
from avw.avw4k.shards.manifest import (
    TMP_SUFFIX,
    ShardRecord,
    append_record,
    drop_records,
    read_manifest,
    readable_errors,
    write_manifest,
    write_whole,
)
from avw.avw4k.shards.shard import shard_bytes
from avw.avw4k.writing.card import engine_versions, write_card, write_info
from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.paths import COMPANION
from avw.sim_bridge.scenes.catalogue import scene_refs
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator


@dataclass(kw_only=True, slots=True)
class GenerateReport:
    """What a run did. adopted: shards found without a manifest line and sound · redone: found damaged and made again"""

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
    """Simulates, writes and commits one shard in a worker; keeps the scene open for the next. Picklable."""

    folder: Path
    spec: DatasetSpec
    scenes: Mapping[str, SceneRef]
    _open: tuple[str, Simulator] | None = None

    def __call__(self, shard: ShardSpec, report: Report) -> ShardRecord:
        simulator = self._simulator(shard.scene)
        image = shard_bytes(self.spec, shard, self._episodes(simulator, shard, report))
        with readable_errors(f"cannot write {shard.name}", self.folder):
            return commit_shard(self.folder, self.spec, shard, image)

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


def commit_shard(folder: Path, spec: DatasetSpec, shard: ShardSpec, image: bytes) -> ShardRecord:
    """Write the file, read it back from the disk, and only then give it its name."""

    def check(tmp: Path) -> ShardRecord:
        return check_shard(tmp, spec, shard)

    return write_whole(folder / shard.name, image, check)


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
    """Make `folder` hold the dataset of `spec`, going on from whatever is committed there.

    part: (i, n), i from 0: only every n-th shard, for array jobs on a shared file system
    scenes: the scenes of the spec; those that are missing here are looked for by their names. Files of `scenes` whose
    digest the spec lacks are read once, when the dataset is begun · on_start: steps committed
    and steps in all · on_steps: steps done since last time · execute: who does the work, see `executors`.
    Raises UsageError for a folder that holds something else or is in use, DatasetError for a full disk.
    """
    shards = plan(spec)
    mine = shards if part is None else shards[part[0] :: part[1]]
    with readable_errors("cannot prepare the dataset", folder):
        folder.mkdir(parents=True, exist_ok=True)
        _check_ours(folder, spec, resume)  # before the lock, so that what is not ours gets not even that
    with locked(folder, part), readable_errors("cannot write the dataset", folder):
        if _check_ours(folder, spec, resume):
            spec = open_dataset(folder).spec
            _warn_of_other_libraries(folder, spec, log)
        else:
            spec = _begin(folder, spec, scenes, log)
        _sweep(folder, mine, part)
        report = GenerateReport(path=str(folder), spec_sha256=spec.sha256)
        todo = _settle(folder, spec, mine, part, report, log)
        total = sum(shard.steps for shard in mine)
        on_start(total - sum(shard.steps for shard in todo), total)
        known, wanted = {scene.scene_id: scene for scene in scenes}, {shard.scene for shard in todo}
        here = scene_refs(sorted(wanted - known.keys())) | {name: known[name] for name in wanted & known.keys()}
        refuse_changed(spec, here)
        work = ShardWork(folder, spec, here)
        try:
            for shard, record in execute(
                work, todo, workers, scene_of=lambda shard: shard.scene, on_steps=on_steps, log=log
            ):
                append_record(folder, record, part)
                report.written.append(shard.name)
        finally:
            _sweep(folder, mine, part)
        finish(folder, spec, shards, report)
    return report


def _begin(folder: Path, spec: DatasetSpec, scenes: Sequence[SceneRef], log: Callable[[str], None]) -> DatasetSpec:
    """Write info.json, with the digest of every scene. Of the parts of an array job one does it, and others wait."""
    with beginning(folder):
        if (folder / "info.json").is_file():  # another part was faster
            committed(folder, spec)
            return open_dataset(folder).spec
        lacking = {scene.scene_id for scene in scenes if scene.files} - {name for name, _ in spec.assets}
        if lacking:
            log(f"reading the files of {len(lacking)} scenes for their SHA-256")
        spec = with_digests(spec, scenes) if scenes else spec
        write_info(folder, spec)
        return spec


def _check_ours(folder: Path, spec: DatasetSpec, resume: bool) -> bool:
    """Whether the folder holds this dataset already (else it is empty). Raises UsageError for anything else."""
    if (folder / "info.json").is_file():
        records = committed(folder, spec)
        if records and not resume:
            raise UsageError(
                f"{folder} holds {len(records)} committed shards already, and --no-resume forbids to go on from them; "
                "name another folder, or remove this one"
            )
        return True
    foreign = sorted(path.name for path in folder.iterdir() if not _ours(path.name))
    if foreign:
        raise UsageError(
            f"{folder} is no dataset but holds {', '.join(foreign[:3])}{' …' if len(foreign) > 3 else ''}; "
            "name an empty or new folder"
        )
    return False


def _warn_of_other_libraries(folder: Path, spec: DatasetSpec, log: Callable[[str], None]) -> None:
    before, here = open_dataset(folder).info.get("versions", {}), engine_versions(spec)
    changed = [f"{name} {before.get(name)} then, {here[name]} now" for name in here if before.get(name) != here[name]]
    if changed:
        log(f"{folder} was begun with other libraries ({'; '.join(changed)}): new shards may differ in bytes")


def committed(folder: Path, spec: DatasetSpec) -> dict[str, ShardRecord]:
    """The manifest of a folder that holds this very spec. Raises UsageError if it holds another."""
    there = open_dataset(folder)
    spec = as_stored(spec, there.spec)
    if not there.spec.same_as(spec):
        raise UsageError(
            f"{folder} holds a dataset of another spec ({'; '.join(there.spec.differences(spec)[:4])}); "
            "name another folder, ask for the same again, or remove it"
        )
    return there.records


def remaining_scenes(folder: Path, spec: DatasetSpec, part: tuple[int, int] | None = None) -> tuple[str, ...]:
    """The scenes that `generate` would simulate in: those that have a shard of this part which is not committed."""
    records = committed(folder, spec) if (folder / "info.json").is_file() else {}
    shards = plan(spec)
    mine = shards if part is None else shards[part[0] :: part[1]]
    return tuple(dict.fromkeys(shard.scene for shard in mine if shard.name not in records))


def _settle(
    folder: Path,
    spec: DatasetSpec,
    shards: list[ShardSpec],
    part: tuple[int, int] | None,
    report: GenerateReport,
    log: Callable[[str], None],
) -> list[ShardSpec]:
    """The shards to make: neither committed nor fit for adoption. The manifest is the truth."""
    records, todo, gone = read_manifest(folder), [], set()
    for shard in shards:
        path, record = folder / shard.name, records.get(shard.name)
        if record is not None:
            if path.is_file() and path.stat().st_size == record.bytes:
                continue
            log(f"{shard.name} was committed but is {'damaged' if path.is_file() else 'missing'}: made again")
            gone.add(shard.name)
            report.redone.append(shard.name)
            todo.append(shard)
        elif path.is_file():
            try:
                append_record(folder, check_shard(path, spec, shard), part)
                report.adopted.append(shard.name)
                log(f"{shard.name} was finished but not committed: checked and adopted")
            except DatasetError as error:
                log(f"{error}: made again")
                report.redone.append(shard.name)
                todo.append(shard)
        else:
            todo.append(shard)
    if gone:
        drop_records(folder, gone)
    return todo


def finish(folder: Path, spec: DatasetSpec, shards: list[ShardSpec], report: GenerateReport) -> None:
    """Count what is there; a whole dataset gets its sorted manifest, episode table and card."""
    records = read_manifest(folder)
    have = [records[shard.name] for shard in shards if shard.name in records]
    report.shards = len(have)
    report.episodes = sum(len(record.episodes) for record in have)
    report.steps = sum(record.steps for record in have)
    report.bytes = sum(record.bytes for record in have)
    report.clipped = sum(record.clipped for record in have)
    report.complete = len(have) == len(shards)
    if report.complete:
        # Parts of an array job may do this at once: each writes the same bytes, and each file whole.
        write_card(folder, spec, shards, records)
        write_manifest(folder, have)
        for path in folder.glob(f"{LOCK}*"):
            path.unlink(missing_ok=True)


def _ours(name: str) -> bool:
    return name.startswith((LOCK, ".nfs", COMPANION)) or name.endswith(TMP_SUFFIX)


def _sweep(folder: Path, shards: list[ShardSpec], part: tuple[int, int] | None) -> None:
    """Remove the tmp files that a kill left behind; in an array job those of this part only."""
    mine = tuple(f"{shard.name}." for shard in shards)
    for path in folder.glob(f"*{TMP_SUFFIX}"):
        if part is None or path.name.startswith(mine):
            path.unlink(missing_ok=True)
