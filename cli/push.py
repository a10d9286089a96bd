"""`avw push`: a dataset to the Hugging Face Hub."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("repo", metavar="USER/NAME")
@click.option(
    "--allow-restricted",
    is_flag=True,
    help="Publish although a licence restricts it: only with the permission of whoever holds the rights.",
)
@click.option("--private", is_flag=True, help="Make a new repository private.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be sent; needs no network.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def push(data: Path, repo: str, allow_restricted: bool, private: bool, dry_run: bool, as_json: bool) -> None:
    """Upload the dataset DATA to the dataset repository USER/NAME of the Hugging Face Hub.

    Every shard is first checked against the manifest. $HF_TOKEN or `hf auth login` says who you are; $HF_ENDPOINT
    names another Hub.

    \b
    avw push data/avw me/avw-houses --dry-run
    """
    from avw.avw4k.exports.hub import push as send

    report = send(data, repo, allow_restricted=allow_restricted, private=private, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report)))
        return
    done = "would be sent to" if dry_run else "sent to"
    click.echo(f"{len(report.files)} files, {report.bytes / 1e9:.2f} GB {done} {repo} {report.address}".rstrip())
