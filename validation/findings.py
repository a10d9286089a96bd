"""Results of a validation: findings (expected, measured, verdict) in sections with charts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Verdict(Enum):
    """Whether a finding meets its expectation. NOTE: a figure without an expectation, or without its reference."""

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
        """A finding for a difference from `target`, which must be between -`limit` and +`limit`."""
        return cls(
            what=what,
            expected=f"within {limit:g} {unit} of {target}",
            measured=f"{value:+.{digits}f} {unit}",
            verdict=Verdict.HOLDS if abs(value) <= limit else Verdict.FAILS,
        )

    @classmethod
    def note(cls, what: str, measured: str, expected: str = "–") -> Finding:
        """A finding without an expectation."""
        return cls(what=what, expected=expected, measured=measured, verdict=Verdict.NOTE)


@dataclass(kw_only=True, slots=True)
class Section:
    """A part of the report. Its fields are shown in this order: title, method, charts, findings.

    method: Markdown · charts: file name without suffix -> SVG
    """

    title: str
    method: str
    findings: list[Finding] = field(default_factory=list)
    charts: dict[str, str] = field(default_factory=dict)

    def markdown(self, images: str) -> str:
        """The section as Markdown. images: the folder of the charts, relative to the page"""
        lines = [f"### {self.title}", "", self.method, ""]
        lines += [f"![{name}]({images}/{name}.svg)" for name in self.charts]
        lines += ["", "| what | expected | measured | verdict |", "| --- | --- | --- | --- |"]
        lines += [f"| {row.what} | {row.expected} | {row.measured} | {row.verdict.value} |" for row in self.findings]
        return "\n".join([*lines, ""])
