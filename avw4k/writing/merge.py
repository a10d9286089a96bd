"""The parts of an array job become one dataset: on a shared folder, or gathered from folders of several machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from avw.avw4k.plan.spec import plan
from avw.avw4k.reading.checks import check_shard
from avw.avw4k.reading.dataset import read_info
from avw.avw4k.shards.locks import locked
from avw.avw4k.shards.manifest import append_record, read_manifest, readable_errors, write_whole
from avw.avw4k.writing.generate import GenerateReport, commit_shard, finish
from avw.sim_bridge.errors import DatasetError, UsageError


def merge_datasets(
    out: Path, parts: Sequence[Path] = (), *, on_shard: Callable[[str], None] = lambda name: None
) -> GenerateReport:
    """Make `out` hold all that it and the folders of `parts` hold of one dataset, every shard read and checked.

    Nothing is moved: parts stay as they are. Raises UsageError for parts of another spec, DatasetError for a damaged
    shard, and for one that two folders hold differently.
    """
    infos = [(folder, *read_info(folder)) for folder in ([out] if (out / "info.json").is_file() else []) + [*parts]]
    if not infos:
        raise UsageError(f"{out} holds no dataset, and no part of one is named; type: avw merge {out} PART PART …")
    _, _, spec = infos[0]
    for folder, _, other in infos:
        if other.sha256 != spec.sha256:
            raise UsageError(
                f"{folder} is a part of another dataset than {infos[0][0]} "
                f"({'; '.join(spec.differences(other)[:4]) or 'their spec_sha256 differs'})"
            )
    shards = plan(spec)
    with readable_errors("cannot merge", out):
        out.mkdir(parents=True, exist_ok=True)
        with locked(out, None):
            report = GenerateReport(path=str(out), spec_sha256=spec.sha256)
            if not (out / "info.json").is_file():
                write_whole(out / "info.json", (infos[0][0] / "info.json").read_bytes())
            have = read_manifest(out)
            for part in parts:
                for name, record in read_manifest(part).items():
                    shard = next((shard for shard in shards if shard.name == name), None)
                    if shard is None:
                        raise DatasetError(f"the manifest of {part} lists {name}, which is no shard of this dataset")
                    if name in have:
                        if have[name] != record:
                            raise DatasetError(f"{name} is not the same in {part} as elsewhere: verify both")
                        continue
                    if check_shard(part / name, spec, shard) != record:
                        raise DatasetError(f"{part / name} is not what its manifest says; type: avw verify {part}")
                    on_shard(name)
                    have[name] = commit_shard(out, spec, shard, (part / name).read_bytes())
                    append_record(out, have[name])
                    report.adopted.append(name)
            finish(out, spec, shards, report)
    return report
