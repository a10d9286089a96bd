"""One shard in a few lines: `avw info data/avw/train-00000.h5`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.reading.summary import damaged_shards
from avw.sim_bridge.errors import DatasetError


def shard_summary(path: Path) -> dict[str, Any]:
    """What the dataset around a shard says about it. Raises DatasetError if there is none, or it does not know it."""
    folder = path.resolve().parent
    if not (folder / "info.json").is_file():
        raise DatasetError(f"{path} is not in the folder of a dataset: a shard is described by the info.json beside it")
    dataset = open_dataset(folder)
    refs = [ref for ref in dataset.episodes() if ref.shard == path.name]
    if not refs:
        raise DatasetError(f"{path} is not a complete shard of {folder}; type: avw verify {folder}")
    if path.name in damaged_shards(dataset):
        raise DatasetError(
            f"{path} does not have the size that it was written with; type: avw verify {folder} --repair"
        )
    return {
        "path": str(path),
        "dataset": str(folder),
        "bytes": path.stat().st_size,
        "split": refs[0].split,
        "scenes": sorted({ref.scene for ref in refs}),
        "episodes": {ref.demo: ref.index for ref in refs},
        "steps": sum(ref.steps for ref in refs),
        "modes": dict(Counter(ref.mode for ref in refs)),
        "sounds": sorted({ref.spec.sound for ref in refs}),
        "schema": dataset.schema,
    }


def shard_text(values: dict[str, Any]) -> str:
    """The same as text."""
    indices = list(values["episodes"].values())
    modes = ", ".join(f"{count} {mode}" for mode, count in sorted(values["modes"].items()))
    return "\n".join(
        [
            f"{values['path']}: a shard of the dataset {values['dataset']} (schema {values['schema']})",
            f"  {len(indices)} episodes ({modes}), {values['steps']} steps, {values['bytes'] / 1e6:.1f} MB, "
            f"split {values['split']}",
            f"  episodes {', '.join(map(str, indices[:12]))}{' …' if len(indices) > 12 else ''}",
            f"  scenes: {', '.join(values['scenes'])}; sounds: {', '.join(values['sounds'])}",
            f"Next: avw view {values['dataset']}",
        ]
    )
