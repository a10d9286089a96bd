"""`avw report`: a run as one self-contained HTML page."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path), default=Path("runs/latest"))
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="The file (default: RUN/report.html).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def report(run: Path, data: Path | None, out: Path | None, as_json: bool) -> None:
    """Write RUN as one HTML page: episodes with sound, curves, imagined futures, maps, every metric.

    DATA is the dataset (default: the one that RUN was trained on). The page needs no other file and no network.

    \b
    avw report
    avw report runs/demo data/demo --out report.html
    """
    from avw.model.report import write_report

    page = write_report(run, data, out)
    size = page.stat().st_size
    if as_json:
        click.echo(json.dumps({"report": str(page), "bytes": size}))
        return
    click.echo(f"{page} ({size / 1e6:.1f} MB): open it in a browser.")
