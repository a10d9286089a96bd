"""The validation report of the acoustics: `python -m validation.validate_acoustics --write docs/acoustics.md`.

Measures what `docs/acoustics.md` claims, draws the charts beside it (docs/images/acoustics), and replaces what stands
between `<!-- validation:begin -->` and `<!-- validation:end -->`. Peers take part where they are installed: the
committed report is made with `pip install 'avw[rlr]' pyroomacoustics`. Exit code 1 where an expectation failed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import click

from avw.sim_bridge.errors import UsageError
from benchmarks.machine import installed_version, machine, sentence
from validation.conservation import conservation_section
from validation.early_energy import early_section
from validation.findings import Section, Verdict
from validation.heads import heads_section
from validation.houses import coupled_section, flat_section
from validation.noise import noise_section
from validation.paths import diffraction_section, distance_section, transmission_section
from validation.shoeboxes import decay_section, reference_section

BEGIN, END = "<!-- validation:begin -->\n", "<!-- validation:end -->"
PEERS = ("rlr-audio-propagation", "pyroomacoustics")


@click.command()
@click.option("--write", "page", type=click.Path(path_type=Path), help="The page whose validation section to replace.")
@click.option("--scene", default="procedural-0003", show_default=True, help="The furnished flat.")
@click.option("--only", default="", help="Parts to run, by commas; default: all. Names as printed.")
@click.option("--quick", is_flag=True, help="Few rays and draws: for trying things out. Verdicts may then fail.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def validate_acoustics(page: Path | None, scene: str, only: str, quick: bool, as_json: bool) -> None:
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
    wanted = only.split(",") if only else list(parts)
    unknown = sorted(set(wanted) - set(parts))
    if unknown:
        raise UsageError(f"no part is called {', '.join(unknown)}: expected some of {', '.join(parts)}")
    sections = []
    for name in wanted:
        start = time.perf_counter()
        sections.append(parts[name]())
        click.echo(f"{name}: {_tally(sections[-1:])} ({time.perf_counter() - start:.0f} s)", err=True)
    if as_json:
        click.echo(json.dumps(_document(sections), indent=1))
    else:
        click.echo(report(sections, "images/acoustics"))
    if page is not None:
        _write(page, sections)
    failed = any(row.verdict is Verdict.FAILS for section in sections for row in section.findings)
    raise SystemExit(1 if failed else 0)


def report(sections: list[Section], images: str) -> str:
    """The generated part of the page."""
    peers = ", ".join(f"{name} {installed_version(name) or 'not installed'}" for name in PEERS)
    head = (
        f"Made by `python -m validation.validate_acoustics --write docs/acoustics.md` on {sentence(machine())}. Peers: "
        f"{peers}. Result: {_tally(sections)}. A dash marks a figure that nothing is promised about."
    )
    return "\n".join([head, "", *(section.markdown(images) for section in sections)])


def with_report(text: str, generated: str, where: str = "the text") -> str:
    """`text` with the section between the markers replaced; UsageError where it has no such section."""
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        raise UsageError(
            f"{where} has no validation section: put the lines {BEGIN.strip()!r} and {END!r} where it shall stand"
        )
    return text[: begin + len(BEGIN)] + generated + text[end:]


def _write(page: Path, sections: list[Section]) -> None:
    text = with_report(page.read_text(encoding="utf-8"), report(sections, "images/acoustics"), str(page))
    folder = page.parent / "images" / "acoustics"
    folder.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for name, svg in section.charts.items():
            (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    page.write_text(text, encoding="utf-8")
    click.echo(f"wrote {page} and its charts in {folder}", err=True)


def _tally(sections: list[Section]) -> str:
    verdicts = [row.verdict for section in sections for row in section.findings]
    holds, fails = verdicts.count(Verdict.HOLDS), verdicts.count(Verdict.FAILS)
    return f"{holds} of {holds + fails} expectations hold"


def _document(sections: list[Section]) -> dict[str, object]:
    rows = [
        {
            "section": section.title,
            "what": row.what,
            "expected": row.expected,
            "measured": row.measured,
            "verdict": row.verdict.name.lower(),
        }
        for section in sections
        for row in section.findings
    ]
    return {"report": "acoustics", "machine": machine(), "rows": rows}


if __name__ == "__main__":
    validate_acoustics()
