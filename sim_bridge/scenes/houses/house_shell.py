"""The shell of a house: walls with their openings, floors, ceilings, doors and windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.houses.shell_mesh import ShellMesh
from avw.sim_bridge.scenes.scene import Room

if TYPE_CHECKING:
    from avw.sim_bridge.scenes.houses.floor_plan import FloorPlan
    from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
    from avw.sim_bridge.scenes.houses.openings import Opening
    from avw.sim_bridge.scenes.houses.style import Style

# All in metres.
HALF_WALL = 0.06  # from the middle of a wall to its surface
WINDOW_DEPTH = 0.2  # from the inner surface of the wall to the pane
FRAME = 0.07  # width of a door frame
SKIRTING = 0.08  # height of a skirting board
CASING = 0.018  # how far a door frame protrudes from the wall
_BOARD = 0.012  # how far a skirting board protrudes from the wall
LEAF = 0.04  # thickness of a door leaf

_INWARD = {"north": (0.0, 1.0), "south": (0.0, -1.0), "west": (1.0, 0.0), "east": (-1.0, 0.0)}


def inner_rectangle(room: Room) -> tuple[float, float, float, float]:
    """The room between the surfaces of its walls: min_x, min_z, max_x, max_z (metres)."""
    return room.min_x + HALF_WALL, room.min_z + HALF_WALL, room.max_x - HALF_WALL, room.max_z - HALF_WALL


def wall_side(room: Room, opening: Opening) -> str | None:
    """The wall of `room` with the opening: "north" (low z), "south", "west" (low x), "east", or None."""
    across, along = (2, 0) if opening.axis == "x" else (0, 2)
    ends = {0: (room.min_x, room.max_x), 2: (room.min_z, room.max_z)}
    if opening.start < ends[along][0] - 1e-6 or opening.end > ends[along][1] + 1e-6:
        return None
    names = ("north", "south") if opening.axis == "x" else ("west", "east")
    for name, line in zip(names, ends[across], strict=True):
        if abs(line - opening.line) < 1e-6:
            return name
    return None


def build_shell(builder: MeshBuilder, style: Style, plan: FloorPlan, seed: int) -> None:
    """Draw the building itself: everything except furniture and lamps.

    Floors, walls, ceilings, reveals and panes form one closed surface around the air: no ray leaves the house, and a
    wall between two rooms has two faces. Frames, skirting boards and door leaves are separate boxes in front of it.
    """
    shell = ShellMesh(builder)
    for index, room in enumerate(plan.rooms):
        openings = [o for o in plan.openings if index in o.rooms]
        _draw_room(builder, shell, style, plan, index, room, openings, seed)
    for number, opening in enumerate(plan.openings):
        if opening.kind == "window":
            _draw_window(builder, shell, style, plan, opening, number)
        elif opening.kind == "entrance":
            _draw_entrance(builder, style, plan, opening)
        else:
            _draw_doorway(builder, shell, style, plan, opening)
    shell.draw()


def _draw_room(
    builder: MeshBuilder,
    shell: ShellMesh,
    style: Style,
    plan: FloorPlan,
    index: int,
    room: Room,
    openings: list[Opening],
    seed: int,
) -> None:
    x0, z0, x1, z1 = inner_rectangle(room)
    h = plan.height
    shell.rect([(x0, 0, z1), (x1, 0, z1), (x1, 0, z0), (x0, 0, z0)], style.floor(index, room.kind), "floor")
    shell.rect([(x0, h, z0), (x1, h, z0), (x1, h, z1), (x0, h, z1)], style.ceiling(room.kind), "ceiling")
    rng = keyed_rng(seed, "accent", index)
    accent = None
    if room.kind in ("living", "living kitchen", "bedroom", "child room", "study", "dining") and rng.random() < 0.45:
        accent = str(rng.choice(list(_INWARD)))
    trim = style.trim()
    for side in _INWARD:
        surface = style.accent_wall(index) if side == accent else style.wall(index, room.kind)
        along_x = side in ("north", "south")
        low, high = (x0, x1) if along_x else (z0, z1)
        line = {"north": z0, "south": z1, "west": x0, "east": x1}[side]
        in_wall = sorted((o for o in openings if wall_side(room, o) == side), key=lambda o: o.start)
        holes = [o for o in in_wall if o.kind != "entrance"]
        for start, end, bottom, top in _around_holes(low, high, h, holes):
            shell.rect(_wall(side, line, start, end, bottom, top), surface, "wall")
        inward = _INWARD[side][1 if along_x else 0] * _BOARD
        with builder.part("skirting"):
            # Boards end at door frames. Boards along z end before those along x, so that none overlap in the corners.
            ends = (low, high) if along_x else (low + _BOARD, high - _BOARD)
            for start, end in _boards(*ends, [o for o in in_wall if o.bottom == 0.0]):
                near, far = sorted((line, line + inward))
                low_3, high_3 = (start, 0, near), (end, SKIRTING, far)
                if not along_x:
                    low_3, high_3 = (near, 0, start), (far, SKIRTING, end)
                builder.box(low_3, high_3, trim, without=("-y", _BEHIND[side], *_ENDS[along_x]))


_ENDS = {True: ("-x", "+x"), False: ("-z", "+z")}
_BEHIND = {"north": "-z", "south": "+z", "west": "-x", "east": "+x"}


def _around_holes(
    low: float, high: float, height: float, holes: list[Opening]
) -> list[tuple[float, float, float, float]]:
    """The rectangles (start, end, bottom, top; metres) that remain of a wall with holes."""
    pieces, cursor = [], low
    for hole in holes:
        pieces.append((cursor, hole.start, 0.0, height))
        if hole.bottom > 0:
            pieces.append((hole.start, hole.end, 0.0, hole.bottom))
        pieces.append((hole.start, hole.end, hole.top, height))
        cursor = hole.end
    pieces.append((cursor, high, 0.0, height))
    return [p for p in pieces if p[1] - p[0] > 1e-6 and p[3] - p[2] > 1e-6]


def _boards(low: float, high: float, doors: list[Opening]) -> list[tuple[float, float]]:
    """The stretches (start, end; metres) of a wall that get a skirting board."""
    pieces, cursor = [], low
    for door in doors:
        pieces.append((cursor, door.start - FRAME))
        cursor = door.end + FRAME
    pieces.append((cursor, high))
    return [p for p in pieces if p[1] - p[0] > 0.02]


def _wall(
    side: str, line: float, start: float, end: float, bottom: float, top: float
) -> list[tuple[float, float, float]]:
    """Corners of a rectangle in the wall plane, counter-clockwise seen from inside the room."""
    if side in ("south", "west"):  # seen from inside, these walls run towards lower coordinates
        start, end = end, start
    if side in ("north", "south"):
        return [(start, bottom, line), (end, bottom, line), (end, top, line), (start, top, line)]
    return [(line, bottom, start), (line, bottom, end), (line, top, end), (line, top, start)]


def _hole(
    shell: ShellMesh, opening: Opening, near: float, far: float, surfaces: tuple[str, str], categories: tuple[str, str]
) -> None:
    """Draw the four faces of a hole through a wall, from `near` to `far` across the wall (near < far).

    surfaces, categories: the first is for the bottom face, the second for the other three.
    """
    a, b, low, high = opening.start, opening.end, opening.bottom, opening.top

    def at(along: float, y: float, across: float) -> tuple[float, float, float]:
        return (along, y, across) if opening.axis == "x" else (across, y, along)

    faces = [
        [at(a, low, far), at(b, low, far), at(b, low, near), at(a, low, near)],
        [at(a, high, near), at(b, high, near), at(b, high, far), at(a, high, far)],
        [at(a, low, far), at(a, low, near), at(a, high, near), at(a, high, far)],
        [at(b, low, near), at(b, low, far), at(b, high, far), at(b, high, near)],
    ]
    for number, face in enumerate(faces):
        kind = 0 if number == 0 else 1
        # In a wall along z, the same corner order would be clockwise.
        shell.rect(face if opening.axis == "x" else [face[k] for k in (1, 0, 3, 2)], surfaces[kind], categories[kind])


def _draw_doorway(builder: MeshBuilder, shell: ShellMesh, style: Style, plan: FloorPlan, opening: Opening) -> None:
    """Draw the reveal between two rooms, a frame on both sides, and the open leaf if the doorway has one."""
    frame = style.trim()
    near, far = opening.line - HALF_WALL, opening.line + HALF_WALL
    _hole(shell, opening, near, far, (style.threshold(), frame), ("floor", "wall"))
    width, top, h = opening.end - opening.start, opening.top, HALF_WALL
    with builder.placed(*_wall_frame(opening)):
        with builder.part("door frame"):
            for inner, outer, behind in ((h, h + CASING, "-z"), (-h - CASING, -h, "+z")):
                builder.box((-FRAME, 0, inner), (0, top + FRAME, outer), frame, without=("-y", behind))
                builder.box((width, 0, inner), (width + FRAME, top + FRAME, outer), frame, without=("-y", behind))
                builder.box((0, top, inner), (width, top + FRAME, outer), frame, without=("-x", "+x", behind))
        if opening.leaf >= 0:
            room = plan.rooms[opening.leaf]
            beyond = abs((room.min_z if opening.axis == "x" else room.min_x) - opening.line) < 1e-6
            at_zero = (opening.hinge == "start") == (opening.axis == "x")
            x = -LEAF - 0.008 if at_zero else width + 0.008
            z0, z1 = h + CASING + 0.004, h + CASING + width - 0.02
            low, high = (z0, z1) if beyond else (-z1, -z0)
            with builder.item("door"):
                _draw_leaf(builder, style, x, low, high, top, z1 if beyond else -z1)


def _draw_leaf(builder: MeshBuilder, style: Style, x: float, low: float, high: float, top: float, far: float) -> None:
    """Draw a door leaf at right angles to its wall, with handles on both faces near its free edge at z = `far`."""
    builder.box((x, 0.012, low), (x + LEAF, top - 0.015, high), style.door())
    z = far - math.copysign(0.11, far)
    for x0, x1, hidden in ((x - 0.05, x, "+x"), (x + LEAF, x + LEAF + 0.05, "-x")):
        builder.box((x0, 1.02, z - 0.05), (x1, 1.045, z + 0.05), style.metal(), without=(hidden,))


def leaf_rectangle(room: Room, opening: Opening) -> tuple[float, float, float, float]:
    """The floor area in `room` that the open leaf of `opening` covers: min_x, min_z, max_x, max_z (metres)."""
    width = opening.end - opening.start + HALF_WALL + CASING
    beyond = abs((room.min_z if opening.axis == "x" else room.min_x) - opening.line) < 1e-6
    across = (opening.line, opening.line + width) if beyond else (opening.line - width, opening.line)
    reach = LEAF + 0.06
    start = (opening.start - reach, opening.start) if opening.hinge == "start" else (opening.end, opening.end + reach)
    if opening.axis == "x":
        return start[0], across[0], start[1], across[1]
    return across[0], start[0], across[1], start[1]


def _draw_entrance(builder: MeshBuilder, style: Style, plan: FloorPlan, opening: Opening) -> None:
    """Draw the closed front door: a leaf in a frame on the wall."""
    origin, yaw = _inward_frame(plan, opening)
    width, top, h = opening.end - opening.start, opening.top, HALF_WALL
    frame, depth = style.trim(), CASING + 0.02
    with builder.placed(origin, yaw), builder.item("door"):
        with builder.part("door frame"):
            builder.box((-FRAME, 0, h), (0, top + FRAME, h + depth), frame, without=("-y", "-z"))
            builder.box((width, 0, h), (width + FRAME, top + FRAME, h + depth), frame, without=("-y", "-z"))
            builder.box((0, top, h), (width, top + FRAME, h + depth), frame, without=("-x", "+x", "-z"))
        leaf = style.front_door()
        builder.box((0, 0, h), (width, top, h + 0.02), leaf, without=("-x", "+x", "-y", "+y", "-z"))
        for low, high in ((0.2, 0.9), (1.15, top - 0.2)):
            builder.box((0.16, low, h + 0.02), (width - 0.16, high, h + 0.03), leaf, without=("-z",))
        builder.box((0.05, 1.02, h + 0.02), (0.16, 1.05, h + 0.07), style.metal(), without=("-z",))


def _draw_window(
    builder: MeshBuilder, shell: ShellMesh, style: Style, plan: FloorPlan, opening: Opening, number: int
) -> None:
    """Draw the reveal, the sill, the frame and a pane with the view outside. Local +z points into the room."""
    room = plan.rooms[opening.rooms[0]]
    side = wall_side(room, opening) or "north"
    frame = style.trim()
    outward = -sum(_INWARD[side])
    inside, pane = opening.line - outward * HALF_WALL, opening.line + outward * (WINDOW_DEPTH - HALF_WALL)
    _hole(shell, opening, min(inside, pane), max(inside, pane), (frame, frame), ("wall", "wall"))
    corners = _wall(side, pane, opening.start, opening.end, opening.bottom, opening.top)
    shell.rect(corners, style.view(number % 3), "window", fit=True)
    width, bottom, top = opening.end - opening.start, opening.bottom, opening.top
    with builder.placed(*_inward_frame(plan, opening)), builder.part("window frame"):
        h, d = HALF_WALL, HALF_WALL - WINDOW_DEPTH
        if bottom > 0.3:
            builder.box((-0.06, bottom - 0.04, h), (width + 0.06, bottom - 0.002, h + 0.08), frame, without=("-z",))
        bar, panes = 0.05, max(1, round(width / 0.95))
        hidden = ("-z",)
        for k in range(panes + 1):
            x = (width - bar) * k / panes
            ends = ("-x",) if k == 0 else ("+x",) if k == panes else ()
            builder.box((x, bottom, d), (x + bar, top, d + 0.04), frame, without=(*hidden, *ends, "-y", "+y"))
            if k < panes:
                left, right = x + bar, (width - bar) * (k + 1) / panes
                low, high = (left, bottom, d), (right, bottom + bar, d + 0.04)
                builder.box(low, high, frame, without=(*hidden, "-x", "+x", "-y"))
                low, high = (left, top - bar, d), (right, top, d + 0.04)
                builder.box(low, high, frame, without=(*hidden, "-x", "+x", "+y"))


def _wall_frame(opening: Opening) -> tuple[tuple[float, float, float], float]:
    """Origin (metres) and yaw (radians) of a frame with x along the opening and z towards higher coordinates."""
    if opening.axis == "x":
        return (opening.start, 0.0, opening.line), 0.0
    return (opening.line, 0.0, opening.end), math.pi / 2


def _inward_frame(plan: FloorPlan, opening: Opening) -> tuple[tuple[float, float, float], float]:
    """As `_wall_frame`, for an outer wall: z points into the room."""
    side = wall_side(plan.rooms[opening.rooms[0]], opening)
    if side == "south":
        return (opening.end, 0.0, opening.line), math.pi
    if side == "east":
        return (opening.line, 0.0, opening.start), 1.5 * math.pi
    return _wall_frame(opening)
