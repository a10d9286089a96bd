"""A finding of a check: its name, its severity, what and where it is, the likely cause, and what to type next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """severity: "error" (unusable), "warning" (usable, but probably not intended), "note" (for information)."""

    name: str
    severity: str
    what: str
    where: str = ""
    cause: str = ""
    fix: str = ""

    def sentence(self) -> str:
        """The whole finding in one line."""
        parts = [f"{self.name}: {self.what}"]
        if self.where:
            parts.append(f" at {self.where}" if self.where.startswith("(") else f" in {self.where}")
        if self.cause:
            parts.append(f": {self.cause}")
        if self.fix:
            parts.append(f"; {self.fix}")
        return "".join(parts)


def failures(findings: Iterable[Finding], *, strict: bool = False) -> list[Finding]:
    """The errors, and with `strict` the warnings too, worst first."""
    bad = SEVERITIES[: 2 if strict else 1]
    return sorted((f for f in findings if f.severity in bad), key=lambda f: SEVERITIES.index(f.severity))
