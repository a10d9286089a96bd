"""What each part adds to navigation: `python -m benchmarks.navigation_parts NAME=FOLDER:POLICY …`.

The first one is the reference. Every other row has the difference to it over the same episodes, with its 95 % interval,
for all episodes and for those of each difficulty. Rows with other episodes, such as another task, sound or simulator,
have no difference. actions/s: per second of wall time that the policy took, beside whatever else ran.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from avw.model.navigation.episode_run import EpisodeRecord
from avw.model.navigation.outcomes import paired_gain, records_of, summary
from avw.model.run_folder import read_result_object
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.task.difficulty import LEVELS

MEASURES = ("sr", "spl", "softspl", "sna", "dtg")


@click.command()
@click.argument("results", nargs=-1, required=True, metavar="NAME=FOLDER:POLICY ...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def navigation_parts(results: tuple[str, ...], as_json: bool) -> None:
    """Compare the navigation results of several runs and policies."""
    named = dict(_result(text) for text in results)
    reference, place = next(iter(named.values()))
    rows = {name: row(records, reference if where == place else ()) for name, (records, where) in named.items()}
    click.echo(json.dumps(rows, indent=1) if as_json else markdown(rows))


def _result(text: str) -> tuple[str, tuple[list[EpisodeRecord], Any]]:
    """(name, (records, where the episodes took place))."""
    name, _, where = text.partition("=")
    folder, _, policy = where.rpartition(":")
    if not (name and folder and policy):
        raise click.UsageError(f"{text!r}: expected NAME=FOLDER:POLICY, e.g. full=runs/seed-0:mpc")
    path = Path(folder) / f"navigation-{policy}.json"
    document = read_result_object(path)
    return name, (records_of(document, path), document.get("episodes_config"))


def row(records: Sequence[EpisodeRecord], reference: Sequence[EpisodeRecord]) -> dict[str, Any]:
    """The measures of some records, and their differences to the reference."""
    seconds = 1e-3 * sum(one.decision_ms * one.actions for one in records)
    found: dict[str, Any] = {
        "episodes": len(records),
        "task": records[0].task,
        "actions_per_second": round(sum(one.actions for one in records) / max(1e-9, seconds), 2),
        **{name: _plain(interval) for name, interval in summary(records).items() if name in MEASURES},
    }
    if records[0].silent_after is not None:
        found["sws"] = round(sum(one.success_when_silent for one in records) / len(records), 3)
    if records is reference:
        return found
    found["difference"] = _difference(records, reference)
    found["difficulty"] = {
        level: part for level in LEVELS if (part := _difference(_of_level(records, level), _of_level(reference, level)))
    }
    return found


def _of_level(records: Sequence[EpisodeRecord], level: str) -> list[EpisodeRecord]:
    return [record for record in records if record.difficulty == level]


def _difference(records: Sequence[EpisodeRecord], reference: Sequence[EpisodeRecord]) -> dict[str, Any]:
    """{measure: [mean, low, high]} over the episodes that both have; {} if they ran on other ones."""
    if not records or not reference:
        return {}
    try:
        gain = paired_gain(records, reference)
    except UsageError:
        return {}
    return {"episodes": len(records), **{name: _plain(gain[name]) for name in ("sr", "spl")}}


def _plain(interval: Any) -> list[float]:
    return [round(interval.mean, 3), round(interval.low, 3), round(interval.high, 3)]


def markdown(rows: dict[str, dict[str, Any]]) -> str:
    """The rows as a table."""
    lines = [
        "| | task | n | SR | SPL | SoftSPL | SNA | DTG, m | SWS | actions/s | SR − first | SPL − first |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for name, found in rows.items():
        means = [f"{found[measure][0]:.2f}" for measure in MEASURES]
        gain = found.get("difference") or {}
        gains = [_signed(gain[measure]) if gain else "" for measure in ("sr", "spl")]
        speed = f"{found['actions_per_second']:.1f}"
        cells = [name, found["task"], str(found["episodes"]), *means, f"{found.get('sws', '–')}", speed, *gains]
        lines.append(f"| {' | '.join(cells)} |")
    parts = [(name, level, part) for name, found in rows.items() for level, part in found.get("difficulty", {}).items()]
    if parts:
        lines += ["", "| | difficulty | n | SR − first | SPL − first |", "| --- | --- | ---: | --- | --- |"]
        lines += [
            f"| {name} | {level} | {part['episodes']} | {_signed(part['sr'])} | {_signed(part['spl'])} |"
            for name, level, part in parts
        ]
    return "\n".join(lines)


def _signed(values: Sequence[float]) -> str:
    mean, low, high = values
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"


if __name__ == "__main__":
    navigation_parts()
