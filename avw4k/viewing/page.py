"""The page: one HTML document that carries its style and script, and either fetches clips or holds them all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from avw.avw4k.viewing.library import Library
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.disk_errors import readable_errors

SCRIPTS = ("tracks.js", "stage.js", "viewer.js")
# Nothing may be fetched from anywhere but the page's own server, and an exported file fetches nothing at all.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def served_page(library: Library) -> str:
    """The page as the local server gives it: clips are fetched from beside it."""
    return _page(library, library.entries(), None, f"{POLICY}; connect-src 'self'")


def write_export(library: Library, names: Sequence[str], path: Path) -> int:
    """Write the entries `names` as one file that needs no other; returns its size in bytes."""
    rows = {row["id"]: row for row in library.entries()}
    clips = {name: library.entry(name) for name in names}
    html = _page(library, [rows[name] for name in names], clips, POLICY).encode()
    with readable_errors(f"cannot write {path.name}", path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, html)
    return len(html)


def _page(library: Library, rows: list[dict[str, Any]], clips: dict[str, Any] | None, policy: str) -> str:
    data = {"facts": library.facts(), "entries": rows, "clips": clips}
    values = {
        "policy": policy,
        "title": escape(library.title),
        "style": _resource("viewer.css"),
        "script": "\n".join(_resource(name) for name in SCRIPTS),
        "data": _json(data),
    }
    # One pass, so that nothing in the data is taken for a mark.
    parts = _resource("viewer.html").split("<!-- ")
    filled = [parts[0]]
    for part in parts[1:]:
        name, rest = part.split(" -->", 1)
        filled.append(values[name] + rest)
    return "".join(filled)


def _json(value: object) -> str:
    """JSON that can stand in a script element: no `</script>` can occur in it."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
