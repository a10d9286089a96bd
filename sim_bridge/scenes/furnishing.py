"""Furnish the rooms of a plan, leaving doors free and a path of at least 0.8 m between all doors of a room."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sim_bridge.errors import SceneError
from sim_bridge.randomness import keyed_rng
from sim_bridge.scenes import furniture
from sim_bridge.scenes.floor_plan import FloorPlan, Opening
from sim_bridge.scenes.furniture import Piece, Rng
from sim_bridge.scenes.house_shell import inner_rectangle, wall_side
from sim_bridge.scenes.mesh_builder import MeshBuilder
from sim_bridge.scenes.room_contents import WISHES, Wish
from sim_bridge.scenes.scene import Room
from sim_bridge.scenes.style import Style

CELL = 0.05  # metres
PATH_RADIUS = 0.4  # half of the narrowest path
DOOR_DEPTH = 0.85  # free floor in front of a door
WALL_GAP = 0.02  # furniture stands just off the skirting board
SIDES = ("north", "south", "west", "east")
_YAW = {"north": 0.0, "south": np.pi, "west": np.pi / 2, "east": 1.5 * np.pi}

Rectangle = tuple[float, float, float, float]  # min_x, min_z, max_x, max_z, metres in the room


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where a piece would stand: the floor it takes, its frame's origin and yaw, and the wall behind it."""

    rectangle: Rectangle
    origin: tuple[float, float]
    yaw: float
    side: str | None


def _along(side: str, rectangle: Rectangle) -> tuple[float, float]:
    """The stretch of the wall `side` that a rectangle stands before."""
    return (rectangle[0], rectangle[2]) if side in ("north", "south") else (rectangle[1], rectangle[3])


def furnish(builder: MeshBuilder, style: Style, plan: FloorPlan, seed: int) -> None:
    """Fill every room of `plan`; each room draws from its own stream of randomness."""
    for index, room in enumerate(plan.rooms):
        rng = keyed_rng(seed, "furniture", index)
        openings = [o for o in plan.openings if index in o.rooms]
        filler = _RoomFiller(builder, style, room, openings, plan.height, rng)
        for wish in WISHES[room.kind]:
            if rng.random() < wish.chance:
                filler.place(wish)
        filler.decorate(index)


