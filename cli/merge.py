"""`avw merge`: combine the parts of an array job into one dataset."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from avw.cli import options as shared
from avw.cli.help_page import command
from avw.cli.paths import UserPath


@command(epilog="Exit code 0: the dataset is complete. Exit code 1: shards are missing, or a part is damaged.")
@click.argument("out", type=UserPath())
@click.argument("parts", type=UserPath(exists=True, file_okay=False), nargs=-1)
@shared.json_output
def merge(out: Path, parts: tuple[Path, ...], as_json: bool) -> None:
    """Copy PARTS, written by 'avw generate PART --shard I/N' on several machines, into the dataset OUT.

    Every byte is checked, and the parts are not changed. If all jobs wrote to one shared folder, no merge is needed;
    'avw merge OUT' then checks that the dataset is complete.

    \b
    Examples:
      avw generate data/part-$SLURM_ARRAY_TASK_ID --preset avw-4k \\
        --shard $SLURM_ARRAY_TASK_ID/64
      avw merge data/avw-4k data/part-*     parts in folders of their own
      avw merge data/avw-4k                 all jobs wrote to this shared folder
    """
    from avw.avw4k.plan.spec import plan
    from avw.avw4k.reading.dataset import open_dataset
    from avw.avw4k.writing.merge import merge_datasets
    from avw.cli.progress import Bar

    with Bar(unit="shard", desc="merge", waiting="reading the parts") as bar:
        report = merge_datasets(out, parts, on_shard=lambda name: bar.update())
    dataset = open_dataset(out)
    missing = [shard.name for shard in plan(dataset.spec) if shard.name not in dataset.records]
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report) | {"missing": missing}, indent=1))
    elif report.complete:
        click.echo(
            f"{out}: complete; {report.episodes} trajectories, {report.shards} shards, {report.bytes / 1e9:.2f} GB"
        )
    else:
        click.echo(f"{out}: {report.shards} shards, {len(missing)} missing: {', '.join(missing[:5])}"
                   f"{' …' if len(missing) > 5 else ''}")  # fmt: skip
    if missing:
        raise click.exceptions.Exit(1)
