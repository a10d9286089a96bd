"""The validation report of the acoustics: `python -m validation --write docs/acoustics.md`.

Measures the claims of `docs/acoustics.md`, writes the charts into docs/images/acoustics, and replaces the text between
`<!-- validation:begin -->` and `<!-- validation:end -->`. Other engines take part if they are installed: the committed
report was made with `pip install 'avw[rlr]' pyroomacoustics`. The exit code is 1 if an expectation fails.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import click

from avw.sim_bridge.errors import UsageError
from validation.conservation import conservation_section
from validation.early_energy import early_section
from validation.findings import Section, Verdict
from validation.heads import heads_section
from validation.houses import coupled_section, flat_section
from validation.noise import noise_section
from validation.paths import diffraction_section, distance_section, transmission_section
from validation.report import IMAGES, json_document, markdown_report, tally, write_page
from validation.shoeboxes import decay_section, reference_section


@click.command()
@click.option("--write", "page", type=click.Path(path_type=Path), help="Page whose validation section is replaced.")
@click.option("--scene", default="procedural-0003", show_default=True, help="Scene used as the furnished apartment.")
@click.option("--only", default="", help="Comma-separated names of the parts to run, as printed. Default: all parts.")
@click.option("--quick", is_flag=True, help="Few rays and draws, for a trial run. Expectations may then fail.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def validate(page: Path | None, scene: str, only: str, quick: bool, as_json: bool) -> None:
    """Validate the acoustics against theory, an independent ray tracer, and other engines."""
    parts: dict[str, Callable[[], Section]] = {
        "reference": lambda: reference_section(quick=quick),
        "shoeboxes": lambda: decay_section(quick=quick),
        "early": lambda: early_section(quick=quick),
        "distance": distance_section,
        "ears": heads_section,
        "walls": lambda: transmission_section(quick=quick),
        "edges": diffraction_section,
        "energy": lambda: conservation_section(scene=scene, quick=quick),
        "coupled": lambda: coupled_section(quick=quick),
        "flat": lambda: flat_section(scene=scene, quick=quick),
        "noise": lambda: noise_section(scene=scene, quick=quick),
    }
    names = only.split(",") if only else list(parts)
    unknown = sorted(set(names) - set(parts))
    if unknown:
        raise UsageError(f"--only {only}: unknown part {', '.join(unknown)}; expected some of {', '.join(parts)}")
    sections = []
    for name in names:
        start = time.perf_counter()
        sections.append(parts[name]())
        click.echo(f"{name}: {tally(sections[-1:])} ({time.perf_counter() - start:.0f} s)", err=True)
    if as_json:
        click.echo(json.dumps(json_document(sections), indent=1))
    else:
        click.echo(markdown_report(sections, IMAGES))
    if page is not None:
        folder = write_page(page, sections)
        click.echo(f"wrote {page} and its charts in {folder}", err=True)
    failed = any(row.verdict is Verdict.FAILS for section in sections for row in section.findings)
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    validate()
