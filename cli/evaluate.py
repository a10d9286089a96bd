"""`avw evaluate`: measure the predictions of a model, and of baselines, on scenes that it was not trained on."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.options import WholeNumbers
from avw.cli.paths import UserPath
from avw.sim_bridge.wording import plural

NAMES = {
    "psnr": "PSNR, dB ↑",
    "psnr_seen": "  seen pixels",
    "psnr_unseen": "  unseen pixels",
    "ssim": "SSIM ↑",
    "depth_absrel_unseen": "depth error, unseen ↓",
    "lsd": "LSD, dB ↓",
    "spectral_ssim": "spectral SSIM ↑",
    "ild_error": "ILD error, dB ↓",
    "pan_error": "pan score error ↓",
    "reward_error": "reward error, m ↓",
}
METHODS = {
    "model": "model",
    "persistence": "persistence",
    "rotation_warp": "rotation",
    "reprojection": "reprojection",
    "recall": "recall",
    "stitched": "stitched",
    "oracle_tokenizer": "tokenizer",
    "model_with_true_sound": "predicted images, true sound",
    "model_with_true_images": "true images, predicted sound",
}
PAIRED = ("psnr", "psnr_unseen", "ssim", "lsd", "ild_error")


@command()
@click.argument("run", type=UserPath(), required=False)
@click.argument("data", type=UserPath(), required=False)
@option("--split", type=click.Choice(shared.SPLITS), default="test", show_default=True,
        help="Split whose scenes are used.")  # fmt: skip
@option("--horizons", type=WholeNumbers("--horizons 1,4,16"), metavar="N,N,...", default="1,4,16", show_default=True,
        help="Prediction horizons in steps of 0.15 s.")  # fmt: skip
@option("--count", type=click.IntRange(min=1), metavar="N", default=1000, show_default=True,
        help="Number of windows per horizon.")  # fmt: skip
@option("--against", metavar="RUN[,RUN]", default_text="none",
        help="Compare with the images of one run and the sound of another, e.g. models of one sense.")  # fmt: skip
@option("--parts", metavar="NAME,NAME,...", default_text="all",
        help="What to measure besides the horizons: ranking, sequences, counterfactuals, rollouts, reliability. "
             "Counterfactuals open a simulator per scene.")  # fmt: skip
@shared.denoising_steps
@shared.device("auto")
@shared.json_output
def evaluate(
    run: Path | None, data: Path | None, split: str, horizons: tuple[int, ...], count: int, against: str | None,
    parts: str | None, denoising_steps: int | None, device: str, as_json: bool,
) -> None:  # fmt: skip
    """Measure the predictions of the model in the run folder RUN, and compare them with baselines.

    RUN is runs/latest by default, or, without one, the model that ships with AVW; the word pretrained names the latter.
    DATA is the dataset that RUN was trained on. The result is also written to RUN/evaluation.json, for the model that
    ships to runs/pretrained.

    \b
    Examples:
      avw evaluate
      avw evaluate pretrained data/rooms-v1
      avw evaluate runs/demo data/demo --horizons 1,4,16 --count 500 --json
      avw evaluate runs/demo --against runs/vision,runs/sound --parts ranking
    """
    from avw.cli.progress import Bar
    from avw.model.evaluation.parts import PARTS
    from avw.model.evaluation.run import evaluate as measure
    from avw.model.run_folder import chosen_run

    chosen_model = chosen_run(run, partial(click.echo, err=True))
    others = [Path(name.strip()).expanduser() for name in against.split(",")] if against else []
    chosen = PARTS if parts is None else [name.strip() for name in parts.split(",") if name.strip()]
    waiting = "loading the model and encoding the frames"
    with Bar(total=count * len(horizons), desc="evaluate", unit="window", waiting=waiting) as bar:
        result = measure(
            chosen_model, data, split=split, horizons=horizons, count=count, denoising_steps=denoising_steps,
            against=others, parts=chosen, device=device, progress=bar.update, on_part=bar.set_postfix_str,
        )  # fmt: skip
    for horizon, reason in result["skipped_horizons"].items():
        click.echo(f"Horizon {horizon} was skipped: {reason}.", err=True)
    click.echo(json.dumps(result) if as_json else table(result))


def table(result: dict[str, Any]) -> str:
    """The result as a table."""
    by_horizon = result["horizons"].values()
    methods = [name for name in METHODS if any(name in row for rows in by_horizon for row in rows.values())]
    scenes, passes = len(result["scenes"]), result["denoising_steps"]
    lines = [f"{plural(scenes, result['split'] + ' scene')}; {plural(passes, 'denoising step')}"]
    lines.append(f"{'':22}{'steps':>6}" + "".join(f"{METHODS[name]:>14}" for name in methods))
    for metric, label in NAMES.items():
        for horizon, rows in result["horizons"].items():
            if metric in rows:
                cells = "".join(f"{_number(rows[metric].get(method)):>14}" for method in methods)
                lines.append(f"{label:22}{horizon:>6}{cells}")
    return "\n".join([*lines, *_differences(result), *_others(result)])


def _differences(result: dict[str, Any]) -> list[str]:
    """Model minus reprojection, and minus persistence, with intervals."""
    lines = []
    for horizon, metrics in result.get("paired", {}).items():
        for metric in PAIRED:
            pairs = [
                f"{METHODS[rival]} {values[0]:+.3f} [{values[1]:+.3f}, {values[2]:+.3f}]"
                for rival, values in metrics.get(metric, {}).items()
                if None not in values
            ]
            if pairs:
                lines.append(f"{NAMES[metric].strip():22}{horizon:>6}   model minus " + "; ".join(pairs))
    return ["", "Paired differences [95 % interval over episodes]", *lines] if lines else []


def _others(result: dict[str, Any]) -> list[str]:
    """One line for every other part."""
    lines = [
        f"AV-lag error {_number(row['av_lag_error_seconds'])} s, AV-corr error {_number(row['av_corr_error'])}   "
        f"({METHODS.get(method, method)})"
        for method, row in result["sequences"].items()
    ]
    if ranking := result.get("ranking"):
        lines.append(
            f"ranking of poses: correlation {_number(ranking['rank_correlation'])}, best pose gains "
            f"{_number(ranking['argmax_gain'])} of {_number(ranking['possible_gain'])} m, distance error below 4 m "
            f"{_number(ranking['distance_error'])} m   ({ranking['states']} states)"
        )
    if swaps := result.get("counterfactuals"):
        ild = swaps["action"]["ild"]
        lines.append(
            f"other actions: the sound changes sides as it should in {ild['right']} of {ild['cases']} audible cases "
            f"(limit of direct sound: {_number(ild.get('direct'))}); "
            f"other sound: LSD {_number(swaps['sound'].get('sound_lsd'))} dB, image "
            f"{_number(swaps['sound'].get('image_difference'))} grey levels"
        )
    if rollouts := result.get("rollouts"):
        step, row = list(rollouts["psnr_seen"].items())[-1]
        lines.append(
            f"{step} steps, step by step instead of directly: PSNR of seen pixels {row['difference'] or 0.0:+.2f} dB, "
            f"level {rollouts['level_drift_db']['mean'] or 0.0:+.2f} dB"
        )
    lines += [f"not available: {name}: {reason}" for name, reason in result.get("unavailable", {}).items()]
    return ["", *lines] if lines else []


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
