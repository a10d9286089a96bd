"""Plain English: a short list of phrases that must not come back in code, help pages, messages and documentation.

CONTRIBUTING.md describes the style. Each entry is a pattern and what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

FOLDERS = ("avw", "sim_bridge", "avw4k", "model", "cli", "validation", "benchmarks", "tests", "docs")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile")
SUFFIXES = (".py", ".md", ".html", ".js", ".sh", ".yaml", ".yml")
THINGS = "JSON|mesh|number|scene|sound|part|dataset|run|checkpoint|path|program|Python|list|object|file|picture|SOFA"
UNITS = "source|policy|file|pixel|core|batch|horizon|shard|scene|step|second|episode|worker"
COUNTED = "emitters|episodes|rays|pixels|processes|contexts|windows|trajectories|samples|bytes|steps|frames|sources"

INSTEAD = {
    rf"(?<!there )\bis no (?:{THINGS})\b": "is not a (valid) …",
    r"\bthat is none\b|\bnone of (?:ours|AVW's)\b": "is not a …",
    r"\bcannot be had\b|\bto be had\b|\bcan be had\b": "is not available",
    r"(?<!ear )\bby ear\b": "checked with a test source; from the sound",
    r"\bwho (?:simulates|renders|searches)\b": "simulator backend; acoustic engine; policy",
    rf"\b(?:{COUNTED}) an? (?:{UNITS})\b": "… per …",
    r"\b(?:upon|thereof|whence|wherein|hitherto|thereby)\b": "on; of it; …",
    r"\b(?:this|that) very\b": "this",
    r"\bfor want of\b": "without; because … is missing",
    r"\bhostile\b": "untrusted; malicious",
    r"\bmended?\b": "repair; fix; patch",
    r"\bdevours?\b|\bdear to\b": "uses too much; expensive",
    r"\bbuilds are mended\b|\bsounding since ever\b": "patched builds; sounding since before the start",
}


def texts() -> Iterator[tuple[Path, str]]:
    """All source files and pages that people read, without this one."""
    links = {"sim_bridge", "avw4k", "model", "cli"}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            inside = path.relative_to(ROOT).parts
            if folder == "avw" and inside[1] in links:
                continue  # links to the other folders
            if path.suffix in SUFFIXES and "__pycache__" not in inside and path != Path(__file__):
                yield path, path.read_text(encoding="utf-8")
    for page in PAGES:
        yield ROOT / page, (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("pattern", INSTEAD)
def test_phrases_that_are_not_plain_english(pattern: str) -> None:
    phrase = re.compile(pattern, re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if phrase.search(line)
    ]
    assert not found, f"write instead: {INSTEAD[pattern]}\n" + "\n".join(found)


def test_the_patterns_find_what_they_forbid() -> None:
    examples = ("this is no JSON", "a source that cannot be had", "tried by ear", "Episodes a policy", "hostile files")
    for example in examples:
        assert any(re.search(pattern, example, re.IGNORECASE) for pattern in INSTEAD), example
    for fine in ("there is no file in DIR", "Episodes per policy", "untrusted files", "nothing else is recommended"):
        assert not any(re.search(pattern, fine, re.IGNORECASE) for pattern in INSTEAD), fine
