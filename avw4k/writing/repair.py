"""Repairing a dataset: the shards that a verification found damaged are made again, and nothing else is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from avw.avw4k.plan.spec import plan
from avw.avw4k.reading.checks import file_sha256
from avw.avw4k.reading.dataset import read_info
from avw.avw4k.shards.locks import locked
from avw.avw4k.shards.manifest import drop_records, scan_manifest, write_manifest
from avw.avw4k.shards.shard import ShardFile, data_attributes, open_shard
from avw.avw4k.writing.generate import generate
from avw.avw4k.writing.verify import VerifyReport, verify_dataset
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.storage.disk_errors import readable_errors


def repair_dataset(
    folder: Path,
    found: VerifyReport,
    *,
    workers: int = 1,
    on_steps: Callable[[int], None] = lambda steps: None,
) -> VerifyReport:
    """Make the shards again that a verification `found` damaged or missing, and verify everything again.

    Valid shards that are not listed are adopted. Lines that are not valid are removed from the manifest. Copies of
    shards, and shards of this dataset under another name, are removed; other files stay and are reported again.
    """
    _, spec = read_info(folder)
    names = {shard.name for shard in plan(spec)}
    with locked(folder, None), readable_errors("cannot repair the dataset", folder):
        records, bad_lines = scan_manifest(folder)
        before = {name: record.sha256 for name, record in records.items()}
        removed = []
        for name in found.problems:
            path = folder / name
            if name in names and name in records:
                path.unlink(missing_ok=True)  # an unlisted one stays: `generate` adopts it if it is valid
            elif path.suffix == ".h5" and name not in names and _is_ours(path, spec.sha256, set(before.values())):
                path.unlink()
                removed.append(name)
        if bad_lines:
            write_manifest(folder, [record for name, record in records.items() if name in names])
        drop_records(folder, set(found.problems))
    report = generate(folder, spec, workers=workers, on_steps=on_steps)
    after = verify_dataset(folder)
    records, _ = scan_manifest(folder)
    after.repaired, after.adopted, after.removed = report.written, report.adopted, removed
    after.changed = [name for name in report.written if before.get(name, records[name].sha256) != records[name].sha256]
    return after


def _is_ours(path: Path, spec_sha256: str, digests: set[str]) -> bool:
    """Whether a file of another name is a copy of a shard, or names this dataset in its attributes."""
    try:
        if file_sha256(path) in digests:
            return True
        with open_shard(path) as file:
            return _belongs(file, spec_sha256)
    except DatasetError:
        return False


def _belongs(file: ShardFile, spec_sha256: str) -> bool:
    return bool(data_attributes(file).get("spec_sha256") == spec_sha256)
