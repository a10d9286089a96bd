"""`avw report`: write an HTML report about a run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from avw.cli import options as shared
from avw.cli.help_page import command, option
from avw.cli.paths import UserPath


@command()
@click.argument("run", type=UserPath(), default=Path("runs/latest"))
@click.argument("data", type=UserPath(), required=False)
@option("--out", type=UserPath(), metavar="FILE", default_text="RUN/report.html", help="File to write.")
@shared.json_output
def report(run: Path, data: Path | None, out: Path | None, as_json: bool) -> None:
    """Write one HTML page about the run RUN: episodes with sound, training curves, predictions, maps and all metrics.

    RUN is runs/latest by default, and DATA the dataset that RUN was trained on. The page is self-contained: it needs no
    other file and no network.

    \b
    Examples:
      avw report
      avw report runs/demo data/demo --out report.html
    """
    from avw.cli.progress import phase
    from avw.model.report import write_report

    with phase("reading the run and drawing the page"):
        page = write_report(run, data, out)
    size = page.stat().st_size
    if as_json:
        click.echo(json.dumps({"report": str(page), "bytes": size}))
        return
    click.echo(f"wrote {page} ({size / 1e6:.1f} MB). Open it in a browser.")
