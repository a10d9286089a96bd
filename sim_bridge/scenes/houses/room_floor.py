"""The floor and walls of one room while it is furnished: which floor cells and wall spans are occupied."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.scenes.houses.furniture.piece import Piece, Rng
from avw.sim_bridge.scenes.houses.house_shell import inner_rectangle, leaf_rectangle, wall_side
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.openings import Opening
from avw.sim_bridge.scenes.scene import Room

# All in metres.
CELL = 0.05  # side of a floor cell
PATH_RADIUS = 0.4  # half the width of the narrowest path
DOOR_DEPTH = 0.85  # depth of the free floor in front of a door
WALL_GAP = 0.02  # between furniture and the wall: room for the skirting board
SIDES = ("north", "south", "west", "east")
YAW = {  # radians; yaw of a frame at each wall, with z into the room
    "north": 0.0,
    "south": np.pi,
    "west": np.pi / 2,
    "east": 1.5 * np.pi,
}

Rectangle = tuple[float, float, float, float]  # min_x, min_z, max_x, max_z in the frame of the room (metres)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place for a piece of furniture.

    rectangle: the floor that the piece covers · origin, yaw: its frame in the room (metres, radians)
    side: the wall behind it, None if it stands free · front: the floor in front of it that must stay free
    """

    rectangle: Rectangle
    origin: tuple[float, float]
    yaw: float
    side: str | None
    front: Rectangle | None = None


@dataclass(frozen=True, slots=True)
class WallSpan:
    """An occupied part of a wall: an opening, a wall item, or furniture in front of it.

    start, end: metres along the wall · low, high: metres above the floor
    kind: the kind of opening, "leaf", "piece" (furniture) or the name of the wall item
    """

    start: float
    end: float
    low: float
    high: float
    kind: str = ""


