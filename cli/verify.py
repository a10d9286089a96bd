"""`avw verify`: read a whole dataset again and check every promise it makes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from avw.cli.habitat_option import habitat_python


@click.command(epilog="Exit code 0: all sound. 1: damaged, or not the same when simulated again.")
@click.argument("data", type=click.Path(path_type=Path), default=Path("data/avw"))
@click.option("--repair", is_flag=True, help="Make damaged and missing shards again, from the dataset's own spec.")
@click.option("--replay", type=click.IntRange(min=0), default=0, metavar="N",
              help="Also simulate N episodes again and compare every bit.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that simulate.")
@click.option("--scene-root", type=click.Path(path_type=Path), envvar="AVW_SCENES", help="Where scans are.")
@habitat_python
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def verify(data: Path, repair: bool, replay: int, workers: int, scene_root: Path | None, as_json: bool) -> None:
    """Read every byte of DATA again: checksums, schema, and what the arrays say about each other.

    \b
    avw verify                        data/avw
    avw verify data/big --replay 5    also simulate five episodes again, bit for bit
    avw verify data/big --repair      make again what is damaged or missing
    """
    from tqdm import tqdm

    from avw.avw4k.writing.repair import repair_dataset
    from avw.avw4k.writing.verify import verify_dataset

    root = str(scene_root) if scene_root else None
    with tqdm(unit="shard", desc="verify", file=sys.stderr, dynamic_ncols=True) as bar:
        report = verify_dataset(
            data, replay=replay, workers=workers, scene_root=root, on_shard=lambda name: bar.update()
        )
    found = dict(report.problems)
    if repair and (report.problems or report.missing):
        with tqdm(unit="step", desc="repair", file=sys.stderr, dynamic_ncols=True) as bar:
            report = repair_dataset(data, report, workers=workers, scene_root=root, on_steps=bar.update)
    if as_json:
        click.echo(json.dumps({"path": str(data), "found": found, **report.to_json()}, indent=1))
    else:
        for problem in found.values():
            click.echo(f"avw: {problem}", err=True)
        click.echo(summary(data, len(found), report.shards, report.steps, report.bytes))
        if report.replayed:
            click.echo(f"{report.replayed} episodes simulated again: equal, bit for bit")
        if report.differing:
            click.echo(
                f"simulated again, and not equal in every bit: {', '.join(report.differing)}; this dataset's backend "
                "or acoustics promise no such thing (info.json: reproducible is false)"
            )
        if report.repaired:
            click.echo(f"made again: {', '.join(report.repaired)}")
        if report.changed:
            click.echo(f"not the same bytes as before: {', '.join(report.changed)}; the libraries have changed since")
        if report.missing:
            click.echo(f"{len(report.missing)} shards are not made yet; to make them: avw verify {data} --repair")
        if report.problems:
            click.echo(f"to make the damaged shards again: avw verify {data} --repair", err=True)
    if not report.ok:
        raise click.exceptions.Exit(1)


def summary(data: Path, problems: int, shards: int, steps: int, size: int) -> str:
    """One line for a person."""
    verdict = "sound" if not problems else f"{problems} damaged"
    return f"{data}: {verdict}; {shards} shards, {steps} steps, {size / 1e9:.2f} GB read and checked"
