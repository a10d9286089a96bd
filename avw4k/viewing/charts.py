"""Charts as inline SVG: lines, bars, and means with their intervals. charts.js shows values below the pointer."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One curve. dash: an SVG dash pattern, "" for a solid line · points: whether to mark each value
    series: the entry of the legend that hides it (default: its name)
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    dash: str = ""
    points: bool = False
    width: float = 2.0
    series: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One mean with its interval."""

    name: str
    mean: float
    low: float
    high: float
    colour: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bars:
    """One series of bars, one value per label."""

    name: str
    values: Sequence[float]
    colour: str


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    width: int = 340,
    height: int = 210,
    log_y: bool = False,
    x_ticks: Sequence[float] | None = None,
    log_x: bool = False,
) -> str:
    """Curves that share both axes. Values that are not finite, or not positive on a log axis, are omitted."""
    right, top, bottom = 20, 30, 34
    drawn = [line for line in lines if len(line.x)]
    x_all = np.concatenate([np.asarray(line.x, float) for line in drawn]) if drawn else np.array([0.0, 1.0])
    y_all = np.concatenate([np.asarray(line.y, float) for line in drawn]) if drawn else np.array([0.0, 1.0])
    y_all = y_all[np.isfinite(y_all) & (y_all > 0 if log_y else True)]
    if len(y_all) == 0:
        y_all = np.array([0.1, 1.0])
    low, high = _padded(float(y_all.min()), float(y_all.max()), log_y)
    to_y = _scale(low, high, height - bottom, top, log_y)
    y_ticks = _log_ticks(low, high) if log_y else _ticks(low, high, 4)
    left = max(46.0, 10.0 + 6.4 * max((len(_number(tick)) for tick in y_ticks), default=0))
    to_x = _scale(x_all.min(), x_all.max(), left, width - right, log_x)
    parts = [
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}" '
        f'data-x="{escape(x_label)}">',
        f'<text class="chart-title" x="0" y="16">{escape(title)}</text>',
    ]
    for tick in y_ticks:
        y = to_y(tick)
        parts.append(f'<line class="grid" x1="{left:g}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 6:g}" y="{y + 3.5:.1f}" text-anchor="end">{_number(tick)}</text>')
    for tick in x_ticks if x_ticks is not None else _ticks(float(x_all.min()), float(x_all.max()), 4):
        parts.append(
            f'<text class="tick" x="{to_x(tick):.1f}" y="{height - bottom + 15}" text-anchor="middle">'
            f"{_number(tick)}</text>"
        )
    middle = (left + width - right) / 2
    parts.append(f'<text class="axis" x="{middle}" y="{height - 4}" text-anchor="middle">{escape(x_label)}</text>')
    for line in drawn:
        parts += _curve(line, to_x, to_y, log_y)
    return "".join([*parts, "</svg>"])


def _curve(line: Line, to_x: _scale, to_y: _scale, log_y: bool) -> list[str]:
    """A curve and its points, with the values that the page shows below the pointer."""
    kept = [
        (float(x), float(y)) for x, y in zip(line.x, line.y, strict=True) if math.isfinite(y) and (not log_y or y > 0)
    ]
    pairs = [(to_x(x), to_y(y)) for x, y in kept]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in pairs)
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    series = f'data-series="{escape(line.series or line.name)}"'
    values = f'data-x="{" ".join(f"{x:g}" for x, _ in kept)}" data-y="{" ".join(f"{y:.4g}" for _, y in kept)}"'
    parts = [
        f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="{line.width}"{dash} '
        f'stroke-linejoin="round" stroke-linecap="round" {series} {values}>'
        f"<title>{escape(line.name)}</title></polyline>"
    ]
    if line.points:
        parts += [
            f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="#fff" stroke="{line.colour}" '
            f'stroke-width="2" {series}/>'
            for x, y in pairs
        ]
    return parts


def interval_chart(rows: Sequence[Row], *, title: str, low: float, high: float, width: int = 520) -> str:
    """A dot and a bar for each mean and its interval, on one axis; a line marks 0 if it is in the range."""
    left, right, top, step = 150, 64, 34, 30
    height = top + step * len(rows) + 26
    to_x = _scale(low, high, left, width - right, False)
    parts = [
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">',
        f'<text class="chart-title" x="0" y="16">{escape(title)}</text>',
    ]
    for tick in _ticks(low, high, 5):
        x = to_x(tick)
        kind = "zero" if low < 0 < high and abs(tick) < 1e-9 else "grid"
        parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 8}" y2="{height - 24}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{height - 8}" text-anchor="middle">{_number(tick)}</text>')
    for number, row in enumerate(rows):
        y = top + step * (number + 0.5)
        x0, x1, x = to_x(row.low), to_x(row.high), to_x(row.mean)
        parts.append(f'<text class="row-name" x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(row.name)}</text>')
        parts.append(
            f'<line x1="{x0:.1f}" x2="{max(x1, x0 + 0.5):.1f}" y1="{y}" y2="{y}" stroke="{row.colour}" '
            'stroke-width="7" stroke-linecap="round" opacity="0.28"/>'
        )
        about = f"{row.name}: {row.mean:.3g} ({row.low:.3g} to {row.high:.3g})"
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y}" r="5.5" fill="{row.colour}"><title>{escape(about)}</title></circle>'
        )
        parts.append(f'<text class="row-value" x="{width - right + 14}" y="{y + 4}">{row.mean:.2f}</text>')
    return "".join([*parts, "</svg>"])


