"""`avw pull`: a dataset from the Hugging Face Hub."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click


@click.command()
@click.argument("repo", metavar="USER/NAME")
@click.argument("out", type=click.Path(path_type=Path), required=False)
@click.option("--revision", default=None, help="A branch, tag or commit.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def pull(repo: str, out: Path | None, revision: str | None, as_json: bool) -> None:
    """Download the dataset USER/NAME from the Hugging Face Hub into OUT (default: data/NAME), and check every shard.

    The same command goes on after an interruption.

    \b
    avw pull me/avw-houses
    """
    from avw.avw4k.exports.hub import pull as fetch

    report = fetch(repo, out or Path("data") / repo.split("/")[-1], revision=revision)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report)))
        return
    click.echo(
        f"{report.path}: {len(report.files)} files, {report.bytes / 1e9:.2f} GB, every shard as its manifest says"
    )
