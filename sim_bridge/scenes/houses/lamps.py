"""Ceiling lamps: their design, position and light output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.houses.house_shell import inner_rectangle
from avw.sim_bridge.scenes.scene import Light, Room

if TYPE_CHECKING:
    from avw.sim_bridge.scenes.houses.floor_plan import FloorPlan
    from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
    from avw.sim_bridge.scenes.houses.style import Style

WARM, NEUTRAL, COOL = (1.0, 0.84, 0.64), (1.0, 0.93, 0.82), (0.94, 0.97, 1.0)
_SPACING = 4.0  # metres between lamps of one room
_OFFICE_ROOMS = ("open office", "office", "meeting room", "copy room", "reception", "break room", "restroom")


def draw_lamps(builder: MeshBuilder, style: Style, plan: FloorPlan, seed: int) -> tuple[Light, ...]:
    """Draw about one lamp per 16 m² of each room, all of the same design within a room. Returns their lights."""
    lights: list[Light] = []
    for index, room in enumerate(plan.rooms):
        rng = keyed_rng(seed, "light", index)
        white = _white(room, rng)
        design = _design(room, rng)
        x0, z0, x1, z1 = inner_rectangle(room)
        columns, rows = max(1, round((x1 - x0) / _SPACING)), max(1, round((z1 - z0) / _SPACING))
        total = float(rng.uniform(0.85, 1.15)) * (3.2 + 0.24 * (x1 - x0) * (z1 - z0)) / (columns * rows)
        drop = float(rng.uniform(0.45, 0.7))
        for i in range(columns):
            for j in range(rows):
                x, z = x0 + (x1 - x0) * (i + 0.5) / columns, z0 + (z1 - z0) * (j + 0.5) / rows
                with builder.placed((x, plan.height, z)), builder.item("ceiling lamp"):
                    below = _draw(builder, style, design, drop, x1 - x0 >= z1 - z0)
                power = (total * white[0], total * white[1], total * white[2])
                lights.append(Light(position_3=(x, plan.height - below, z), power_3=power))
    return tuple(lights)


def _white(room: Room, rng: np.random.Generator) -> tuple[float, float, float]:
    if room.kind in _OFFICE_ROOMS:
        return (NEUTRAL, COOL)[int(rng.integers(2))]
    if room.kind in ("bathroom", "kitchen", "laundry", "toilet"):
        return (WARM, NEUTRAL, COOL)[int(rng.integers(3))]
    return (WARM, WARM, NEUTRAL)[int(rng.integers(3))]


def _design(room: Room, rng: np.random.Generator) -> str:
    if room.kind in _OFFICE_ROOMS:
        return str(rng.choice(["panel", "tube", "disc"], p=[0.5, 0.35, 0.15]))
    if room.kind in ("dining", "kitchen", "living kitchen"):
        return str(rng.choice(["pendant", "dome", "disc", "spots"]))
    if room.kind in ("living", "bedroom", "child room", "study"):
        return str(rng.choice(["disc", "globe", "drum", "pendant", "dome"]))
    return str(rng.choice(["disc", "globe", "spots"]))


def _draw(b: MeshBuilder, style: Style, design: str, drop: float, along_x: bool) -> float:
    """Draw one lamp below the origin. Returns the distance from the ceiling to its point light (metres).

    drop: length of a pendant's cable (metres) · along_x: the long side of the lamp runs along x
    """
    glow, dark = style.lamp(), style.dark_metal()
    if design == "panel":
        b.box((-0.3, -0.03, -0.3), (0.3, 0, 0.3), glow, without=("+y",))
        return 0.12
    if design == "tube":
        a, c = (0.6, 0.07) if along_x else (0.07, 0.6)
        b.box((-a, -0.03, -c), (a, 0, c), style.ceramic(), without=("+y",))
        b.box((-a + 0.02, -0.07, -c + 0.02), (a - 0.02, -0.031, c - 0.02), glow, without=("+y",))
        return 0.16
    if design == "spots":
        a, c = (0.45, 0.03) if along_x else (0.03, 0.45)
        b.box((-a, -0.04, -c), (a, 0, c), dark, without=("+y",))
        for k in (-0.33, 0.0, 0.33):
            x, z = (k, 0.0) if along_x else (0.0, k)
            b.cylinder((x, -0.14, z), 0.045, 0.1, style.metal(), sections=10, top_radius=0.03, without=("+y", "-y"))
            b.cylinder((x, -0.15, z), 0.044, 0.01, glow, sections=10, without=("+y",))
        return 0.25
    if design == "globe":
        b.cylinder((0, -0.05, 0), 0.05, 0.05, dark, sections=10, without=("+y",))
        b.ellipsoid((0, -0.16, 0), (0.13, 0.13, 0.13), glow, detail=2)
        return 0.36
    if design == "drum":
        b.cylinder((0, -0.22, 0), 0.24, 0.18, style.lampshade(), sections=20)
        b.cylinder((0, -0.039, 0), 0.05, 0.039, dark, sections=10, without=("+y",))
        return 0.3
    if design in ("pendant", "dome"):
        b.cylinder((0, -drop, 0), 0.008, drop, dark, sections=6, without=("-y", "+y"))
        if design == "pendant":
            b.cylinder((0, -drop - 0.2, 0), 0.2, 0.2, style.lampshade(), sections=18, top_radius=0.08)
        else:
            b.cylinder((0, -drop - 0.16, 0), 0.22, 0.16, style.shade(), sections=18, top_radius=0.05)
            b.cylinder((0, -drop - 0.165, 0), 0.19, 0.004, glow, sections=18)
        return drop + 0.3
    b.cylinder((0, -0.07, 0), 0.2, 0.07, glow, sections=20, without=("+y",))
    return 0.16
