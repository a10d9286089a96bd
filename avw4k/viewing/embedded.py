"""Players inside another page, e.g. a report. Each is an element with its clip as JSON; one script runs them all."""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from typing import Any

SCRIPTS = ("stage.js", "player.js", "embedded.js")


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


def resource(name: str) -> str:
    """The text of a file of this package."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
