"""The player of the report: frames that run with their sound, as HTML that `player.js` brings to life."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from avw.avw4k.viewing.media import SHEET_COLUMNS
from avw.sim_bridge.types import STEP_SECONDS


def player(
    *,
    sheets: Sequence[tuple[str, str]],
    frames: int,
    size: int,
    audio: str,
    loudness: Sequence[Sequence[float]] | None = None,
    chart_map: Mapping[str, Any] | None = None,
    label: str,
) -> str:
    """Frames that run with their sound.

    sheets: (caption, data URI) of sheets shown side by side · size: pixels of a frame · loudness: from `levels`
    chart_map: {"picture": data URI, "width", "height", "path": [[x, y, yaw], …] in pixels, "source": [x, y]}
    """
    data = {
        "frames": frames,
        "columns": SHEET_COLUMNS,
        "size": size,
        "step": STEP_SECONDS,
        "levels": loudness,
        "map": {k: v for k, v in chart_map.items() if k != "picture"} if chart_map else None,
    }
    views = "".join(
        f'<figure><canvas class="view" width="{size}" height="{size}"></canvas>'
        f'<img class="sheet" src="{uri}" alt="" hidden><figcaption>{escape(caption)}</figcaption></figure>'
        for caption, uri in sheets
    )
    if chart_map:
        views += (
            f'<figure class="map"><canvas class="plan" width="{chart_map["width"]}" height="{chart_map["height"]}">'
            f'</canvas><img class="floor" src="{chart_map["picture"]}" alt="" hidden>'
            "<figcaption>from above</figcaption></figure>"
        )
    strip = '<canvas class="levels" width="960" height="72"></canvas>' if loudness else ""
    return (
        f'<div class="player" role="group" aria-label="{escape(label)}">'
        f'<script type="application/json">{json.dumps(data)}</script>'
        f'<div class="views">{views}</div>{strip}<audio controls preload="metadata" src="{audio}"></audio></div>'
    )