class RoomFloor:
    """Tracks which parts of the floor and walls of a room are occupied.

    The room frame has its origin in the inner north-west corner: x to the east, z to the south (metres).
    """

    def __init__(self, room: Room, index: int, openings: list[Opening]) -> None:
        self.room = room
        self.x0, self.z0, x1, z1 = inner_rectangle(room)
        self.width, self.depth = x1 - self.x0, z1 - self.z0
        shape = round(self.depth / CELL), round(self.width / CELL)
        self._blocked = np.zeros(shape, dtype=bool)
        self._reserved = np.zeros(shape, dtype=bool)
        self._height = np.zeros(shape, dtype=np.float32)  # height of the object in each cell (metres)
        self.wall_spans: dict[str, list[WallSpan]] = {side: [] for side in SIDES}
        self.rugs: list[Rectangle] = []
        self._door_cells: list[tuple[int, int]] = []
        for opening in openings:
            self._reserve(opening, index)
        # If a door leaf or a corner narrows a doorway, its path starts at the nearest cell that is wide enough.
        wide_HW = _clearance(self._blocked) >= PATH_RADIUS
        if wide_HW.any():
            nearest_2HW = ndimage.distance_transform_edt(~wide_HW, return_distances=False, return_indices=True)
            self._door_cells = [(int(nearest_2HW[0][e]), int(nearest_2HW[1][e])) for e in self._door_cells]

    def length(self, side: str) -> float:
        """Length of the wall `side` (metres)."""
        return self.width if side in ("north", "south") else self.depth

    def _reserve(self, opening: Opening, index: int) -> None:
        side = wall_side(self.room, opening)
        if side is None:  # does not happen with drawn plans: their openings are in the walls of their rooms
            raise SceneError(f"an opening of the {self.room.kind} is not in any of its walls")
        offset = self.x0 if opening.axis == "x" else self.z0
        start, end = opening.start - offset, opening.end - offset
        margin = 0.1 if opening.kind == "window" else 0.14
        low = opening.bottom - 0.05 if opening.bottom else 0.0  # includes the sill
        self.wall_spans[side].append(WallSpan(start - margin, end + margin, low, opening.top + 0.1, opening.kind))
        if opening.kind == "window":
            return
        self._mark(self._reserved, self.strip(side, start - 0.08, end + 0.08, 0.0, DOOR_DEPTH))
        if opening.kind == "entrance":
            return
        if opening.leaf == index:
            x0, z0, x1, z1 = leaf_rectangle(self.room, opening)
            leaf = (x0 - self.x0, z0 - self.z0, x1 - self.x0, z1 - self.z0)
            self._mark(self._blocked, leaf)
            self._height[self._cells(leaf)] = opening.top
            low, high = (leaf[0], leaf[2]) if opening.axis == "x" else (leaf[1], leaf[3])
            self.wall_spans[side].append(WallSpan(low, high, 0.0, opening.top, "leaf"))
        x, z, _, _ = self.strip(side, (start + end) / 2, (start + end) / 2, PATH_RADIUS + 0.06, 0.5)
        rows, columns = self._blocked.shape
        self._door_cells.append((min(max(int(z / CELL), 0), rows - 1), min(max(int(x / CELL), 0), columns - 1)))

    def strip(self, side: str, start: float, end: float, near: float, far: float) -> Rectangle:
        """The floor along a wall, from `near` to `far` metres away from it."""
        return {
            "north": (start, near, end, far),
            "south": (start, self.depth - far, end, self.depth - near),
            "west": (near, start, far, end),
            "east": (self.width - far, start, self.width - near, end),
        }[side]

    def _cells(self, rectangle: Rectangle) -> tuple[slice, slice]:
        x0, z0, x1, z1 = rectangle
        rows = slice(max(0, int(np.floor(z0 / CELL + 1e-6))), max(0, int(np.ceil(z1 / CELL - 1e-6))))
        columns = slice(max(0, int(np.floor(x0 / CELL + 1e-6))), max(0, int(np.ceil(x1 / CELL - 1e-6))))
        return rows, columns

    def _mark(self, grid: np.ndarray, rectangle: Rectangle) -> None:
        grid[self._cells(rectangle)] = True

    def spot_at_wall(self, piece: Piece, where: str, rng: Rng) -> Spot | None:
        """Draw a random place at a wall, or in a corner if `where` is "corner".

        None if the chosen wall is too short or occupied there.
        """
        side = SIDES[int(rng.integers(4))]
        slack = self.length(side) - piece.width - 2 * WALL_GAP
        if slack < 0:
            return None
        # Corners and the middle of a wall are more likely than other places.
        draw = float(rng.random())
        share = round(draw) if where == "corner" else (0.0, 0.5, 1.0, float(rng.random()))[int(4 * draw)]
        return self.spot_at(piece, side, WALL_GAP + slack * share)

    def spot_at(self, piece: Piece, side: str, start: float, near: float = WALL_GAP) -> Spot | None:
        """The place at the wall `side` that begins at `start`, `near` metres from the wall.

        None if the piece would touch the wall where it is occupied.
        """
        end = start + piece.width
        if near == WALL_GAP and not self.wall_is_free(side, start, end, 0.05, piece.height):
            return None
        far = near + piece.depth
        x0, z0, x1, z1 = rectangle = self.strip(side, start, end, near, far)
        corner = {"north": (x0, z0), "south": (x1, z1), "west": (x0, z1), "east": (x1, z0)}[side]
        front = self.strip(side, start, end, far, far + piece.front) if piece.front else None
        return Spot(rectangle, corner, YAW[side], side, front)

    def wall_is_free(self, side: str, start: float, end: float, low: float, high: float, gap: float = 0.0) -> bool:
        """Whether a part of a wall is free, with a margin of `gap` around it (metres, as in `WallSpan`)."""
        return not any(
            start < t.end + gap and end > t.start - gap and low < t.high + gap and high > t.low - gap
            for t in self.wall_spans[side]
        )

    def spot_in_middle(self, piece: Piece, rng: Rng) -> Spot | None:
        """Draw a random place on the floor, parallel to the walls. None if the room is too small."""
        turned = rng.random() < 0.5
        wide, deep = (piece.depth, piece.width) if turned else (piece.width, piece.depth)
        slack_x, slack_z = self.width - wide, self.depth - deep
        if min(slack_x, slack_z) < 0.1:
            return None
        x, z = slack_x * float(rng.uniform(0.05, 0.95)), slack_z * float(rng.uniform(0.05, 0.95))
        origin = (x, z + deep) if turned else (x, z)
        return Spot((x, z, x + wide, z + deep), origin, np.pi / 2 if turned else 0.0, None)

    def fits(self, spot: Spot) -> bool:
        """Whether the floor of `spot` and in front of it is free, and all paths between doors stay open."""
        x0, z0, x1, z1 = spot.rectangle
        if min(x0, z0) < 0 or x1 > self.width or z1 > self.depth:
            return False
        cells = self._cells(spot.rectangle)
        if self._blocked[cells].any() or self._reserved[cells].any():
            return False
        if spot.front is not None and self._blocked[self._cells(spot.front)].any():
            return False
        return self._keeps_paths_open(spot.rectangle)

    def _keeps_paths_open(self, rectangle: Rectangle) -> bool:
        """Whether a disc of PATH_RADIUS still reaches every door and 10 % of the floor with a piece on `rectangle`."""
        blocked = self._blocked.copy()
        self._mark(blocked, rectangle)
        label, _ = ndimage.label(_clearance(blocked) >= PATH_RADIUS)
        islands = {int(label[entry]) for entry in self._door_cells}
        if len(islands) > 1 or 0 in islands:
            return False
        reached = label == islands.pop() if islands else label > 0
        return bool(reached.sum() >= 0.1 * self._blocked.size)

    def occupy(self, spot: Spot, height: float) -> None:
        """Mark the floor and wall of `spot` as occupied by a piece of `height` metres."""
        self._mark(self._blocked, spot.rectangle)
        self._height[self._cells(spot.rectangle)] = height
        if spot.front is not None:
            self._mark(self._reserved, spot.front)
        if spot.side is not None:
            x0, z0, x1, z1 = spot.rectangle
            start, end = (x0, x1) if spot.side in ("north", "south") else (z0, z1)
            self.wall_spans[spot.side].append(WallSpan(start, end, 0.0, height, "piece"))

    def height_in_front(self, side: str, start: float, end: float, depth: float) -> float:
        """Height (metres) of the tallest object less than `depth` metres in front of a stretch of wall."""
        cells = self._height[self._cells(self.strip(side, start, end, 0.0, depth))]
        return float(cells.max()) if cells.size else 0.0

    def block(self, rectangle: Rectangle) -> None:
        """Block the floor of `rectangle` for furniture."""
        self._mark(self._blocked, rectangle)

    def reserved_share(self, rectangle: Rectangle) -> float:
        """The share (0 to 1) of a rectangle that must stay free, for example in front of doors."""
        return float(self._reserved[self._cells(rectangle)].mean())

    def frame(self, builder: MeshBuilder, spot: Spot) -> AbstractContextManager[None]:
        """Draw in the frame of a piece at `spot` (a context manager of the builder)."""
        return builder.placed((self.x0 + spot.origin[0], 0.0, self.z0 + spot.origin[1]), spot.yaw)

    def on_wall(self, builder: MeshBuilder, side: str, start: float, end: float) -> AbstractContextManager[None]:
        """Draw in a frame on a wall: origin at the left end of the stretch, x along the wall, z into the room."""
        corner = {"north": (start, 0.0), "south": (end, self.depth), "west": (0.0, end), "east": (self.width, start)}[
            side
        ]
        return builder.placed((self.x0 + corner[0], 0.0, self.z0 + corner[1]), YAW[side])


def _clearance(blocked_HW: np.ndarray) -> np.ndarray:
    """Distance (metres) from every cell to the nearest blocked cell or wall."""
    walled = np.ones((blocked_HW.shape[0] + 2, blocked_HW.shape[1] + 2), dtype=bool)
    walled[1:-1, 1:-1] = blocked_HW
    return ndimage.distance_transform_edt(~walled)[1:-1, 1:-1] * CELL
