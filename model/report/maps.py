"""Floor plans with paths on them, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from avw.avw4k.viewing.plans import Plan

FONT = 15  # of names, in pixels of the plan, 40 of which are a metre
SOURCE_COLOUR = "#c2410c"


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """The path of one policy. path_T4: (x, y, z, yaw), metres and radians · success: whether the episode succeeded."""

    name: str
    colour: str
    path_T4: np.ndarray
    success: bool


def trajectory_map(plan: Plan, routes: Sequence[Route], source_3: Sequence[float], title: str) -> str:
    """The plan as SVG, with the source, the common start (a ring), and each route with its end."""
    parts = [
        f'<svg viewBox="0 0 {plan.width} {plan.height}" role="img" aria-label="{escape(title)}">',
        f'<rect width="{plan.width}" height="{plan.height}" fill="#eef1f5"/>',
    ]
    if plan.picture:
        parts.append(f'<image href="{plan.picture}" width="{plan.width}" height="{plan.height}" opacity="0.82"/>')
    parts += _names(plan)
    sx, sy = plan.pixels(source_3[0], source_3[2])
    reach = 1.0 / plan.metres_per_pixel
    parts.append(
        f'<circle cx="{sx:.1f}" cy="{sy:.1f}" r="{reach:.1f}" fill="{SOURCE_COLOUR}" fill-opacity="0.10" '
        f'stroke="{SOURCE_COLOUR}" stroke-width="1.5" stroke-dasharray="4 4"/>'
    )
    for route in routes:
        points = _thinned([plan.pixels(pose[0], pose[2]) for pose in route.path_T4])
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        shape = f'points="{line}" fill="none" stroke-linejoin="round" stroke-linecap="round"'
        parts.append(
            f'<g data-series="{escape(route.name)}"><polyline {shape} stroke="#fff" stroke-width="7.5" '
            f'stroke-opacity="0.85"/><polyline {shape} stroke="{route.colour}" stroke-width="4">'
            f"<title>{escape(route.name)}</title></polyline></g>"
        )
    for route in routes:
        x, y = plan.pixels(route.path_T4[-1, 0], route.path_T4[-1, 2])
        parts.append(f'<g data-series="{escape(route.name)}">{_end_mark(x, y, route)}</g>')
    if routes:
        x, y = plan.pixels(routes[0].path_T4[0, 0], routes[0].path_T4[0, 2])
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="#fff" stroke="#1f2937" stroke-width="4"/>')
    parts += [
        f'<circle cx="{sx:.1f}" cy="{sy:.1f}" r="{radius}" fill="none" stroke="{SOURCE_COLOUR}" stroke-width="2.5" '
        f'opacity="{opacity}"/>'
        for radius, opacity in ((11, 0.9), (18, 0.55), (25, 0.3))
    ]
    parts.append(f'<circle cx="{sx:.1f}" cy="{sy:.1f}" r="6" fill="{SOURCE_COLOUR}"/>')
    return "".join([*parts, _scale_bar(plan), "</svg>"])


def _names(plan: Plan) -> list[str]:
    """The names of the rooms in which they fit."""
    return [
        f'<text class="room" x="{x}" y="{y}" text-anchor="middle" font-size="{FONT}">{escape(name)}</text>'
        for name, x, y, width in plan.names()
        if len(name) * 0.56 * FONT < width
    ]


def _scale_bar(plan: Plan) -> str:
    """Two metres, or less in a small plan, at the lower left."""
    metres = 2 if plan.width * plan.metres_per_pixel > 6 else 1
    width, y = metres / plan.metres_per_pixel, plan.height - 8
    return (
        f'<path d="M12,{y - 8}v8h{width:.1f}v-8" fill="none" stroke="#1f2937" stroke-width="2.5"/>'
        f'<text class="scale" x="{12 + width / 2:.1f}" y="{y - 5}" text-anchor="middle" font-size="{FONT}">'
        f"{metres} m</text>"
    )


def _end_mark(x: float, y: float, route: Route) -> str:
    """A dot for success, a cross for failure."""
    if route.success:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{route.colour}" stroke="#fff" stroke-width="3"/>'
    arms = f"M{x - 7:.1f},{y - 7:.1f}l14,14m0,-14l-14,14"
    return (
        f'<path d="{arms}" stroke="#fff" stroke-width="8" stroke-linecap="round"/>'
        f'<path d="{arms}" stroke="{route.colour}" stroke-width="4.5" stroke-linecap="round"/>'
    )


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without repeated points: a turn on the spot adds nothing to a line."""
    kept = [points[0]]
    for point in points[1:]:
        if abs(point[0] - kept[-1][0]) + abs(point[1] - kept[-1][1]) > 0.5:
            kept.append(point)
    return kept
