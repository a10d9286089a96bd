"""Turn sections of findings into the generated part of a page, or into JSON."""

from __future__ import annotations

from pathlib import Path

from avw.sim_bridge.errors import UsageError
from benchmarks.machine import installed_version, machine, sentence
from validation.findings import Section, Verdict

BEGIN, END = "<!-- validation:begin -->\n", "<!-- validation:end -->"
IMAGES = "images/acoustics"  # folder of the charts, relative to the page
PEERS = ("rlr-audio-propagation", "pyroomacoustics")  # packages whose results are compared


def markdown_report(sections: list[Section], images: str) -> str:
    """The generated part of the page. images: the folder of the charts, relative to the page"""
    peers = ", ".join(f"{name} {installed_version(name) or 'not installed'}" for name in PEERS)
    head = (
        f"Made by `python -m validation --write docs/acoustics.md` on {sentence(machine())}. Other engines: "
        f"{peers}. Result: {tally(sections)}. A dash marks a figure without an expectation."
    )
    return "\n".join([head, "", *(section.markdown(images) for section in sections)])


def replace_report(text: str, generated: str, where: str = "the text") -> str:
    """Replace the text between the markers. where: the page, for the message

    Raises UsageError if `text` lacks the markers.
    """
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        raise UsageError(
            f"{where} has no validation section: add the lines {BEGIN.strip()!r} and {END!r} where the report belongs"
        )
    return text[: begin + len(BEGIN)] + generated + text[end:]


def write_page(page: Path, sections: list[Section]) -> Path:
    """Replace the report in `page` and write its charts. Returns the folder of the charts.

    Raises UsageError if `page` lacks the markers.
    """
    text = replace_report(page.read_text(encoding="utf-8"), markdown_report(sections, IMAGES), str(page))
    folder = page.parent / IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for name, svg in section.charts.items():
            (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    page.write_text(text, encoding="utf-8")
    return folder


def tally(sections: list[Section]) -> str:
    """One sentence: how many of the expectations hold."""
    verdicts = [row.verdict for section in sections for row in section.findings]
    holds, fails = verdicts.count(Verdict.HOLDS), verdicts.count(Verdict.FAILS)
    return f"{holds} of {holds + fails} expectations hold"


def json_document(sections: list[Section]) -> dict[str, object]:
    """The findings of all sections as a JSON object, with the machine that made them."""
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
