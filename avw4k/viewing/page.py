"""The page of the viewer: one HTML document with its style and script, which fetches clips or contains them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from avw.avw4k.viewing.embedded import POLICY, SERVED_POLICY, filled, resource, script_json
from avw.avw4k.viewing.library import Library
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.disk_errors import readable_errors

SCRIPTS = (
    "hover.js", "ramp.js", "stage.js", "player.js", "series.js", "tracks.js", "point_cloud.js", "download.js",
    "link.js", "entries.js", "viewer.js",
)  # fmt: skip
STYLES = ("colours.css", "hover.css", "viewer.css")


def served_page(library: Library) -> str:
    """The page as the local server sends it: it fetches its clips from the same server."""
    return _page(library, library.entries(), None, SERVED_POLICY)


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
        "style": "".join(resource(name) for name in STYLES),
        "script": "\n".join(resource(name) for name in SCRIPTS),
        "data": script_json(data),
    }
    return filled(resource("viewer.html"), values)
