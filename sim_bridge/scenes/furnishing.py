"""Furnish the rooms of a plan, leaving doors free and a path of at least 0.8 m between all doors of a room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sim_bridge.randomness import keyed_rng
from sim_bridge.scenes import bedroom_furniture as bedroom
from sim_bridge.scenes import fixtures, furniture
from sim_bridge.scenes.floor_plan import FloorPlan, Opening
from sim_bridge.scenes.furniture import Piece, Rng
from sim_bridge.scenes.house_shell import inner_rectangle, wall_side
from sim_bridge.scenes.mesh_builder import MeshBuilder
from sim_bridge.scenes.scene import Room
from sim_bridge.scenes.style import Style

CELL = 0.05  # metres
PATH_RADIUS = 0.4  # half of the narrowest path
DOOR_DEPTH = 0.85  # free floor in front of a door
WALL_GAP = 0.02  # furniture stands just off the skirting board
SIDES = ("north", "south", "west", "east")
_YAW = {"north": 0.0, "south": np.pi, "west": np.pi / 2, "east": 1.5 * np.pi}

Maker = Callable[[Style, Rng], Piece]


@dataclass(frozen=True, slots=True)
class _Wish:
    """A piece that a kind of room may hold: at the wall ("wall"), in a corner or free on the floor ("middle")."""

    make: Maker
    where: str = "wall"
    chance: float = 1.0
    rug: bool = False


_ROOMS: dict[str, tuple[_Wish, ...]] = {
    "living": (
        _Wish(furniture.sofa, rug=True),
        _Wish(furniture.tv_stand, chance=0.85),
        _Wish(furniture.bookshelf, chance=0.75),
        _Wish(furniture.armchair, "corner", 0.7),
        _Wish(lambda s, r: furniture.dining_set(s, r, 4), "middle", 0.45),
        _Wish(furniture.sideboard, chance=0.5),
        _Wish(furniture.floor_lamp, "corner", 0.8),
        _Wish(furniture.plant, "corner", 0.8),
        _Wish(furniture.bookshelf, chance=0.4),
        _Wish(furniture.plant, "corner", 0.4),
    ),
    "kitchen": (
        _Wish(lambda s, r: fixtures.kitchen_counter(s, r, float(r.uniform(1.9, 3.0)))),
        _Wish(fixtures.fridge, "corner"),
        _Wish(lambda s, r: furniture.dining_set(s, r, int(r.choice([2, 4]))), "middle", 0.85),
        _Wish(lambda s, r: fixtures.kitchen_counter(s, r, float(r.uniform(1.4, 1.9))), chance=0.4),
        _Wish(furniture.sideboard, chance=0.4),
        _Wish(furniture.plant, "corner", 0.35),
    ),
    "dining": (
        _Wish(lambda s, r: furniture.dining_set(s, r, int(r.choice([4, 6, 8]))), "middle", rug=True),
        _Wish(furniture.sideboard),
        _Wish(furniture.bookshelf, chance=0.4),
        _Wish(furniture.plant, "corner", 0.8),
        _Wish(furniture.floor_lamp, "corner", 0.5),
        _Wish(furniture.console_table, chance=0.4),
    ),
    "bedroom": (
        _Wish(bedroom.bed, rug=True),
        _Wish(bedroom.wardrobe),
        _Wish(bedroom.dresser, chance=0.6),
        _Wish(furniture.desk_set, chance=0.4),
        _Wish(furniture.armchair, "corner", 0.35),
        _Wish(furniture.plant, "corner", 0.4),
        _Wish(furniture.floor_lamp, "corner", 0.3),
    ),
    "bathroom": (
        _Wish(fixtures.bathtub, chance=0.65),
        _Wish(fixtures.washbasin),
        _Wish(fixtures.toilet),
        _Wish(fixtures.shower, "corner", 0.6),
        _Wish(fixtures.washing_machine, "corner", 0.6),
        _Wish(furniture.plant, "corner", 0.25),
    ),
    "study": (
        _Wish(furniture.desk_set, rug=True),
        _Wish(furniture.bookshelf),
        _Wish(furniture.bookshelf, chance=0.8),
        _Wish(furniture.armchair, "corner", 0.6),
        _Wish(furniture.sideboard, chance=0.4),
        _Wish(furniture.floor_lamp, "corner", 0.6),
        _Wish(furniture.plant, "corner", 0.6),
    ),
    "playroom": (
        _Wish(bedroom.toy_shelf),
        _Wish(bedroom.toy_blocks, "middle", rug=True),
        _Wish(bedroom.beanbag, "corner", 0.9),
        _Wish(bedroom.bed, chance=0.5),
        _Wish(furniture.desk_set, chance=0.5),
        _Wish(bedroom.beanbag, "corner", 0.5),
        _Wish(bedroom.toy_shelf, chance=0.4),
        _Wish(furniture.bookshelf, chance=0.5),
    ),
    "hall": (
        _Wish(bedroom.coat_rack, chance=0.8),
        _Wish(furniture.console_table, chance=0.8),
        _Wish(furniture.plant, "corner", 0.6),
        _Wish(furniture.bookshelf, chance=0.3),
    ),
}


def furnish(builder: MeshBuilder, style: Style, plan: FloorPlan, seed: int) -> None:
    """Fill every room of `plan`; each room draws from its own stream of randomness."""
    for index, room in enumerate(plan.rooms):
        rng = keyed_rng(seed, "furniture", index)
        openings = [o for o in plan.openings if index in o.rooms]
        filler = _RoomFiller(builder, style, room, openings, plan.height, rng)
        for wish in _ROOMS[room.kind]:
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
        offset = self._x0 if opening.axis == "x" else self._z0
        start, end = opening.start - offset, opening.end - offset
        self._taken[side].append((start - 0.1, end + 0.1, opening.bottom, opening.top + 0.1))
        if opening.kind == "window":
            return
        self._mark(self._doorway, self._rectangle(side, start - 0.05, end + 0.05, 0.0, DOOR_DEPTH))
        x, z, _, _ = self._rectangle(side, (start + end) / 2, (start + end) / 2, PATH_RADIUS + 0.06, 0.5)
        rows, columns = self._blocked.shape
        self._entries.append((min(int(z / CELL), rows - 1), min(int(x / CELL), columns - 1)))

    def _rectangle(
        self, side: str, start: float, end: float, near: float, far: float
    ) -> tuple[float, float, float, float]:
        """(min_x, min_z, max_x, max_z) in room coordinates of a strip along a wall, `near`..`far` metres from it."""
        width, depth = self._size["x"], self._size["z"]
        return {
            "north": (start, near, end, far),
            "south": (start, depth - far, end, depth - near),
            "west": (near, start, far, end),
            "east": (width - far, start, width - near, end),
        }[side]

    def _cells(self, rectangle: tuple[float, float, float, float]) -> tuple[slice, slice]:
        x0, z0, x1, z1 = rectangle
        rows = slice(max(0, int(np.floor(z0 / CELL + 1e-6))), max(0, int(np.ceil(z1 / CELL - 1e-6))))
        columns = slice(max(0, int(np.floor(x0 / CELL + 1e-6))), max(0, int(np.ceil(x1 / CELL - 1e-6))))
        return rows, columns

    def _mark(self, grid: np.ndarray, rectangle: tuple[float, float, float, float]) -> None:
        grid[self._cells(rectangle)] = True

    def place(self, wish: _Wish) -> None:
        """Try a few places for the piece; where none leaves the paths free, the room goes without it."""
        piece = wish.make(self._style, self._rng)
        for _ in range(40):
            spot = self._spot_in_middle(piece) if wish.where == "middle" else self._spot_at_wall(piece, wish.where)
            if spot is None:
                continue
            rectangle, origin, yaw, side = spot
            if not self._fits(rectangle) or not self._paths_stay(rectangle):
                continue
            self._mark(self._blocked, rectangle)
            with self._builder.placed((self._x0 + origin[0], 0.0, self._z0 + origin[1]), yaw):
                piece.draw(self._builder)
            if side is not None:
                start, end = (
                    (rectangle[0], rectangle[2]) if side in ("north", "south") else (rectangle[1], rectangle[3])
                )
                self._taken[side].append((start, end, 0.0, piece.height))
            if wish.rug and self._rng.random() < 0.75:
                self._lay_rug(rectangle, side)
            if piece.name == "sofa" and side is not None:
                self._coffee_table(side, rectangle)
            return

    def _spot_at_wall(self, piece: Piece, where: str) -> tuple | None:
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
        rectangle = self._rectangle(side, start, end, WALL_GAP, WALL_GAP + piece.depth)
        corner = {
            "north": (rectangle[0], rectangle[1]),
            "south": (rectangle[2], rectangle[3]),
            "west": (rectangle[0], rectangle[3]),
            "east": (rectangle[2], rectangle[1]),
        }[side]
        return rectangle, corner, _YAW[side], side

    def _spot_in_middle(self, piece: Piece) -> tuple | None:
        turned = self._rng.random() < 0.5
        width, depth = (piece.depth, piece.width) if turned else (piece.width, piece.depth)
        room_x, room_z = self._size["x"] - width, self._size["z"] - depth
        if min(room_x, room_z) < 0.1:
            return None
        x, z = room_x * self._rng.uniform(0.05, 0.95), room_z * self._rng.uniform(0.05, 0.95)
        origin = (x, z + depth) if turned else (x, z)
        return (x, z, x + width, z + depth), origin, np.pi / 2 if turned else 0.0, None

    def _fits(self, rectangle: tuple[float, float, float, float]) -> bool:
        if min(rectangle[:2]) < 0 or rectangle[2] > self._size["x"] or rectangle[3] > self._size["z"]:
            return False
        cells = self._cells(rectangle)
        return not (self._blocked[cells].any() or self._doorway[cells].any())

    def _paths_stay(self, rectangle: tuple[float, float, float, float]) -> bool:
        """Whether a disc of PATH_RADIUS still reaches every door, and a third of the floor, with the piece there."""
        blocked = self._blocked.copy()
        blocked[self._cells(rectangle)] = True
        clearance = ndimage.distance_transform_edt(np.pad(~blocked, 1))[1:-1, 1:-1] * CELL
        label, _ = ndimage.label(clearance >= PATH_RADIUS)
        islands = {int(label[entry]) for entry in self._entries}
        if len(islands) != 1 or 0 in islands:
            return False
        return bool((label == islands.pop()).sum() >= 0.12 * blocked.size)

    def _coffee_table(self, side: str, sofa: tuple[float, float, float, float]) -> None:
        piece = furniture.coffee_table(self._style, self._rng)
        start, end = (sofa[0], sofa[2]) if side in ("north", "south") else (sofa[1], sofa[3])
        depth = (sofa[3] - sofa[1]) if side in ("north", "south") else (sofa[2] - sofa[0])
        first, near = (start + end - piece.width) / 2, WALL_GAP + depth + 0.35
        rectangle = self._rectangle(side, first, first + piece.width, near, near + piece.depth)
        corner = {
            "north": (rectangle[0], rectangle[1]),
            "south": (rectangle[2], rectangle[3]),
            "west": (rectangle[0], rectangle[3]),
            "east": (rectangle[2], rectangle[1]),
        }[side]
        if self._fits(rectangle) and self._paths_stay(rectangle):
            self._mark(self._blocked, rectangle)
            with self._builder.placed((self._x0 + corner[0], 0.0, self._z0 + corner[1]), _YAW[side]):
                piece.draw(self._builder)

    def _lay_rug(self, under: tuple[float, float, float, float], side: str | None) -> None:
        """A rug under and before a piece; it is flat, so it takes no floor."""
        grow = {"north": (0.2, -0.3, 0.2, 1.3), "south": (0.2, 1.3, 0.2, -0.3), "west": (-0.3, 0.2, 1.3, 0.2)}
        left, up, right, down = grow.get(side or "", (0.5, 0.5, 0.5, 0.5) if side is None else (1.3, 0.2, -0.3, 0.2))
        x0, z0 = max(0.1, under[0] - left), max(0.1, under[1] - up)
        x1, z1 = min(self._size["x"] - 0.1, under[2] + right), min(self._size["z"] - 0.1, under[3] + down)
        if x1 - x0 < 0.6 or z1 - z0 < 0.6 or self._doorway[self._cells((x0, z0, x1, z1))].mean() > 0.25:
            return
        surface = self._style.rug(int(self._rng.integers(5)))
        a, b, c, d, y = self._x0 + x0, self._z0 + z0, self._x0 + x1, self._z0 + z1, 0.012
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
        with self._on_wall(side, start, width):
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
                with self._on_wall(side, start, 0.32):
                    for k in range(4):
                        z = 0.03 + 0.03 * (k % 2)
                        self._builder.box((k * bar, 0.1, z), ((k + 1) * bar, top + 0.08, z + 0.025), cloth)

    def _on_wall(self, side: str, start: float, width: float):
        """A frame on the wall: x to the right along it, z out of it, its origin at the left end of the stretch."""
        end = start + width
        corner = {
            "north": (start, 0.0),
            "south": (end, self._size["z"]),
            "west": (0.0, end),
            "east": (self._size["x"], start),
        }[side]
        return self._builder.placed((self._x0 + corner[0], 0.0, self._z0 + corner[1]), _YAW[side])
