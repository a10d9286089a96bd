"""Repairing a dataset: the shards that a verification found damaged are made again, and nothing else is changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from avw.avw4k.plan.spec import DatasetSpec, plan
from avw.avw4k.reading.info import INFO, read_info
from avw.avw4k.shards.checksums import file_sha256
from avw.avw4k.shards.locks import locked
from avw.avw4k.shards.manifest import drop_records, scan_manifest, write_manifest
from avw.avw4k.shards.shard import ShardFile, data_attributes, open_shard
from avw.avw4k.writing.beside import FILES, card_digest
from avw.avw4k.writing.card import engine_versions, info_text
from avw.avw4k.writing.generate import generate
from avw.avw4k.writing.verify import VerifyReport, verify_dataset
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.paths import own_files
from avw.sim_bridge.simulators.protocol import require_interpreter
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.disk_errors import readable_errors
from avw.sim_bridge.storage.small_files import read_bytes

_LARGEST_INFO = 200_000  # bytes; larger files would take minutes to restore


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
    info, spec = read_info(folder)
    if found.missing or any(name.endswith(".h5") for name in found.problems):
        require_interpreter(spec.simulator, f"the dataset {folder}")
    names = {shard.name for shard in plan(spec)}
    with locked(folder, None), readable_errors("cannot repair the dataset", folder):
        manifest = scan_manifest(folder)
        shard_of = {where: name for name, (where, _) in manifest.lines.items()}
        before = {name: record.sha256 for name, record in manifest.records.items()}
        removed = []
        for name in found.problems:
            path = folder / name
            if name in names and name in manifest.records:
                path.unlink(missing_ok=True)  # an unlisted one stays: `generate` adopts it if it is valid
            elif path.suffix == ".h5" and name not in names and _is_ours(path, spec.sha256, set(before.values())):
                path.unlink()
                removed.append(name)
            elif name in FILES:
                path.unlink(missing_ok=True)
            elif name == INFO:
                _repair_info(folder, info, spec)
        if manifest.problems:
            for path in own_files(folder.glob("manifest*.jsonl")):
                if path.is_symlink() or not path.is_file():
                    path.unlink()
            write_manifest(folder, [record for name, record in manifest.records.items() if name in names])
        # The shard of a wrong line is adopted again: its line is computed from its arrays.
        drop_records(folder, {shard_of.get(name, name) for name in found.problems})
    report = generate(folder, spec, workers=workers, on_steps=on_steps)
    after = verify_dataset(folder)
    records = scan_manifest(folder).records
    after.repaired, after.adopted, after.removed = report.written, report.adopted, removed
    after.changed = [name for name in report.written if before.get(name, records[name].sha256) != records[name].sha256]
    return after


def restore_info(folder: Path) -> bool:
    """Restore an info.json of which one bit has changed, so that the dataset can be opened. Returns whether it was.

    The card of a finished dataset has the SHA-256 of info.json, and no other file has the whole spec.
    """
    try:
        content, digest = read_bytes(folder / INFO, _LARGEST_INFO), card_digest(folder, INFO)
    except (FileNotFoundError, ValueError):
        return False
    if digest is None or hashlib.sha256(content).hexdigest() == digest:
        return False
    restored = _one_bit_away(content, digest)
    if restored is None:
        return False
    with locked(folder, None):
        atomic_write(folder / INFO, restored, shared=True)
    return True


def _one_bit_away(content: bytes, digest: str) -> bytes | None:
    """The bytes with this SHA-256 that differ from `content` in one bit, if there are any."""
    before = hashlib.sha256()
    for place, byte in enumerate(content):
        rest = content[place + 1 :]
        for bit in range(8):
            changed = before.copy()
            changed.update(bytes([byte ^ 1 << bit]) + rest)
            if changed.hexdigest() == digest:
                return content[:place] + bytes([byte ^ 1 << bit]) + rest
        before.update(bytes([byte]))
    return None


def _repair_info(folder: Path, info: dict[str, Any], spec: DatasetSpec) -> None:
    """Write info.json again if that gives the file that the card names. Its versions may be of another installation."""
    for versions in (engine_versions(spec), info.get("versions", {})):
        text = info_text(spec, versions)
        if hashlib.sha256(text.encode()).hexdigest() == card_digest(folder, INFO):
            atomic_write(folder / INFO, text, shared=True)
            return
    restored = _one_bit_away((folder / INFO).read_bytes(), card_digest(folder, INFO) or "")
    if restored is not None:
        atomic_write(folder / INFO, restored, shared=True)
        return
    raise DatasetError(
        f"{folder / INFO} was altered, and this installation cannot compute the original: copy it from where the "
        "dataset came from"
    )


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
