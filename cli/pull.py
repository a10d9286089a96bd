"""`avw pull`: download a dataset from the Hugging Face Hub."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath


@command()
@click.argument("repo", metavar="USER/NAME")
@click.argument("out", type=UserPath(), required=False)
@option("--revision", metavar="REVISION", default_text="the main branch", help="Branch, tag or commit to download.")
@shared.json_output
def pull(repo: str, out: Path | None, revision: str | None, as_json: bool) -> None:
    """Download the dataset USER/NAME from the Hugging Face Hub into the folder OUT, and check every shard.

    OUT is data/NAME by default. After an interruption, run the same command again to continue.

    \b
    Examples:
      avw pull me/avw-houses
    """
    from avw.avw4k.exports.hub import pull as fetch

    report = fetch(repo, out or Path("data") / repo.split("/")[-1], revision=revision)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report)))
        return
    click.echo(
        f"{report.path}: {len(report.files)} files, {report.bytes / 1e9:.2f} GB; every shard matches the manifest"
    )
