"""What a validation finds: rows of expected, measured, verdict; sections of rows with charts and a discussion."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Verdict(Enum):
    """NOTE: a figure that nothing was promised for, or whose counterpart was not here to measure."""

    HOLDS = "holds"
    FAILS = "**FAILS**"
    NOTE = "–"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One row of the report."""

    what: str
    expected: str
    measured: str
    verdict: Verdict

    @classmethod
    def within(cls, what: str, value: float, limit: float, unit: str, *, target: str, digits: int = 1) -> Finding:
        """A difference from `target` that must be at most `limit` either way."""
        return cls(
            what=what,
            expected=f"within {limit:g} {unit} of {target}",
            measured=f"{value:+.{digits}f} {unit}",
            verdict=Verdict.HOLDS if abs(value) <= limit else Verdict.FAILS,
        )

    @classmethod
    def note(cls, what: str, measured: str, expected: str = "–") -> Finding:
        return cls(what=what, expected=expected, measured=measured, verdict=Verdict.NOTE)


@dataclass(kw_only=True, slots=True)
class Section:
    """A heading, what was done, its rows, and its charts (file name → SVG), in the order that they are shown in."""

    title: str
    method: str
    findings: list[Finding] = field(default_factory=list)
    charts: dict[str, str] = field(default_factory=dict)
    discussion: str = ""

    def markdown(self, images: str) -> str:
        """`images`: the folder of the charts as the page sees it."""
        lines = [f"### {self.title}", "", self.method, ""]
        lines += [f"![{name}]({images}/{name}.svg)" for name in self.charts]
        lines += ["", "| what | expected | measured | verdict |", "| --- | --- | --- | --- |"]
        lines += [f"| {row.what} | {row.expected} | {row.measured} | {row.verdict.value} |" for row in self.findings]
        if self.discussion:
            lines += ["", self.discussion]
        return "\n".join([*lines, ""])
