"""Does imagination beat geometry and single senses? The criteria, from the evaluations of several runs, as Markdown.

    python -m benchmarks.imagination runs/rooms-v1/seed-* --write README.md --write docs/benchmark.md

Reads RUN/evaluation.json (`avw evaluate RUN --horizons 1,4,16 --against VISION,SOUND`). One row per criterion and one
column per run: the value, the interval of a paired difference over episodes, and whether the criterion is met.

--write replaces what stands between `<!-- imagination:KIND -->` and `<!-- imagination:end -->` in a file, where KIND is
`criteria`, `values` (of every method) or `short` (headline figures).
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from avw.sim_bridge.errors import UsageError
from benchmarks.results_table import read, row, value_at, with_sections

Evaluation = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A value of one run, its interval if there is one, and whether the criterion is met. None: not measured."""

    value: float | None
    interval: tuple[float, float] | None = None
    met: bool | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "–"
        span = "" if self.interval is None else f" [{self.interval[0]:+.3f}, {self.interval[1]:+.3f}]"
        mark = "" if self.met is None else " ✓" if self.met else " ✗"
        return f"{self.value:+.3f}{span}{mark}" if self.interval else f"{self.value:.3f}{mark}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """A row of the table. wanted: in words · find: its value in an evaluation"""

    name: str
    wanted: str
    find: Callable[[Evaluation], Finding]


def criteria(evaluations: Sequence[Evaluation]) -> Iterator[Criterion]:
    """All rows, for the horizons that every run has."""
    horizons = sorted(set.intersection(*(set(e["horizons"]) for e in evaluations)), key=int)
    for h in horizons:
        if int(h) > 1:
            yield _paired("PSNR, dB", "psnr", "reprojection", h, better=1)
        yield _paired(
            "PSNR of unseen pixels, dB", "psnr_unseen", "reprojection", h, better=1, least=float(int(h) >= 16)
        )
        yield _paired("SSIM", "ssim", "reprojection", h, better=1, least=-0.005, strict=False)
        yield _paired("depth AbsRel, unseen", "depth_absrel_unseen", "reprojection", h, better=-1)
    for rival in ("persistence", "recall", "stitched"):
        for title, metric in (("LSD, dB", "lsd"), ("ILD error, dB", "ild_error"), ("pan score error", "pan_error")):
            for h in horizons:
                yield _paired(title, metric, rival, h, better=-1)
    yield _limit("AV-lag error, s", ("sequences", "model", "av_lag_error_seconds"), below=0.3)
    yield _limit(
        "limit: of predicted images with the true sound", ("sequences", "model_with_true_sound", "av_lag_error_seconds")
    )
    yield _limit("rank correlation of poses 1 to 6 m away", ("ranking", "rank_correlation"), above=0.7)
    yield _limit("distance error below 4 m, m", ("ranking", "distance_error"), below=0.5)
    for cue in ("ild", "itd", "pan"):
        name = f"sign of the {cue.upper() if cue != 'pan' else cue} after a swapped turn, share"
        yield _limit(name, ("counterfactuals", "action", cue, "score"), above=0.95)
        yield _limit("limit: if all sound came straight from the source", ("counterfactuals", "action", cue, "direct"))
    yield _limit(
        "64 steps step by step: PSNR of seen pixels, dB", ("rollouts", "psnr_seen", "64", "difference"), above=-1.0
    )
    yield _limit("64 steps step by step: level, dB", ("rollouts", "level_drift_db", "mean"), below=3.0, absolute=True)


def _paired(
    title: str, metric: str, rival: str, horizon: str, *, better: int, least: float = 0.0, strict: bool = True
) -> Criterion:
    """A difference model - rival that is better than 0 (whole interval) and at least `least` (mean)."""

    def find(evaluation: Evaluation) -> Finding:
        values = evaluation.get("paired", {}).get(horizon, {}).get(metric, {}).get(rival)
        if values is None or None in values:
            return Finding(value=None)
        mean, low, high = (float(value) for value in values)
        worst = low if better > 0 else -high
        met = better * mean >= least and (worst > 0.0 or not strict)
        return Finding(value=mean, interval=(low, high), met=met)

    sign = "> 0" if better > 0 else "< 0"
    wanted = f"{sign}, interval" if strict else f"≥ {least:g}"
    if strict and least > 0:
        wanted = f"≥ {least:g}, interval {sign}"
    return Criterion(name=f"{title}: model − {rival}, Δ = {horizon}", wanted=wanted, find=find)


def _limit(
    name: str, path: Sequence[str], *, above: float = -math.inf, below: float = math.inf, absolute: bool = False
) -> Criterion:
    """A value that lies within limits; without limits, a value beside which others are read."""

    def find(evaluation: Evaluation) -> Finding:
        value = value_at(evaluation, path)
        if value is None or not wanted:
            return Finding(value=value)
        return Finding(value=value, met=above <= (abs(value) if absolute else value) <= below)

    wanted = f"≥ {above:g}" if math.isfinite(above) else f"≤ {below:g}" if math.isfinite(below) else ""
    return Criterion(name=name, wanted=f"{wanted}, either sign" if absolute else wanted, find=find)


def table(runs: Mapping[str, Evaluation]) -> str:
    """The criteria as Markdown: one column per run, and the mean over runs."""
    lines = [row(["criterion", "wanted", *runs, "mean"]), row(["---", "---", *("---:" for _ in runs), "---:"])]
    for criterion in criteria(list(runs.values())):
        found = [criterion.find(evaluation) for evaluation in runs.values()]
        values = [finding.value for finding in found if finding.value is not None]
        mean = f"{statistics.fmean(values):.3f}" if values else "–"
        lines.append(row([criterion.name, criterion.wanted, *map(str, found), mean]))
    return "\n".join(lines)


def absolute_table(runs: Mapping[str, Evaluation], metrics: Sequence[str]) -> str:
    """Values of every method, mean over the runs: one row per metric and method, one column per horizon."""
    evaluations = list(runs.values())
    horizons = sorted(set.intersection(*(set(e["horizons"]) for e in evaluations)), key=int)
    lines = [row(["metric", "method", *(f"Δ = {h}" for h in horizons)])]
    lines.append(row(["---", "---", *("---:" for _ in horizons)]))
    for metric in metrics:
        rows = [e["horizons"][h].get(metric, {}) for e in evaluations for h in horizons]
        for method in dict.fromkeys(method for values in rows for method in values):
            cells = []
            for h in horizons:
                values = [e["horizons"][h].get(metric, {}).get(method) for e in evaluations]
                numbers = [value for value in values if value is not None]
                cells.append(f"{statistics.fmean(numbers):.3f}" if numbers else "–")
            lines.append(row([metric, method.replace("_", " "), *cells]))
    return "\n".join(lines)


HEADLINES = (
    ("PSNR, dB ↑", "psnr", ("model", "reprojection", "persistence"), +1),
    ("PSNR of unseen pixels ↑", "psnr_unseen", ("model", "reprojection"), +1),
    ("depth error, unseen ↓", "depth_absrel_unseen", ("model", "reprojection"), -1),
    ("log-spectral distance, dB ↓", "lsd", ("model", "recall", "persistence"), -1),
    ("ILD error, dB ↓", "ild_error", ("model", "recall", "persistence"), -1),
)


def short_table(runs: Mapping[str, Evaluation]) -> str:
    """Mean over the runs at Δ = 1, 4 and 16, of the model and the strongest baselines; the best in bold."""
    horizons = ("1", "4", "16")
    lines = [row(["", "", *(f"Δ = {h}" for h in horizons)]), row(["---", "---", *("---:" for _ in horizons)])]
    for title, metric, methods, sign in HEADLINES:
        means = {
            (method, h): round(statistics.fmean(e["horizons"][h][metric][method] for e in runs.values()), 2)
            for method in methods
            for h in horizons
        }
        for method in methods:
            best = [means[method, h] == sign * max(sign * means[other, h] for other in methods) for h in horizons]
            texts = [f"{means[method, h]:.2f}" for h in horizons]
            cells = [f"**{text}**" if bold else text for text, bold in zip(texts, best, strict=True)]
            name = "AV-CDiT (nano)" if method == "model" else method
            lines.append(row([title if method == methods[0] else "", name, *cells]))
    return "\n".join(lines)


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--write", "files", type=click.Path(path_type=Path), multiple=True, help="Replace the tables of a file.")
def imagination(runs: tuple[Path, ...], as_json: bool, files: tuple[Path, ...]) -> None:
    """Print the criteria of imagination for RUNS, e.g. three seeds of one configuration."""
    evaluations: dict[str, Evaluation] = {}
    for run in runs:
        evaluation = read(run / "evaluation.json")
        if evaluation is None:
            raise UsageError(f"{run} has no evaluation.json; type: avw evaluate {run}")
        evaluations[run.name] = evaluation
    if as_json:
        found = {
            criterion.name: {
                name: {"value": finding.value, "interval": finding.interval, "met": finding.met}
                for name, evaluation in evaluations.items()
                for finding in [criterion.find(evaluation)]
            }
            for criterion in criteria(list(evaluations.values()))
        }
        click.echo(json.dumps(found, indent=1))
        return
    metrics = ("psnr", "psnr_seen", "psnr_unseen", "ssim", "depth_absrel_unseen", "lsd", "ild_error", "pan_error")
    contents = {
        "criteria": lambda: table(evaluations),
        "values": lambda: absolute_table(evaluations, metrics),
        "short": lambda: short_table(evaluations),
    }
    for path in files:
        path.write_text(with_sections(path.read_text(encoding="utf-8"), "imagination", contents, str(path)), "utf-8")
        click.echo(f"wrote the figures of {len(runs)} runs into {path}")
    if not files:
        click.echo(f"{contents['criteria']()}\n\n{contents['values']()}")


if __name__ == "__main__":
    try:
        imagination()
    except UsageError as error:
        raise SystemExit(f"imagination: {error}") from error
