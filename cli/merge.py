"""`avw merge`: the parts of an array job become one dataset."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import click


@click.command(epilog="Exit code 0: the dataset is whole. 1: shards are still missing, or a part is damaged.")
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("parts", type=click.Path(path_type=Path, exists=True, file_okay=False), nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def merge(out: Path, parts: tuple[Path, ...], as_json: bool) -> None:
    """Gather PARTS, made with `avw generate PART --shard i/n` on several machines, into OUT.

    \b
    avw generate data/part-$SLURM_ARRAY_TASK_ID --preset avw-4k --shard $SLURM_ARRAY_TASK_ID/64
    avw merge data/avw-4k data/part-*     checks every byte; the parts stay as they are
    avw merge data/avw-4k                 parts on one shared folder need no more than this, or nothing
    """
    from tqdm import tqdm

    from avw.avw4k.plan.spec import plan
    from avw.avw4k.reading.dataset import open_dataset
    from avw.avw4k.writing.merge import merge_datasets

    with tqdm(unit="shard", desc="merge", file=sys.stderr, dynamic_ncols=True) as bar:
        report = merge_datasets(out, parts, on_shard=lambda name: bar.update())
    dataset = open_dataset(out)
    missing = [shard.name for shard in plan(dataset.spec) if shard.name not in dataset.records]
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report) | {"missing": missing}, indent=1))
    elif report.complete:
        click.echo(f"{out}: whole; {report.episodes} trajectories, {report.shards} shards, {report.bytes / 1e9:.2f} GB")
    else:
        click.echo(f"{out}: {report.shards} shards so far, {len(missing)} missing: {', '.join(missing[:5])}"
                   f"{' …' if len(missing) > 5 else ''}")  # fmt: skip
    if missing:
        raise click.exceptions.Exit(1)
