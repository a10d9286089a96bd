"""`avw push`: upload a dataset or a model to the Hugging Face Hub."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath


@command()
@click.argument("what", type=UserPath(), metavar="DATA|RUN")
@click.argument("repo", metavar="USER/NAME")
@option("--allow-restricted", is_flag=True,
        help="Upload data whose licence restricts publication. You need the rights holder's permission.")  # fmt: skip
@option("--private", is_flag=True, help="Make the repository private if it is new.")
@option("--dry-run", is_flag=True, help="Check everything and print what would be uploaded, without network access.")
@shared.json_output
def push(what: Path, repo: str, allow_restricted: bool, private: bool, dry_run: bool, as_json: bool) -> None:
    """Upload the dataset DATA, or the model of RUN, to the repository USER/NAME on the Hugging Face Hub.

    Every shard of a dataset is checked against the manifest first. Of a run, the model is uploaded as `avw export
    --to checkpoint` writes it, with its card. To log in, set $HF_TOKEN or run 'hf auth login'. Set
    $HF_ENDPOINT to use another Hub.

    \b
    Examples:
      avw push data/avw me/avw-houses --dry-run
      avw push runs/latest me/avw-nano --dry-run
    """
    from avw.model.run_folder import has_model

    if has_model(what):
        from avw.model.hub import push_to_hub

        report = push_to_hub(what, repo, allow_restricted=allow_restricted, private=private, dry_run=dry_run)
    else:
        from avw.avw4k.exports.hub import push as push_dataset

        report = push_dataset(what, repo, allow_restricted=allow_restricted, private=private, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report)))
        return
    done = "would be uploaded to" if dry_run else "uploaded to"
    click.echo(f"{len(report.files)} files, {report.bytes / 1e9:.2f} GB {done} {repo} {report.address}".rstrip())
