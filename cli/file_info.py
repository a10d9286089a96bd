"""`avw info` of a single file: a shard, a checkpoint, or an episode file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import UsageError

PARTS = (
    "info.json", "manifest.jsonl", "config.json", "log.jsonl", "evaluation.json", "navigation.json", "machine.json",
)  # fmt: skip
"""Files in the folder of a dataset or of a run."""
CONFIGS = ("_dataset_config.json", "_config.json", "_instance.json")  # of Habitat: scenes


def described_file(path: Path) -> tuple[dict[str, Any], str] | None:
    """(values, text) of a file that is not a scene; None for any other file. Raises an AvwError if it is damaged."""
    if path.suffix in (".h5", ".hdf5"):
        from avw.avw4k.reading.shard_summary import shard_summary, shard_text

        values = shard_summary(path)
        return values, shard_text(values)
    if path.suffix == ".safetensors":
        from avw.model.report.overview import checkpoint_overview, checkpoint_text

        values = checkpoint_overview(path)
        return values, checkpoint_text(values)
    if path.name in PARTS or path.name.startswith("navigation-"):
        raise UsageError(f"{path} is part of a dataset or of a run; type: avw info {shlex.quote(str(path.parent))}")
    if path.name.endswith((".json.gz", ".json")) and not path.name.endswith(CONFIGS):
        from avw.sim_bridge.task.episode_file_summary import episode_file_summary, episode_file_text

        values = episode_file_summary(path)
        return values, episode_file_text(values)
    return None
