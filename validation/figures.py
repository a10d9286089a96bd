"""Charts as self-contained SVG files, with their style and a legend of their lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from avw.avw4k.viewing.charts import Line, line_chart

OURS, PEER, THEORY, GREY = "#2f6fdb", "#d9622b", "#3a9a5b", "#8a8f98"
WIDTH, HEIGHT = 380, 250
_LEGEND_ROW = 18
_STYLE = (
    "text{font-family:system-ui,sans-serif;fill:#3c4048;font-size:11px}"
    ".chart-title{font-size:13px;font-weight:600;fill:#1d2026}.tick{fill:#6b717b}.axis{fill:#6b717b}"
    ".grid{stroke:#e3e6ea}.frame{fill:#fff}"
)


def chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    log_x: bool = False,
    log_y: bool = False,
    x_ticks: Sequence[float] | None = None,
) -> str:
    """One SVG document: curves over a common axis, with a legend of their names below."""
    drawn = line_chart(
        lines,
        title=title,
        x_label=x_label,
        width=WIDTH,
        height=HEIGHT,
        log_x=log_x,
        log_y=log_y,
        x_ticks=x_ticks,
    )
    inner = re.sub(r"^<svg[^>]*>|</svg>$", "", drawn)
    rows, height = [], HEIGHT + _LEGEND_ROW * ((len(lines) + 1) // 2) + 4
    for number, line in enumerate(lines):
        x, y = 46 + 160 * (number % 2), HEIGHT + 8 + _LEGEND_ROW * (number // 2)
        dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
        rows.append(f'<line x1="{x}" x2="{x + 22}" y1="{y}" y2="{y}" stroke="{line.colour}" stroke-width="2"{dash}/>')
        rows.append(f'<text x="{x + 28}" y="{y + 4}">{escape(line.name)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -4 {WIDTH + 16} {height + 8}" width="{WIDTH + 16}" '
        f'role="img" aria-label="{escape(title)}"><style>{_STYLE}</style>'
        f'<rect class="frame" x="-8" y="-4" width="{WIDTH + 16}" height="{height + 8}"/>{inner}{"".join(rows)}</svg>\n'
    )
