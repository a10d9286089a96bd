"""Long roll-outs against one direct jump: `python -m benchmarks.rollouts RUN DATA [--episodes 12] [--steps 64]`.

For episodes of the test split, the future after each of the recorded actions is imagined twice from the middle of the
episode: directly from the real context, and autoregressively, with imagined frames fed back. Printed per distance: PSNR
of pixels that had been seen before, of all pixels, and the level of the imagined sound relative to the true one.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np

from avw.avw4k.reading.episodes import DatasetEpisode, open_dataset
from avw.model.metrics.vision import psnr_from_mse
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import UsageError

BANDS = ((1, 8), (9, 16), (17, 32), (33, 64))


def compared(model: WorldModel, episode: DatasetEpisode, steps: int) -> dict[str, dict[str, np.ndarray]]:
    """Per method and step: squared error and count of seen and of all pixels, and the energy of the sound."""
    t = (episode.steps - steps) // 2
    actions = episode.actions[t : t + steps].tolist()
    truth = slice(t + 1, t + steps + 1)
    found: dict[str, dict[str, np.ndarray]] = {"truth": {"energy": _energy(episode.audio[truth])}}
    for name in ("direct", "rolled_out"):
        future = model.imagine(episode, t=t, actions=actions, every_step=True, autoregressive=name == "rolled_out")
        error_NHW = np.square(future.rgb.astype(np.float32) - episode.rgb[truth]).mean(-1)
        seen_NHW = np.ones(error_NHW.shape, bool) if future.coverage is None else future.coverage
        found[name] = {
            "seen_error": (error_NHW * seen_NHW).sum((1, 2)),
            "seen_count": seen_NHW.sum((1, 2)),
            "error": error_NHW.mean((1, 2)),
            "energy": _energy(future.audio),
        }
    return found


def _energy(audio_NES: np.ndarray) -> np.ndarray:
    return np.square(audio_NES.astype(np.float64)).mean((1, 2))


def summary(parts: list[dict[str, dict[str, np.ndarray]]], steps: int) -> dict[str, dict[str, dict[str, float]]]:
    """band of steps → method → PSNR of seen and of all pixels, and level error in dB, pooled over episodes."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    for first, last in BANDS:
        if first > steps:
            continue
        chosen = slice(first - 1, min(last, steps))
        rows = {}
        for name in ("direct", "rolled_out"):
            seen = sum(part[name]["seen_error"][chosen].sum() for part in parts)
            count = sum(part[name]["seen_count"][chosen].sum() for part in parts)
            energy = sum(part[name]["energy"][chosen].sum() for part in parts)
            true = sum(part["truth"]["energy"][chosen].sum() for part in parts)
            rows[name] = {
                "psnr_seen": round(psnr_from_mse(float(seen / max(count, 1))), 3),
                "psnr": round(psnr_from_mse(float(np.mean([part[name]["error"][chosen] for part in parts]))), 3),
                "level_db": round(float(10 * np.log10(energy / true)), 3),
            }
        result[f"{first}-{min(last, steps)}"] = rows
    return result


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--episodes", type=click.IntRange(min=1), default=12, show_default=True, help="Number of test episodes.")
@click.option("--steps", type=click.IntRange(min=1), default=64, show_default=True, help="Steps to imagine.")
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def rollouts(run: Path, data: Path, episodes: int, steps: int, split: str, as_json: bool) -> None:
    """Compare autoregressive roll-outs of the model in RUN with direct jumps."""
    model, dataset = WorldModel.load(run), open_dataset(data)
    listed = [episode for episode in dataset.split(split) if episode.steps >= steps]
    if not listed:
        raise UsageError(f"{data}: no episode of the split {split} has {steps} steps; choose a smaller --steps")
    spread = np.unique(np.linspace(0, len(listed) - 1, min(episodes, len(listed))).round().astype(int))
    found = summary([compared(model, listed[i], steps) for i in spread.tolist()], steps)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo("| steps ahead | method | PSNR of seen pixels, dB | PSNR, dB | level − truth, dB |")
    click.echo("| --- | --- | ---: | ---: | ---: |")
    for band, rows in found.items():
        for name, row in rows.items():
            label = name.replace("_", " ")
            click.echo(f"| {band} | {label} | {row['psnr_seen']:.2f} | {row['psnr']:.2f} | {row['level_db']:+.2f} |")


if __name__ == "__main__":
    try:
        rollouts(standalone_mode=False)
    except UsageError as error:
        raise SystemExit(f"rollouts: {error}") from error
