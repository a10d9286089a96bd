"""Parts of pages: templates with their style and script inside, and players for pages such as a report.

A player is an element with its clip as JSON; one script runs them all.
"""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from typing import Any

SCRIPTS = ("hover.js", "ramp.js", "stage.js", "player.js", "embedded.js")
# An exported file may fetch nothing, and a served page may fetch from its own server only.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
SERVED_POLICY = f"{POLICY}; connect-src 'self'"


def player(clip: dict[str, Any], label: str) -> str:
    """The HTML of one player. clip: see `clip.compact_clip` · label: its name for screen readers."""
    return (
        f'<div class="player" role="group" aria-label="{escape(label)}">'
        f'<script type="application/json">{script_json(clip)}</script></div>'
    )


def player_script() -> str:
    """The script that a page with players needs once, after the last of them."""
    return "\n".join(resource(name) for name in SCRIPTS)


def script_json(value: object) -> str:
    """JSON inside a script element. `<` is escaped, so the text cannot contain `</script>`."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def filled(template: str, values: dict[str, str]) -> str:
    """A page with its placeholders, `<!-- name -->`, replaced. In one pass: a placeholder inside a value stays."""
    parts = template.split("<!-- ")
    done = [parts[0]]
    for part in parts[1:]:
        name, rest = part.split(" -->", 1)
        done.append(values[name] + rest)
    return "".join(done)


def resource(name: str, package: str = __package__) -> str:
    """The text of a file of a package; by default of this one."""
    return files(package).joinpath(name).read_text(encoding="utf-8")
