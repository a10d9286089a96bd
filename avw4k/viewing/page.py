"""The page of the viewer: one HTML document with its style and script, which fetches clips or contains them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from avw.avw4k.viewing.embedded import resource, script_json
from avw.avw4k.viewing.library import Library
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.disk_errors import readable_errors

SCRIPTS = ("stage.js", "player.js", "tracks.js", "viewer.js")
# The page may fetch from its own server only, and an exported file may fetch nothing.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def served_page(library: Library) -> str:
    """The page as the local server sends it: it fetches its clips from the same server."""
    return _page(library, library.entries(), None, f"{POLICY}; connect-src 'self'")


def write_export(library: Library, names: Sequence[str], path: Path) -> int:
    """Write the entries `names` as one file that needs no other file. Returns its size in bytes."""
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
        "style": resource("viewer.css"),
        "script": "\n".join(resource(name) for name in SCRIPTS),
        "data": script_json(data),
    }
    # One pass, so that a placeholder inside the data is not replaced.
    parts = resource("viewer.html").split("<!-- ")
    filled = [parts[0]]
    for part in parts[1:]:
        name, rest = part.split(" -->", 1)
        filled.append(values[name] + rest)
    return "".join(filled)
