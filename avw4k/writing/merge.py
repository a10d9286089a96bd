"""Merging the parts of an array job into one dataset: in a shared folder, or from the folders of several machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from avw.avw4k.plan.spec import plan
from avw.avw4k.reading.checks import check_shard
from avw.avw4k.reading.dataset import load_dataset
from avw.avw4k.reading.info import read_info
from avw.avw4k.shards.locks import locked
from avw.avw4k.shards.manifest import append_record, read_manifest
from avw.avw4k.writing.generate import GenerateReport, commit_shard, finish
from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.disk_errors import readable_errors


def merge_datasets(
    out: Path, parts: Sequence[Path] = (), *, on_shard: Callable[[str], None] = lambda name: None
) -> GenerateReport:
    """Copy the shards of one dataset from the folders of `parts` to `out`; every shard is read and checked.

    The parts are not changed. Raises UsageError for parts of another spec, DatasetError for a damaged shard, and for
    one that differs between two folders.
    """
    infos = [(folder, *read_info(folder)) for folder in ([out] if (out / "info.json").is_file() else []) + [*parts]]
    if not infos:
        raise UsageError(f"{out} contains no dataset, and no part is named; type: avw merge {out} PART PART …")
    _, info, spec = infos[0]
    schema = int(info["schema_version"])
    for folder, other_info, other in infos:
        if other.sha256 != spec.sha256:
            raise UsageError(
                f"{folder} is part of another dataset than {infos[0][0]} "
                f"({'; '.join(spec.differences(other)[:4]) or 'their spec_sha256 differs'})"
            )
        if other_info["schema_version"] != schema:
            raise UsageError(
                f"{folder} has schema version {other_info['schema_version']}, but {infos[0][0]} has {schema}: parts "
                "that different versions of AVW have begun cannot be merged; generate the older one again"
            )
    shards = plan(spec)
    with readable_errors("cannot merge", out):
        out.mkdir(parents=True, exist_ok=True)
        with locked(out, None):
            report = GenerateReport(path=str(out), spec_sha256=spec.sha256)
            if not (out / "info.json").is_file():
                atomic_write(out / "info.json", (infos[0][0] / "info.json").read_bytes(), shared=True)
            merged = load_dataset(out).records
            for part in parts:
                for name, record in read_manifest(part).items():
                    shard = next((shard for shard in shards if shard.name == name), None)
                    if shard is None:
                        raise DatasetError(f"the manifest of {part} lists {name}, which is not a shard of this dataset")
                    if name in merged:
                        if merged[name] != record:
                            raise DatasetError(f"{name} differs between {part} and another folder; verify both")
                        continue
                    if check_shard(part / name, spec, shard, schema) != record:
                        raise DatasetError(f"{part / name} does not match its manifest; type: avw verify {part}")
                    on_shard(name)
                    merged[name] = commit_shard(out, spec, shard, (part / name).read_bytes(), schema)
                    append_record(out, merged[name])
                    report.adopted.append(name)
            finish(out, spec, schema, shards, report)
    return report
