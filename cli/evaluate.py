"""`avw evaluate`: measure the predictions of a model, and of baselines, on scenes that it was not trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.options import WholeNumbers
from avw.cli.paths import UserPath

NAMES = {
    "psnr": "PSNR, dB ↑",
    "ssim": "SSIM ↑",
    "lsd": "LSD, dB ↓",
    "spectral_ssim": "spectral SSIM ↑",
    "ild_error": "ILD error, dB ↓",
    "reward_error": "reward error, m ↓",
}
METHODS = ("model", "persistence", "rotation_warp", "oracle_tokenizer")


@command()
@click.argument("run", type=UserPath(), default=Path("runs/latest"))
@click.argument("data", type=UserPath(), required=False)
@option("--split", type=click.Choice(shared.SPLITS), default="test", show_default=True,
        help="Split whose scenes are used.")  # fmt: skip
@option("--horizons", type=WholeNumbers("--horizons 1,4,16"), metavar="N,N,...", default="1,4,16", show_default=True,
        help="Prediction horizons in steps of 0.15 s.")  # fmt: skip
@option("--count", type=click.IntRange(min=1), metavar="N", default=1000, show_default=True,
        help="Number of windows per horizon.")  # fmt: skip
@shared.denoising_steps
@shared.device("auto")
@shared.json_output
def evaluate(
    run: Path, data: Path | None, split: str, horizons: tuple[int, ...], count: int, denoising_steps: int | None,
    device: str, as_json: bool,
) -> None:  # fmt: skip
    """Measure the predictions of the model in the run folder RUN, and compare them with baselines.

    RUN is runs/latest by default, and DATA the dataset that RUN was trained on. The result is also written to
    RUN/evaluation.json.

    \b
    Examples:
      avw evaluate
      avw evaluate runs/demo data/demo --horizons 1,4,16 --count 500 --json
    """
    from tqdm import tqdm

    from avw.model.evaluate_run import evaluate as measure

    with tqdm(total=count * len(horizons), desc="evaluate", unit="window", mininterval=0.5) as bar:
        result = measure(
            run, data, split=split, horizons=horizons, count=count, denoising_steps=denoising_steps, device=device,
            progress=bar.update,
        )  # fmt: skip
    for horizon, reason in result["skipped_horizons"].items():
        click.echo(f"Horizon {horizon} was skipped: {reason}.", err=True)
    click.echo(json.dumps(result) if as_json else table(result))


def table(result: dict[str, Any]) -> str:
    """The result as a table."""
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
