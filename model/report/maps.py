"""Floor plans with what happened on them. Pixels: x to the right, z downwards, as seen from above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape

import numpy as np

from model.report.media import picture
from sim_bridge.errors import AvwError

PIXELS_PER_METRE = 40.0
SOURCE_COLOUR = "#c2410c"


@dataclass(frozen=True, slots=True)
class Plan:
    """picture: data URI, "" where the scene could not be drawn · origin_xz: metres at the upper left corner."""

    picture: str
    width: int
    height: int
    origin_xz: tuple[float, float]
    metres_per_pixel: float

    def pixels(self, x: float, z: float) -> tuple[float, float]:
        return (x - self.origin_xz[0]) / self.metres_per_pixel, (z - self.origin_xz[1]) / self.metres_per_pixel


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """path_T4: (x, y, z, yaw), metres and radians · success: how it ended."""

    name: str
    colour: str
    path_T4: np.ndarray
    success: bool


@lru_cache(maxsize=32)
def floor_plan(scene_id: str, scene_root: str | None = None) -> Plan | None:
    """The scene from above; None where it is not on this machine (a scan whose files are elsewhere)."""
    from sim_bridge.rendering.top_down import floor_plan_image
    from sim_bridge.scenes.catalogue import load_scene

    try:
        rgb_HWC, origin_xz, metres_per_pixel = floor_plan_image(load_scene(scene_id, scene_root), PIXELS_PER_METRE)
    except AvwError:
        return None
    height, width, _ = rgb_HWC.shape
    return Plan(picture(rgb_HWC, quality=82), width, height, origin_xz, metres_per_pixel)


def blank_plan(points_N3: np.ndarray) -> Plan:
    """Paper around some points, for a scene that cannot be drawn."""
    low_3, high_3 = points_N3.min(axis=0) - 1.0, points_N3.max(axis=0) + 1.0
    width, height = ((high_3 - low_3)[[0, 2]] * PIXELS_PER_METRE).astype(int) + 1
    return Plan("", int(width), int(height), (float(low_3[0]), float(low_3[2])), 1.0 / PIXELS_PER_METRE)


def trajectory_map(plan: Plan, routes: Sequence[Route], source_3: Sequence[float], title: str) -> str:
    """The plan with each route, where it began (a ring), where each ended, and the source, as SVG."""
    parts = [
        f'<svg viewBox="0 0 {plan.width} {plan.height}" role="img" aria-label="{escape(title)}">',
        f'<rect width="{plan.width}" height="{plan.height}" fill="#eef1f5"/>',
    ]
    if plan.picture:
        parts.append(f'<image href="{plan.picture}" width="{plan.width}" height="{plan.height}" opacity="0.82"/>')
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
        parts.append(f'<polyline {shape} stroke="#fff" stroke-width="7.5" stroke-opacity="0.85"/>')
        parts.append(
            f'<polyline {shape} stroke="{route.colour}" stroke-width="4"><title>{escape(route.name)}</title></polyline>'
        )
    for route in routes:
        x, y = plan.pixels(route.path_T4[-1, 0], route.path_T4[-1, 2])
        parts.append(_end_mark(x, y, route))
    if routes:
        x, y = plan.pixels(routes[0].path_T4[0, 0], routes[0].path_T4[0, 2])
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="#fff" stroke="#1f2937" stroke-width="4"/>')
    parts += [
        f'<circle cx="{sx:.1f}" cy="{sy:.1f}" r="{radius}" fill="none" stroke="{SOURCE_COLOUR}" stroke-width="2.5" '
        f'opacity="{opacity}"/>'
        for radius, opacity in ((11, 0.9), (18, 0.55), (25, 0.3))
    ]
    parts.append(f'<circle cx="{sx:.1f}" cy="{sy:.1f}" r="6" fill="{SOURCE_COLOUR}"/>')
    return "".join([*parts, "</svg>"])


def _end_mark(x: float, y: float, route: Route) -> str:
    """A dot where an episode succeeded, a cross where it did not."""
    if route.success:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{route.colour}" stroke="#fff" stroke-width="3"/>'
    arms = f"M{x - 7:.1f},{y - 7:.1f}l14,14m0,-14l-14,14"
    return (
        f'<path d="{arms}" stroke="#fff" stroke-width="8" stroke-linecap="round"/>'
        f'<path d="{arms}" stroke="{route.colour}" stroke-width="4.5" stroke-linecap="round"/>'
    )


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without repeats: turning on the spot adds nothing to a line."""
    kept = [points[0]]
    for point in points[1:]:
        if abs(point[0] - kept[-1][0]) + abs(point[1] - kept[-1][1]) > 0.5:
            kept.append(point)
    return kept
