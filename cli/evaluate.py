"""`avw evaluate`: the imagination beside its baselines, on scenes that were not trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from avw.cli.train import pick_device

NAMES = {
    "psnr": "PSNR, dB ↑",
    "ssim": "SSIM ↑",
    "lsd": "LSD, dB ↓",
    "spectral_ssim": "spectral SSIM ↑",
    "ild_error": "ILD error, dB ↓",
    "reward_error": "reward error, m ↓",
}
METHODS = ("model", "persistence", "rotation_warp", "oracle_tokenizer")


@click.command()
@click.argument("run", type=click.Path(path_type=Path), default=Path("runs/latest"))
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True, help="Which scenes."
)
@click.option("--horizons", default="1,4,16", show_default=True, help="Steps of 0.15 s ahead.")
@click.option("--count", type=click.IntRange(min=1), default=1000, show_default=True, help="Windows a horizon.")
@click.option(
    "--denoising-steps",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="One is the least-distortion forecast; more is sharper.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda …")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def evaluate(
    run: Path,
    data: Path | None,
    split: str,
    horizons: str,
    count: int,
    denoising_steps: int,
    device: str,
    as_json: bool,
) -> None:
    """Measure the model of RUN on the dataset DATA (default: the one it was trained on).

    \b
    avw evaluate
    avw evaluate runs/demo data/demo --horizons 1,4,16 --count 500 --json
    """
    from tqdm import tqdm

    from avw.avw4k.reading.dataset import open_dataset
    from avw.model.evaluate import EvaluationConfig
    from avw.model.evaluate import evaluate as measure
    from avw.model.world_model import WorldModel
    from avw.sim_bridge.errors import UsageError

    try:
        steps = tuple(int(word) for word in horizons.split(","))
    except ValueError:
        steps = ()
    if not steps or min(steps) < 1:
        raise UsageError(f"--horizons {horizons}: expected whole numbers of at least 1, e.g. --horizons 1,4,16")
    model = WorldModel.load(run, pick_device(device))
    dataset = open_dataset(data or Path(model.note["data"]))
    config = EvaluationConfig(split=split, horizons=steps, count=count, denoising_steps=denoising_steps)
    with tqdm(total=count * len(steps), desc="evaluate", unit="window", mininterval=0.5) as bar:
        result = measure(model, dataset, config, out=run, progress=bar.update)
    click.echo(json.dumps(result) if as_json else table(result))


def table(result: dict[str, Any]) -> str:
    """The result as text."""
    lines = [f"{len(result['scenes'])} {result['split']} scenes; {result['denoising_steps']} denoising step(s)"]
    lines.append(f"{'':20}{'steps':>6}" + "".join(f"{name.replace('_', ' '):>18}" for name in METHODS))
    for metric, label in NAMES.items():
        for horizon, rows in result["horizons"].items():
            values = [rows[metric].get(method) for method in METHODS]
            cells = "".join(f"{'–' if value is None else f'{value:.3f}':>18}" for value in values)
            lines.append(f"{label:20}{horizon:>6}{cells}")
    for method, row in result["sequences"].items():
        lines.append(
            f"AV-lag error {row['av_lag_error_seconds']:.3f} s, AV-corr error {row['av_corr_error']:.3f}   "
            f"({method.replace('_', ' ')})"
        )
    return "\n".join(lines)
