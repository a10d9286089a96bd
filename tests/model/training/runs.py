"""Runs that tests cut short and continue."""

from __future__ import annotations

import shutil
from pathlib import Path

from torch import Tensor

from avw.model import checkpoint


def copied(run: Path, to: Path, stages: str = "") -> Path:
    """A run of which these stages are finished."""
    to.mkdir()
    for name in ("tokenizers.safetensors", "config.json", *(f"stage-{stage}.safetensors" for stage in stages)):
        shutil.copy(run / name, to / name)
    return to


def tensors_of(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint."""
    return checkpoint.load(path)[0]