class _RoomFiller:
    """The floor of one room as a grid of cells, and the pieces that stand on it."""

    def __init__(
        self,
        builder: MeshBuilder,
        style: Style,
        room: Room,
        openings: list[Opening],
        height: float,
        rng: Rng,
    ):
        self._builder, self._style, self._room, self._rng = builder, style, room, rng
        self._height = height
        self._x0, self._z0, x1, z1 = inner_rectangle(room)
        self._size = {"x": x1 - self._x0, "z": z1 - self._z0}
        shape = round(self._size["z"] / CELL), round(self._size["x"] / CELL)
        self._blocked = np.zeros(shape, dtype=bool)
        self._doorway = np.zeros(shape, dtype=bool)
        # What hangs on each wall or stands before it: (start, end, low, high), metres along and above.
        self._taken: dict[str, list[tuple[float, float, float, float]]] = {side: [] for side in SIDES}
        self._entries: list[tuple[int, int]] = []
        for opening in openings:
            self._reserve(opening)

    def _reserve(self, opening: Opening) -> None:
        side = wall_side(self._room, opening)
        if side is None:  # cannot be: openings are drawn in the walls of their rooms
            raise SceneError(f"an opening of the {self._room.kind} lies in none of its walls")
        offset = self._x0 if opening.axis == "x" else self._z0
        start, end = opening.start - offset, opening.end - offset
        self._taken[side].append((start - 0.1, end + 0.1, opening.bottom, opening.top + 0.1))
        if opening.kind == "window":
            return
        self._mark(self._doorway, self._rectangle(side, start - 0.05, end + 0.05, 0.0, DOOR_DEPTH))
        x, z, _, _ = self._rectangle(side, (start + end) / 2, (start + end) / 2, PATH_RADIUS + 0.06, 0.5)
        rows, columns = self._blocked.shape
        self._entries.append((min(int(z / CELL), rows - 1), min(int(x / CELL), columns - 1)))

    def _rectangle(self, side: str, start: float, end: float, near: float, far: float) -> Rectangle:
        """A strip along a wall, `near` to `far` metres from it."""
        width, depth = self._size["x"], self._size["z"]
        return {
            "north": (start, near, end, far),
            "south": (start, depth - far, end, depth - near),
            "west": (near, start, far, end),
            "east": (width - far, start, width - near, end),
        }[side]

    def _cells(self, rectangle: Rectangle) -> tuple[slice, slice]:
        x0, z0, x1, z1 = rectangle
        rows = slice(max(0, int(np.floor(z0 / CELL + 1e-6))), max(0, int(np.ceil(z1 / CELL - 1e-6))))
        columns = slice(max(0, int(np.floor(x0 / CELL + 1e-6))), max(0, int(np.ceil(x1 / CELL - 1e-6))))
        return rows, columns

    def _mark(self, grid: np.ndarray, rectangle: Rectangle) -> None:
        grid[self._cells(rectangle)] = True

    def place(self, wish: Wish) -> None:
        """Try a few pieces in many places; where none leaves the paths free, the room goes without."""
        for _ in range(3):
            piece = wish.make(self._style, self._rng)
            for _ in range(24):
                spot = self._spot_in_middle(piece) if wish.where == "middle" else self._spot_at_wall(piece, wish.where)
                if spot is not None and self._fits(spot.rectangle) and self._paths_stay(spot.rectangle):
                    self._put(piece, spot)
                    if wish.rug and self._rng.random() < 0.75:
                        self._lay_rug(spot.rectangle, spot.side)
                    if piece.name == "sofa" and spot.side is not None:
                        self._put_coffee_table(spot.side, spot.rectangle)
                    return

    def _put(self, piece: Piece, spot: _Spot) -> None:
        self._mark(self._blocked, spot.rectangle)
        with (
            self._builder.placed((self._x0 + spot.origin[0], 0.0, self._z0 + spot.origin[1]), spot.yaw),
            self._builder.item(piece.name),
        ):
            piece.draw(self._builder)
        if spot.side is not None:
            start, end = _along(spot.side, spot.rectangle)
            self._taken[spot.side].append((start, end, 0.0, piece.height))

    def _spot_at_wall(self, piece: Piece, where: str) -> _Spot | None:
        side = str(self._rng.choice(SIDES))
        length = self._size["x" if side in ("north", "south") else "z"]
        slack = length - piece.width - 2 * WALL_GAP
        if slack < 0:
            return None
        # Pieces sit in corners and centres of walls more often than just anywhere.
        share = (
            self._rng.choice([0.0, 1.0]) if where == "corner" else self._rng.choice([0.0, 0.5, 1.0, self._rng.random()])
        )
        start = WALL_GAP + slack * float(share)
        end = start + piece.width
        for taken_start, taken_end, low, high in self._taken[side]:
            if start < taken_end and end > taken_start and piece.height > low + 0.12 and high > 0.05:
                return None
        return self._spot(side, start, end, WALL_GAP, WALL_GAP + piece.depth)

    def _spot(self, side: str, start: float, end: float, near: float, far: float) -> _Spot:
        """A place whose back is turned to a wall, `near` metres from it."""
        x0, z0, x1, z1 = rectangle = self._rectangle(side, start, end, near, far)
        corner = {"north": (x0, z0), "south": (x1, z1), "west": (x0, z1), "east": (x1, z0)}[side]
        return _Spot(rectangle, corner, _YAW[side], side)

    def _spot_in_middle(self, piece: Piece) -> _Spot | None:
        turned = self._rng.random() < 0.5
        width, depth = (piece.depth, piece.width) if turned else (piece.width, piece.depth)
        room_x, room_z = self._size["x"] - width, self._size["z"] - depth
        if min(room_x, room_z) < 0.1:
            return None
        x, z = room_x * self._rng.uniform(0.05, 0.95), room_z * self._rng.uniform(0.05, 0.95)
        origin = (x, z + depth) if turned else (x, z)
        return _Spot((x, z, x + width, z + depth), origin, np.pi / 2 if turned else 0.0, None)

    def _fits(self, rectangle: Rectangle) -> bool:
        if min(rectangle[:2]) < 0 or rectangle[2] > self._size["x"] or rectangle[3] > self._size["z"]:
            return False
        cells = self._cells(rectangle)
        return not (self._blocked[cells].any() or self._doorway[cells].any())

    def _paths_stay(self, rectangle: Rectangle) -> bool:
        """Whether a disc of PATH_RADIUS still reaches every door, and a third of the floor, with the piece there."""
        blocked = self._blocked.copy()
        blocked[self._cells(rectangle)] = True
        clearance = ndimage.distance_transform_edt(np.pad(~blocked, 1))[1:-1, 1:-1] * CELL
        label, _ = ndimage.label(clearance >= PATH_RADIUS)
        islands = {int(label[entry]) for entry in self._entries}
        if len(islands) != 1 or 0 in islands:
            return False
        return bool((label == islands.pop()).sum() >= 0.12 * blocked.size)

    def _put_coffee_table(self, side: str, sofa: Rectangle) -> None:
        piece = furniture.coffee_table(self._style, self._rng)
        start, end = _along(side, sofa)
        width, depth = sofa[2] - sofa[0], sofa[3] - sofa[1]
        near = WALL_GAP + (depth if side in ("north", "south") else width) + 0.35
        first = (start + end - piece.width) / 2
        spot = self._spot(side, first, first + piece.width, near, near + piece.depth)
        if self._fits(spot.rectangle) and self._paths_stay(spot.rectangle):
            self._mark(self._blocked, spot.rectangle)
            with (
                self._builder.placed((self._x0 + spot.origin[0], 0.0, self._z0 + spot.origin[1]), spot.yaw),
                self._builder.item(piece.name),
            ):
                piece.draw(self._builder)

    def _lay_rug(self, under: Rectangle, side: str | None) -> None:
        """A rug under and before a piece; it is flat, so it takes no floor."""
        grow = {"north": (0.2, -0.3, 0.2, 1.3), "south": (0.2, 1.3, 0.2, -0.3), "west": (-0.3, 0.2, 1.3, 0.2)}
        left, up, right, down = grow.get(side or "", (0.5, 0.5, 0.5, 0.5) if side is None else (1.3, 0.2, -0.3, 0.2))
        x0, z0 = max(0.1, under[0] - left), max(0.1, under[1] - up)
        x1, z1 = min(self._size["x"] - 0.1, under[2] + right), min(self._size["z"] - 0.1, under[3] + down)
        if x1 - x0 < 0.6 or z1 - z0 < 0.6 or self._doorway[self._cells((x0, z0, x1, z1))].mean() > 0.25:
            return
        surface = self._style.rug(int(self._rng.integers(5)))
        a, b, c, d, y = self._x0 + x0, self._z0 + z0, self._x0 + x1, self._z0 + z1, 0.012
        with self._builder.item("rug"):
            self._builder.quad([(a, y, d), (c, y, d), (c, y, b), (a, y, b)], surface, fit=True)

    def decorate(self, index: int) -> None:
        """Pictures on free stretches of wall, and curtains beside some windows."""
        for side in SIDES:
            length = self._size["x" if side in ("north", "south") else "z"]
            for _ in range(3):
                if self._rng.random() < (0.25 if self._room.kind == "bathroom" else 0.75):
                    self._hang_picture(side, length, index)
            if self._room.kind not in ("bathroom", "kitchen") and self._rng.random() < 0.7:
                self._hang_curtains(side, length)

    def _hang_picture(self, side: str, length: float, index: int) -> None:
        width, height = self._rng.uniform(0.4, 1.0), self._rng.uniform(0.4, 0.8)
        low = 1.75 - height / 2 - self._rng.uniform(0.0, 0.2)
        if length - width < 0.4:
            return
        start = self._rng.uniform(0.2, length - width - 0.2)
        for taken_start, taken_end, bottom, top in self._taken[side]:
            if (
                start < taken_end + 0.08
                and start + width > taken_start - 0.08
                and low < top + 0.08
                and low + height > bottom
            ):
                return
        self._taken[side].append((start, start + width, low, low + height))
        surface, frame = self._style.picture(int(self._rng.integers(8))), self._style.dark_metal()
        with self._on_wall(side, start, width), self._builder.item("picture"):
            self._builder.box((0, low, 0), (width, low + height, 0.025), frame, without=("-z",))
            z = 0.028
            corners = [(0, low, z), (width, low, z), (width, low + height, z), (0, low + height, z)]
            self._builder.quad(corners, surface, fit=True)

    def _hang_curtains(self, side: str, length: float) -> None:
        for taken_start, taken_end, bottom, top in list(self._taken[side]):
            if not 0.3 < bottom < 1.2 or top < 2.0:
                continue  # not a window
            for start in (taken_start - 0.2, taken_end - 0.12):
                end = start + 0.32
                blocked = any(
                    start < other_end and end > other_start and high > 0.2 and other_start != taken_start
                    for other_start, other_end, _, high in self._taken[side]
                )
                if start < 0.02 or end > length - 0.02 or blocked:
                    continue
                cloth, bar = self._style.curtain(), 0.08
                with self._on_wall(side, start, 0.32), self._builder.item("curtain"):
                    for k in range(4):
                        z = 0.03 + 0.03 * (k % 2)
                        self._builder.box((k * bar, 0.1, z), ((k + 1) * bar, top + 0.08, z + 0.025), cloth)

    def _on_wall(self, side: str, start: float, width: float) -> AbstractContextManager[None]:
        """A frame on the wall: x to the right along it, z out of it, its origin at the left end of the stretch."""
        end = start + width
        corner = {
            "north": (start, 0.0),
            "south": (end, self._size["z"]),
            "west": (0.0, end),
            "east": (self._size["x"], start),
        }[side]
        return self._builder.placed((self._x0 + corner[0], 0.0, self._z0 + corner[1]), _YAW[side])
