"""Output of all benchmarks: one row per figure, with a peer or a limit that was measured in the same run."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import click

from benchmarks.machine import machine


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure, and the same figure of a peer (None if no comparison is available).

    ratio: ours / peer
    """

    name: str
    ours: float
    unit: str
    conditions: str
    peer: float | None = None
    peer_name: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None


def alternate(tasks: Mapping[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
    """Median CPU seconds per call of each task. Rounds alternate between tasks, so that drift affects all equally.

    CPU time is used because wall time includes other processes on a shared machine. The first round is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(rounds + 1):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            if number:
                seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def present(benchmark: str, rows: list[Row], *, as_json: bool) -> None:
    """Print the rows: one JSON document on stdout, or an aligned table."""
    if as_json:
        listed = [{**asdict(row), "ratio": row.ratio} for row in rows]
        click.echo(json.dumps({"benchmark": benchmark, "machine": machine(), "rows": listed}, indent=1))
        return
    table = [("figure", "ours", "peer or limit", "unit", "ratio", "conditions")]
    for row in rows:
        peer = "-" if row.peer is None else f"{row.peer:.4g} ({row.peer_name})"
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        table.append((row.name, f"{row.ours:.4g}", peer, row.unit, ratio, row.conditions))
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
