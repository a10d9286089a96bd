"""What each part of the model gives: `python -m benchmarks.ablations RUN/full RUN/without …`.

The first run is the reference; the others differ from it in one setting. Reads RUN/evaluation.json
(`avw evaluate RUN --split val --parts ranking,counterfactuals`). Prints the values of the reference and, of the others,
the differences from it, as Markdown. The runs have one seed each, so small differences mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from avw.sim_bridge.errors import UsageError
from benchmarks.results_table import read, row, value_at

COLUMNS: dict[str, tuple[str, ...]] = {
    "PSNR, dB ↑, Δ = 4": ("horizons", "4", "psnr", "model"),
    "PSNR ↑, Δ = 16": ("horizons", "16", "psnr", "model"),
    "unseen PSNR, dB ↑, Δ = 4": ("horizons", "4", "psnr_unseen", "model"),
    "unseen PSNR ↑, Δ = 16": ("horizons", "16", "psnr_unseen", "model"),
    "unseen depth AbsRel ↓, Δ = 16": ("horizons", "16", "depth_absrel_unseen", "model"),
    "LSD, dB ↓, Δ = 4": ("horizons", "4", "lsd", "model"),
    "LSD ↓, Δ = 16": ("horizons", "16", "lsd", "model"),
    "ILD error, dB ↓, Δ = 4": ("horizons", "4", "ild_error", "model"),
    "ILD error ↓, Δ = 16": ("horizons", "16", "ild_error", "model"),
    "rank correlation ↑": ("ranking", "rank_correlation"),
}


def table(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """Columns that the reference, the first run, does not have or in which no run differs are left out."""
    reference, *others = runs
    values = {
        name: path
        for name, path in COLUMNS.items()
        if value_at(runs[reference], path) is not None and len({value_at(run, path) for run in runs.values()}) > 1
    }
    lines = [row(["model", *values]), row(["---", *("---:" for _ in values)])]
    lines.append(row([reference, *(f"{value_at(runs[reference], path):.2f}" for path in values.values())]))
    for name in others:
        cells = []
        for path in values.values():
            here, there = value_at(runs[name], path), value_at(runs[reference], path)
            cells.append("–" if here is None or there is None else f"{here - there:+.2f}")
        lines.append(row([name, *cells]))
    return "\n".join(lines)


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
def ablations(runs: tuple[Path, ...]) -> None:
    """Print the differences of RUNS from the first of them."""
    evaluations = {run.name: read(run / "evaluation.json") for run in runs}
    for run in runs:
        if evaluations[run.name] is None:
            raise UsageError(f"{run} has no evaluation.json; type: avw evaluate {run}")
    click.echo(table({name: evaluation for name, evaluation in evaluations.items() if evaluation is not None}))


if __name__ == "__main__":
    try:
        ablations()
    except UsageError as error:
        raise SystemExit(f"ablations: {error}") from error