def bar_chart(
    series: Sequence[Bars],
    labels: Sequence[str],
    *,
    title: str,
    x_label: str,
    width: int = 560,
    height: int = 240,
) -> str:
    """Groups of bars, one per label, on an axis from 0; some labels are omitted if they do not fit."""
    left, right, top, bottom = 46, 12, 52, 42
    most = max((value for bars in series for value in bars.values), default=0.0) * 1.08 or 1.0
    to_y = _scale(0.0, most, height - bottom, top, False)
    slot = (width - left - right) / max(1, len(labels))
    gap = min(10.0, slot * 0.2)
    bar = (slot - gap) / max(1, len(series))
    parts = [
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">',
        f'<text class="chart-title" x="0" y="16">{escape(title)}</text>',
    ]
    x = 0.0
    for bars in series:
        parts.append(f'<rect x="{x:.0f}" y="28" width="10" height="10" rx="3" fill="{bars.colour}"/>')
        parts.append(f'<text class="key" x="{x + 15:.0f}" y="37">{escape(bars.name)}</text>')
        x += 34 + 6.6 * len(bars.name)
    for tick in _ticks(0.0, most, 4):
        y = to_y(tick)
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{left - 6}" y="{y + 3.5:.1f}" text-anchor="end">{_number(tick)}</text>')
    every = max(1, math.ceil((max((len(label) for label in labels), default=1) * 6.5 + 6) / slot))
    for number, label in enumerate(labels):
        middle = left + slot * (number + 0.5)
        if number % every == 0:
            parts.append(
                f'<text class="tick" x="{middle:.1f}" y="{height - bottom + 15}" text-anchor="middle">'
                f"{escape(label)}</text>"
            )
        for place, bars in enumerate(series):
            y = to_y(bars.values[number])
            parts.append(
                f'<rect x="{left + slot * number + gap / 2 + bar * place:.2f}" y="{y:.1f}" width="{bar:.2f}" '
                f'height="{height - bottom - y:.1f}" fill="{bars.colour}">'
                f"<title>{escape(f'{bars.name}, {labels[number]}: {bars.values[number]:.3g}')}</title></rect>"
            )
    middle = (left + width - right) / 2
    parts.append(f'<text class="axis" x="{middle}" y="{height - 6}" text-anchor="middle">{escape(x_label)}</text>')
    return "".join([*parts, "</svg>"])


def standalone(svg: str) -> str:
    """A chart as a file of its own, with the style that the page gives it elsewhere."""
    style = (
        "<style>text{font:11.5px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#5b6675}"
        ".chart-title{font-size:13.5px;font-weight:600;fill:#1f2937}.grid{stroke:#eceff3}</style>"
        '<rect width="100%" height="100%" fill="#fff"/>'
    )
    head, rest = svg.split(">", 1)
    box = head.split('viewBox="', 1)[1].split('"', 1)[0].split()
    sized = f'{head} xmlns="http://www.w3.org/2000/svg" width="{box[2]}" height="{box[3]}"'
    return f"{sized}>{style}{rest}\n"


def legend(entries: Sequence[tuple[str, str]], *, dashed: Collection[str] = (), everywhere: bool = False) -> str:
    """(name, colour) chips; `dashed` names those of dashed lines. A click hides the series of that name beside the
    legend, or on the whole page."""
    chips = "".join(
        f'<button type="button" class="chip" aria-pressed="true" data-series="{escape(name)}" title="Hide or show">'
        f'<i style="background:{_dashes(colour) if name in dashed else colour}"></i>{escape(name)}</button>'
        for name, colour in entries
    )
    return f'<div class="legend{" everywhere" if everywhere else ""}">{chips}</div>'


def _dashes(colour: str) -> str:
    return f"repeating-linear-gradient(90deg,{colour} 0 5px,transparent 5px 8px)"


class _scale:  # noqa: N801 - used as a function
    """Maps [low, high] to [start, end] on the page."""

    def __init__(self, low: float, high: float, start: float, end: float, log: bool):
        self.log = log
        self.low, self.high = (math.log10(low), math.log10(high)) if log else (low, high)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        at = math.log10(value) if self.log else value
        span = self.high - self.low
        share = (at - self.low) / span if span else 0.5
        return self.start + share * (self.end - self.start)


def _padded(low: float, high: float, log: bool) -> tuple[float, float]:
    if log:
        return (low / 1.15, high * 1.15) if high > low else (low / 2, high * 2)
    pad = 0.08 * (high - low) or max(abs(high), 1.0) * 0.1
    return low - pad, high + pad


def _ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round numbers inside [low, high], about `wanted` of them."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        return [low]
    raw = span / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = min((m * power for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(math.log(s / raw)))
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [m * 10.0**d for d in decades for m in (1, 2, 5) if low <= m * 10.0**d <= high]
    return ticks if len(ticks) <= 5 else [t for t in ticks if math.log10(t) % 1 < 1e-9] or ticks[::2]


def _number(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
