"""The golden loss curve: nano, trained for a few steps. To renew curve.txt, type: python -m tests.golden.curve."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.model.tokenizers.budget import TokenizerBudget
from avw.model.training.configuration.presets import preset
from avw.model.training.train import train
from tests.model.small_dataset import write_flats, write_small_dataset

FILE = Path(__file__).with_name("curve.txt")
STEPS = [16, 8, 12]
BESIDE = ("stage", "step", "loss", "seconds", "targets_per_second", "mfu")


def measure(dataset: Dataset, out: Path) -> list[str]:
    """Lines of stage, step, name and value: mean losses and norms of gradients since the line before."""
    config = replace(
        preset("nano", dataset, steps=STEPS),
        tokenizers=TokenizerBudget(frames=60, steps=4, depth_channels=4),
        contexts=2,
        sound_contexts=2,
        reward_contexts=4,
        reward_targets=4,
        compositor_steps=0,
        validate_every=0,
        sample_every=0,
        log_every=4,
    )
    train(dataset, out, config)
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [
        f"{row['stage']} {row['step']} {name} {row[name]:.6f}" for row in rows for name in row if name not in BESIDE
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AVW_SCENES"] = folder
        data = write_small_dataset(Path(folder), write_flats(Path(folder))[:3])
        lines = measure(open_dataset(data), Path(folder) / "run")
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {FILE.name}; the diff shows what your change does to the training")
