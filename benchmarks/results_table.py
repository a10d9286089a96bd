"""The published figures as Markdown.

    python -m benchmarks.results_table runs/rooms-v1/seed-0 --write README.md docs/performance.md

Reads RUN/evaluation.json (`avw evaluate`), RUN/navigation.json (`avw navigate`) and RUN/machine.json
(`benchmarks.machine`), and replaces the text between `<!-- results:KIND -->` and `<!-- results:end -->` in each file.
Kinds: `short` (navigation, few measures), `navigation` (all measures and differences), `seeds` (with --beside) and
`prediction`. A section of a file that RUN lacks stays as it is. Without --write it prints the full tables. These
sections are only written by this program, so no figure in them is typed by hand.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from avw.model.report.closed_loop import MEASURES
from avw.sim_bridge.errors import UsageError
from benchmarks.machine import sentence

# metric → (title of the row, +1 if higher is better or -1 if lower is better, digits)
METRICS: dict[str, tuple[str, int, int]] = {
    "psnr": ("PSNR, dB ↑", +1, 2),
    "ssim": ("SSIM ↑", +1, 3),
    "lsd": ("log-spectral distance, dB ↓", -1, 2),
    "spectral_ssim": ("spectral SSIM ↑", +1, 3),
    "ild_error": ("ILD error, dB ↓", -1, 2),
    "reward_error": ("reward error ↓", -1, 3),
}
PREDICTORS = {
    "model": "**AV-CDiT (nano)**",
    "persistence": "persistence",
    "rotation_warp": "rotation warp",
    "oracle_tokenizer": "oracle tokenizer (bound)",
}
BOUNDS = ("oracle_tokenizer",)
KINDS = ("short", "navigation", "seeds", "prediction")
SHORT_MEASURES = ("sr", "spl", "softspl", "dtg")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Replace the results section of each of FILES.")
@click.option(
    "--beside", type=click.Path(path_type=Path), multiple=True, help="A run with another random seed; may be repeated."
)
def results_table(run: Path, files: tuple[Path, ...], write: bool, beside: tuple[Path, ...]) -> None:
    """Write the evaluation and navigation figures of RUN into the tables of README.md and docs/performance.md."""
    if write != bool(files):
        raise UsageError("--write needs files, and files need --write; type: RUN --write README.md docs/performance.md")
    if not write:
        click.echo("\n".join(filter(None, (table(run, kind, beside) for kind in KINDS[1:]))))
    for path in files:
        path.write_text(with_results(path.read_text(encoding="utf-8"), run, str(path), beside), encoding="utf-8")
        click.echo(f"wrote the results of {run} into {path}")


def with_results(text: str, run: Path, where: str = "the text", beside: Sequence[Path] = ()) -> str:
    """Replace the text between the markers. Raises UsageError if `text` lacks the markers. where: for the message"""
    contents = {kind: partial(table, run, kind, beside) for kind in KINDS}
    return with_sections(text, "results", contents, where)


def with_sections(text: str, name: str, contents: Mapping[str, Callable[[], str]], where: str) -> str:
    """Replace what stands between `<!-- NAME:KIND -->` and `<!-- NAME:end -->`, for each KIND of `contents`. Sections
    without content stay as they are.

    Raises UsageError if there is no such section. where: the name of the text, for the message
    """
    kinds = "|".join(contents)

    def section(found: re.Match[str]) -> str:
        content = contents[found[2]]()
        return f"{found[1]}{content}\n{found[3]}" if content else found[0]

    text, count = re.subn(
        rf"(<!-- {name}:({kinds}) -->\n).*?(<!-- {name}:end -->)", section, text, flags=re.DOTALL
    )  # fmt: skip
    if not count:
        raise UsageError(
            f"{where} has no {name} section: add the lines '<!-- {name}:{next(iter(contents))} -->' and "
            f"'<!-- {name}:end -->' where the tables belong"
        )
    return text


def table(run: Path, kind: str, beside: Sequence[Path] = ()) -> str:
    """The figures of `run` as Markdown; empty if `run` lacks the file that has them.

    kind: one of `KINDS` · beside: runs with other random seeds
    """
    evaluation, navigation = read(run / "evaluation.json"), read(run / "navigation.json")
    if evaluation is None and navigation is None:
        raise UsageError(f"{run} has neither evaluation.json nor navigation.json; type: make results")
    parts: list[str] = []
    if kind == "prediction" and evaluation is not None:
        parts = [prediction_table(evaluation["horizons"])]
    elif kind == "short" and navigation is not None:
        parts = [navigation_table(navigation, SHORT_MEASURES)]
    elif kind == "navigation" and navigation is not None:
        parts = [navigation_table(navigation, tuple(MEASURES)), paired_table(navigation)]
    elif kind == "seeds" and beside:
        parts = [seeds_table([run, *beside])]
    return "\n".join([provenance(run), *filter(None, parts)]) if parts else ""


def seeds_table(runs: Sequence[Path]) -> str:
    """The policies that were run with the models of several seeds: one row per policy and run."""
    found = [(run.name, read(run / "navigation.json")) for run in runs]
    if missing := [name for name, navigation in found if navigation is None]:
        raise UsageError(f"{missing[0]} has no navigation.json; type: SEEDS='1 2' make results")
    for name, navigation in found[1:]:
        for field in ("episodes", "seed", "scenes", "task"):
            here, there = ((document or {}).get(field) for document in (found[0][1], navigation))
            if here != there:
                raise UsageError(f"{found[0][0]} and {name} ran other episodes ({field}: {here} and {there})")
    policies = [(name, navigation["policies"]) for name, navigation in found if navigation is not None]
    episodes = (found[0][1] or {}).get("episodes")
    lines = [f"Models trained with other random seeds, on the same {episodes} episodes.\n"]
    lines.append(row(["policy", "model", *(MEASURES[name][0] for name in SHORT_MEASURES)]))
    lines.append(row(["---", "---", *("---:" for _ in SHORT_MEASURES)]))
    for policy in [name for name in policies[-1][1] if all(name in figures for _, figures in policies)]:
        for index, (model, figures) in enumerate(policies):
            cells = (interval(figures[policy].get(name), MEASURES[name][1]) for name in SHORT_MEASURES)
            lines.append(row([f"`{policy}`" if index == 0 else "", model, *cells]))
    return "\n".join(lines) + "\n"


def read(path: Path) -> dict[str, Any] | None:
    """Read a JSON object. None if the file does not exist. Raises UsageError if it is not a JSON object."""
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(
            f"{path} is not valid JSON ({error}); the command that writes it was interrupted; type: make results"
        ) from error
    if not isinstance(document, dict):
        raise UsageError(f"{path}: expected a JSON object, got a {type(document).__name__}; type: make results")
    return document


def provenance(run: Path) -> str:
    facts = read(run / "machine.json")
    machine = f" on {sentence(facts)}" if facts else ""
    name = run.name if run.is_absolute() else run.as_posix()  # do not publish paths of this machine
    return f"From `{name}`, made with the commands of `make results`{machine}.\n"


def prediction_table(horizons: Mapping[str, Any]) -> str:
    """One block of rows per metric, one row per predictor, one column per horizon (steps of 0.15 s)."""
    columns = sorted(horizons, key=int)
    present = [name for name in METRICS if any(name in horizons[column] for column in columns)]
    extra = sorted({name for column in columns for name in horizons[column]} - set(METRICS))
    lines = [
        "Prediction in houses never trained on, by horizon (steps of 0.15 s); best of model and baselines in bold.\n"
    ]
    lines.append(row(["", "", *(f"Δ = {column}" for column in columns)]))
    lines.append(row(["---", "---", *("---:" for _ in columns)]))
    for metric in [*present, *extra]:
        title, sign, digits = METRICS.get(metric, (metric.replace("_", " "), 0, 3))
        found = {name for column in columns for name in (horizons[column].get(metric) or {})}
        order = [name for name in PREDICTORS if name in found] + sorted(found - set(PREDICTORS))
        for index, predictor in enumerate(order):
            cells = []
            for column in columns:
                values = horizons[column].get(metric) or {}
                text = number(values.get(predictor), digits)
                cells.append(f"**{text}**" if is_best(values, predictor, sign) else text)
            lines.append(row([title if index == 0 else "", PREDICTORS.get(predictor, predictor), *cells]))
    return "\n".join(lines) + "\n"


def navigation_table(navigation: Mapping[str, Any], measures: Sequence[str]) -> str:
    """One row per policy, one column per measure, each with its 95 % bootstrap interval."""
    policies = navigation["policies"]
    shown = [name for name in measures if any(name in figures for figures in policies.values())]
    lines = [
        f"Navigation in houses never trained on: {navigation['episodes']} episodes, the same for every policy; "
        "mean [95 % bootstrap interval].\n"
    ]
    lines.append(row(["policy", *(MEASURES[name][0] for name in shown)]))
    lines.append(row(["---", *("---:" for _ in shown)]))
    for policy, figures in policies.items():
        lines.append(row([f"`{policy}`", *(interval(figures.get(name), MEASURES[name][1]) for name in shown)]))
    return "\n".join(lines) + "\n"


def paired_table(navigation: Mapping[str, Any]) -> str:
    """Differences between policies over the same episodes; empty if none were computed."""
    pairs = navigation.get("paired") or {}
    shown = [name for name in MEASURES if any(name in figures for figures in pairs.values())]
    if not shown:
        return ""
    lines = ["Paired differences over the same episodes.\n"]
    lines.append(row(["difference", *(MEASURES[name][0] for name in shown)]))
    lines.append(row(["---", *("---:" for _ in shown)]))
    for pair, figures in pairs.items():
        cells = (interval(figures.get(name), MEASURES[name][1], sign="+") for name in shown)
        lines.append(row([f"`{pair}`", *cells]))
    return "\n".join(lines) + "\n"


def value_at(document: Mapping[str, Any], path: Sequence[str]) -> float | None:
    """The number at `path`; None if there is none."""
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) else None


def is_best(values: Mapping[str, Any], predictor: str, sign: int) -> bool:
    """Whether `predictor` is the best of model and baselines. Bounds are excluded."""
    rivals = {name: mean(value) for name, value in values.items() if name not in BOUNDS and not math.isnan(mean(value))}
    return bool(sign and len(rivals) > 1 and predictor == max(rivals, key=lambda name: sign * rivals[name]))


def mean(value: Any) -> float:
    """The mean of a figure, which is a number or [mean, low, high]. NaN if there is none."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return float(value) if isinstance(value, int | float) else math.nan


def number(value: Any, digits: int, sign: str = "") -> str:
    figure = mean(value)
    return "–" if math.isnan(figure) else f"{figure:{sign}.{digits}f}"


def interval(value: Any, digits: int, sign: str = "") -> str:
    text = number(value, digits, sign)
    if not isinstance(value, list | tuple) or len(value) != 3:
        return text
    return f"{text} [{number(value[1], digits, sign)}, {number(value[2], digits, sign)}]"


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    try:
        results_table()
    except UsageError as error:
        raise SystemExit(f"results_table: {error}") from error
