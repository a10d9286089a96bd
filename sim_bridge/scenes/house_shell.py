"""The shell of a house: walls with their openings, floors, ceilings, door frames, windows and lamps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sim_bridge.randomness import keyed_rng
from sim_bridge.scenes.scene import Light, Room

if TYPE_CHECKING:
    from sim_bridge.scenes.floor_plan import FloorPlan, Opening
    from sim_bridge.scenes.mesh_builder import MeshBuilder
    from sim_bridge.scenes.style import Style

HALF_WALL = 0.06  # metres from the middle of a wall to its surface
WINDOW_DEPTH = 0.16
FRAME = 0.07
SKIRTING = 0.08
CASING = 0.015  # how far frames and skirting boards stand out of the wall

_INWARD = {"north": (0.0, 1.0), "south": (0.0, -1.0), "west": (1.0, 0.0), "east": (-1.0, 0.0)}


def inner_rectangle(room: Room) -> tuple[float, float, float, float]:
    """The room between the surfaces of its walls: min_x, min_z, max_x, max_z (metres)."""
    return room.min_x + HALF_WALL, room.min_z + HALF_WALL, room.max_x - HALF_WALL, room.max_z - HALF_WALL


def wall_side(room: Room, opening: Opening) -> str | None:
    """Which wall of `room` the opening is in: "north" (low z), "south", "west" (low x) or "east"; None: in none."""
    across, along = (2, 0) if opening.axis == "x" else (0, 2)
    ends = {0: (room.min_x, room.max_x), 2: (room.min_z, room.max_z)}
    if opening.start < ends[along][0] - 1e-6 or opening.end > ends[along][1] + 1e-6:
        return None
    names = ("north", "south") if opening.axis == "x" else ("west", "east")
    for name, line in zip(names, ends[across], strict=True):
        if abs(line - opening.line) < 1e-6:
            return name
    return None


def build_shell(builder: MeshBuilder, style: Style, plan: FloorPlan, seed: int) -> tuple[Light, ...]:
    """Draw everything but the furniture; returns one ceiling light or more for each room.

    Rooms are closed boxes seen from the inside; door reveals join them, so no ray leaves the house.
    """
    lights: list[Light] = []
    for index, room in enumerate(plan.rooms):
        openings = [o for o in plan.openings if index in o.rooms]
        _draw_room(builder, style, plan, index, room, openings, seed)
        lights += _draw_lights(builder, style, plan, index, room, seed)
    for number, opening in enumerate(plan.openings):
        if opening.kind == "window":
            _draw_window(builder, style, plan, opening, number)
        else:
            _draw_doorway(builder, style, opening)
    return tuple(lights)


def _draw_room(
    builder: MeshBuilder, style: Style, plan: FloorPlan, index: int, room: Room, openings: list[Opening], seed: int
) -> None:
    x0, z0, x1, z1 = inner_rectangle(room)
    floor, ceiling, trim = style.floor(index, room.kind), style.ceiling(), style.trim()
    with builder.part("floor"):
        builder.quad([(x0, 0, z1), (x1, 0, z1), (x1, 0, z0), (x0, 0, z0)], floor)
    with builder.part("ceiling"):
        builder.quad(
            [(x0, plan.height, z0), (x1, plan.height, z0), (x1, plan.height, z1), (x0, plan.height, z1)], ceiling
        )
    rng = keyed_rng(seed, "accent", index)
    accent = None
    if room.kind not in ("bathroom", "hall") and rng.random() < 0.45:
        accent = str(rng.choice(list(_INWARD)))
    for side in _INWARD:
        surface = style.accent_wall(index) if side == accent else style.wall(index, room.kind)
        along_x = side in ("north", "south")
        low, high = (x0, x1) if along_x else (z0, z1)
        line = {"north": z0, "south": z1, "west": x0, "east": x1}[side]
        holes = sorted((o for o in openings if wall_side(room, o) == side), key=lambda o: o.start)
        for start, end, bottom, top in _around_holes(low, high, plan.height, holes):
            with builder.part("wall"):
                _wall_quad(builder, side, line, start, end, bottom, top, surface)
            if bottom == 0.0:
                inward = _INWARD[side][1 if along_x else 0] * CASING
                ends = sorted((line, line + inward))
                low_3, high_3 = ((start, 0, ends[0]), (end, SKIRTING, ends[1]))
                if not along_x:
                    low_3, high_3 = ((ends[0], 0, start), (ends[1], SKIRTING, end))
                with builder.part("skirting"):
                    builder.box(low_3, high_3, trim, without=("-y",))


def _around_holes(
    low: float, high: float, height: float, holes: list[Opening]
) -> list[tuple[float, float, float, float]]:
    """The rectangles (start, end, bottom, top) that remain of a wall."""
    pieces, cursor = [], low
    for hole in holes:
        pieces.append((cursor, hole.start, 0.0, height))
        if hole.bottom > 0:
            pieces.append((hole.start, hole.end, 0.0, hole.bottom))
        pieces.append((hole.start, hole.end, hole.top, height))
        cursor = hole.end
    pieces.append((cursor, high, 0.0, height))
    return [p for p in pieces if p[1] - p[0] > 1e-6 and p[3] - p[2] > 1e-6]


def _wall_quad(
    builder: MeshBuilder, side: str, line: float, start: float, end: float, bottom: float, top: float, surface: str
) -> None:
    if side in ("south", "west"):  # seen from inside, these walls run towards lower coordinates
        start, end = end, start
    if side in ("north", "south"):
        corners = [(start, bottom, line), (end, bottom, line), (end, top, line), (start, top, line)]
    else:
        corners = [(line, bottom, start), (line, bottom, end), (line, top, end), (line, top, start)]
    builder.quad(corners, surface)


def _draw_doorway(builder: MeshBuilder, style: Style, opening: Opening) -> None:
    """The reveal between two rooms, with a frame around it on both sides. Drawn with the wall along local x."""
    width = opening.end - opening.start
    origin, yaw = _wall_frame(opening)
    frame, threshold = style.trim(), style.threshold()
    with builder.placed(origin, yaw), builder.part("door frame"):
        h, top = HALF_WALL, opening.top
        builder.quad([(0, 0, h), (width, 0, h), (width, 0, -h), (0, 0, -h)], threshold)
        builder.quad([(0, top, -h), (width, top, -h), (width, top, h), (0, top, h)], frame)
        builder.quad([(0, 0, h), (0, 0, -h), (0, top, -h), (0, top, h)], frame)
        builder.quad([(width, 0, -h), (width, 0, h), (width, top, h), (width, top, -h)], frame)
        for near, far in ((h, h + CASING), (-h - CASING, -h)):
            builder.box((-FRAME, 0, near), (0, top + FRAME, far), frame, without=("-y",))
            builder.box((width, 0, near), (width + FRAME, top + FRAME, far), frame, without=("-y",))
            builder.box((0, top, near), (width, top + FRAME, far), frame)


def _draw_window(builder: MeshBuilder, style: Style, plan: FloorPlan, opening: Opening, number: int) -> None:
    """Reveal, sill, frame bars and a pane that shows the garden. Local +z looks into the room."""
    room = plan.rooms[opening.rooms[0]]
    side = wall_side(room, opening)
    width, bottom, top = opening.end - opening.start, opening.bottom, opening.top
    origin, yaw = _wall_frame(opening)
    if side == "south":  # turn the frame around, so that +z points into the room
        origin, yaw = (opening.end, 0.0, opening.line), yaw + math.pi
    elif side == "east":
        origin, yaw = (opening.line, 0.0, opening.start), yaw + math.pi
    frame = style.trim()
    with builder.placed(origin, yaw), builder.part("window"):
        h, d = HALF_WALL, HALF_WALL - WINDOW_DEPTH
        builder.quad([(0, bottom, h), (width, bottom, h), (width, bottom, d), (0, bottom, d)], frame)
        builder.quad([(0, top, d), (width, top, d), (width, top, h), (0, top, h)], frame)
        builder.quad([(0, bottom, h), (0, bottom, d), (0, top, d), (0, top, h)], frame)
        builder.quad([(width, bottom, d), (width, bottom, h), (width, top, h), (width, top, d)], frame)
        pane = [(0, bottom, d), (width, bottom, d), (width, top, d), (0, top, d)]
        builder.quad(pane, style.view(number % 3), fit=True)
        builder.box((-0.06, bottom - 0.04, h), (width + 0.06, bottom, h + 0.06), frame)
        bar, panes = 0.05, 2 if width > 1.0 else 1
        for k in range(panes + 1):
            x = (width - bar) * k / panes
            builder.box((x, bottom, d), (x + bar, top, d + 0.04), frame, without=("-z",))
        for y in (bottom, top - bar):
            builder.box((bar, y, d), (width - bar, y + bar, d + 0.04), frame, without=("-z",))


def _wall_frame(opening: Opening) -> tuple[tuple[float, float, float], float]:
    """Origin and yaw of a frame whose x runs along the opening, from its start or its end."""
    if opening.axis == "x":
        return (opening.start, 0.0, opening.line), 0.0
    return (opening.line, 0.0, opening.end), math.pi / 2


def _draw_lights(builder: MeshBuilder, style: Style, plan: FloorPlan, index: int, room: Room, seed: int) -> list[Light]:
    """Ceiling lamps, one for every 16 m² or so, each a warm, neutral or cool white."""
    rng = keyed_rng(seed, "light", index)
    width, depth = room.max_x - room.min_x, room.max_z - room.min_z
    columns = max(1, round(width / 4.2))
    rows = max(1, round(depth / 4.2))
    white = ((1.0, 0.86, 0.68), (1.0, 0.93, 0.82), (0.92, 0.96, 1.0))[int(rng.integers(3))]
    total = float(rng.uniform(0.9, 1.25) * (4.1 + 0.21 * width * depth)) / (columns * rows)
    hanging = room.kind in ("dining", "kitchen") and rng.random() < 0.6
    drop = rng.uniform(0.55, 0.75) if hanging else 0.0
    lights = []
    with builder.part("lamp"):
        for i in range(columns):
            for j in range(rows):
                x, z = room.min_x + width * (i + 0.5) / columns, room.min_z + depth * (j + 0.5) / rows
                if hanging:
                    y = plan.height - drop
                    builder.cylinder((x, y, z), 0.012, drop, style.dark_metal(), sections=6, caps=False)
                    builder.cylinder((x, y - 0.2, z), 0.2, 0.2, style.lampshade(), sections=18, top_radius=0.08)
                    y -= 0.26
                else:
                    y = plan.height - 0.08
                    builder.cylinder((x, y, z), 0.2, 0.08, style.lamp(), sections=18)
                    y -= 0.06
                lights.append(
                    Light(position_3=(x, y, z), power_3=(total * white[0], total * white[1], total * white[2]))
                )
    return lights
