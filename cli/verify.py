"""`avw verify`: check a dataset for damage, and repair it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath
from avw.sim_bridge.wording import plural


@command(epilog="Exit code 0: no problem was found. Exit code 1: damaged, or different when simulated again.")
@click.argument("data", type=UserPath(), default=Path("data/avw"))
@option("--repair", is_flag=True, help="Simulate damaged and missing shards again, from the dataset's own spec.")
@option("--replay", type=click.IntRange(min=0), default=0, metavar="N",
        help="Also simulate N episodes again and compare every byte.")  # fmt: skip
@shared.workers(default=1)
@shared.scene_root
@shared.habitat_python
@shared.json_output
def verify(data: Path, repair: bool, replay: int, workers: int, as_json: bool) -> None:
    """Read every byte of the dataset DATA and check checksums, schema, and the consistency of the arrays.

    DATA is data/avw by default.

    \b
    Examples:
      avw verify                        check data/avw
      avw verify data/big --replay 5    also simulate five episodes again
      avw verify data/big --repair      write damaged and missing shards again
    """
    from avw.avw4k.reading.info import INFO
    from avw.avw4k.writing.repair import repair_dataset, restore_info
    from avw.avw4k.writing.verify import verify_dataset
    from avw.cli.progress import Bar

    found = {}
    if repair and restore_info(data):
        found[INFO] = f"{data / INFO}: one bit had changed; restored, and its SHA-256 is that in the card"
    with Bar(unit="shard", desc="verify", waiting="reading the first shard") as bar:
        report = verify_dataset(data, replay=replay, workers=workers, on_shard=lambda name: bar.update())
    found |= report.problems
    if repair and (report.problems or report.missing or report.unlisted):
        with Bar(unit="step", desc="repair", waiting="loading the scenes") as bar:
            report = repair_dataset(data, report, workers=workers, on_steps=bar.update)
    if as_json:
        click.echo(json.dumps({"path": str(data), "found": found, **report.to_json()}, indent=1))
    else:
        for problem in found.values():
            click.echo(f"avw: {problem}", err=True)
        click.echo(summary(data, len(found), report.shards, report.steps, report.bytes))
        if report.replayed:
            click.echo(f"{report.replayed} episodes simulated again: every byte is the same")
        if report.differing:
            click.echo(
                f"not every byte is the same after simulating again: {', '.join(report.differing)}. This is expected: "
                "the backend or acoustic engine of this dataset is not reproducible (see reproducible in info.json)"
            )
        if report.repaired:
            click.echo(f"repaired: {', '.join(report.repaired)}")
        if report.changed:
            click.echo(
                f"repaired, but with other bytes than before: {', '.join(report.changed)}. The installed libraries "
                "have changed since the dataset was made"
            )
        if report.busy:
            click.echo("another command is writing this dataset at the moment")
        elif unfinished := [*report.missing, *report.unlisted]:
            click.echo(
                f"not finished: {', '.join(unfinished[:3])}{' …' if len(unfinished) > 3 else ''} "
                f"({plural(len(unfinished), 'file')} to write or to list). The command that writes this dataset was "
                f"interrupted: type it again to continue, or avw verify {data} --repair"
            )
        if report.problems and not repair:
            click.echo(f"To write the damaged files again: avw verify {data} --repair", err=True)
    if not report.ok:
        raise click.exceptions.Exit(1)


def summary(data: Path, problems: int, shards: int, steps: int, size: int) -> str:
    """The result in one line."""
    verdict = "no damage found" if not problems else f"{problems} damaged"
    return f"{data}: {verdict}; {plural(shards, 'shard')}, {plural(steps, 'step')}, {size / 1e9:.2f} GB checked"
