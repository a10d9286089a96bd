"""`avw push`: upload a dataset to the Hugging Face Hub."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath


@command()
@click.argument("data", type=UserPath())
@click.argument("repo", metavar="USER/NAME")
@option("--allow-restricted", is_flag=True,
        help="Upload data whose licence restricts publication. You need the rights holder's permission.")  # fmt: skip
@option("--private", is_flag=True, help="Make the repository private if it is new.")
@option("--dry-run", is_flag=True, help="Check everything and print what would be uploaded, without network access.")
@shared.json_output
def push(data: Path, repo: str, allow_restricted: bool, private: bool, dry_run: bool, as_json: bool) -> None:
    """Upload the dataset DATA to the dataset repository USER/NAME on the Hugging Face Hub.

    Every shard is checked against the manifest first. To log in, set $HF_TOKEN or run 'hf auth login'. Set
    $HF_ENDPOINT to use another Hub.

    \b
    Examples:
      avw push data/avw me/avw-houses --dry-run
    """
    from avw.avw4k.exports.hub import push as send

    report = send(data, repo, allow_restricted=allow_restricted, private=private, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report)))
        return
    done = "would be uploaded to" if dry_run else "uploaded to"
    click.echo(f"{len(report.files)} files, {report.bytes / 1e9:.2f} GB {done} {repo} {report.address}".rstrip())
