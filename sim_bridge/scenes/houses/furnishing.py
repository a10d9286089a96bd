"""Furnish the rooms of a plan, leaving doors free and a path of at least 0.8 m between all doors of a room."""

from __future__ import annotations

import math
from collections.abc import Sequence

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.houses.decoration import decorate, hang_radiators
from avw.sim_bridge.scenes.houses.floor_plan import FloorPlan
from avw.sim_bridge.scenes.houses.furniture import storage, tables
from avw.sim_bridge.scenes.houses.furniture.piece import LIFT, Piece, Rng, Top
from avw.sim_bridge.scenes.houses.furniture.table_tops import set_out
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.room_contents import EXTRAS, WISHES, Wish
from avw.sim_bridge.scenes.houses.room_floor import WALL_GAP, Rectangle, RoomFloor, Spot
from avw.sim_bridge.scenes.houses.style import Style
from avw.sim_bridge.scenes.scene import Light

_PIECES, _SPOTS = 3, 36  # draws of a piece, and of places for each, before the room goes without
_WARM = (1.0, 0.8, 0.56)


def furnish(builder: MeshBuilder, style: Style, plan: FloorPlan, seed: int) -> tuple[Light, ...]:
    """Fill every room of `plan`; each room draws from its own stream of randomness. Returns the lamps that stand."""
    lights: list[Light] = []
    for index, room in enumerate(plan.rooms):
        rng = keyed_rng(seed, "furniture", index)
        floor = RoomFloor(room, index, [o for o in plan.openings if index in o.rooms])
        filler = _RoomFiller(builder, style, floor, rng, lights)
        hang_radiators(builder, style, floor, rng)
        for wish in WISHES[room.kind]:
            if rng.random() < wish.chance:
                filler.place(wish)
        more = EXTRAS.get(room.kind, ())
        # Large rooms hold more: one draw for every 4 m² beyond the first 10.
        for _ in range(max(0, round((floor.width * floor.depth - 10.0) / 4.0)) if more else 0):
            filler.place(more[int(rng.integers(len(more)))])
        for spot, tops in decorate(builder, style, floor, plan.height, rng):
            with spot:
                filler.fill(tops)
    return tuple(lights)


class _RoomFiller:
    """Puts pieces on the floor of one room, and small things on the pieces."""

    def __init__(self, builder: MeshBuilder, style: Style, floor: RoomFloor, rng: Rng, lights: list[Light]) -> None:
        self._builder, self._style, self._floor, self._rng, self._lights = builder, style, floor, rng, lights
        self._has: set[str] = set()

    def place(self, wish: Wish) -> None:
        """Try a few pieces in many places; where none leaves the paths free, the room goes without."""
        # What a room cannot do without is tried harder.
        pieces, spots = (_PIECES, _SPOTS) if wish.chance < 1.0 else (3 * _PIECES, 2 * _SPOTS)
        for _ in range(pieces):
            piece = wish.make(self._style, self._rng)
            if piece.name in _ONE and piece.name in self._has:
                return
            for _ in range(spots):
                spot = (
                    self._floor.spot_in_middle(piece, self._rng)
                    if wish.where == "middle"
                    else self._floor.spot_at_wall(piece, wish.where, self._rng)
                )
                if spot is not None and self._floor.fits(spot):
                    self._put(piece, spot)
                    if wish.rug and self._rng.random() < 0.75:
                        self._lay_rug(spot.rectangle, spot.side)
                    if piece.name == "sofa" and spot.side is not None:
                        self._beside_sofa(spot)
                        self._before_sofa(spot)
                    return

    def _put(self, piece: Piece, spot: Spot) -> None:
        self._has.add(piece.name)
        self._floor.take(spot, piece.height)
        with self._floor.frame(self._builder, spot):
            with self._builder.item(piece.name):
                piece.draw(self._builder)
            self._shine(piece)
            self.fill(piece.tops)

    def fill(self, tops: Sequence[Top]) -> None:
        """Set small things on tops, in the frame of what the tops belong to."""
        for top in tops:
            for stood in set_out(self._style, self._rng, top):
                thing = stood.thing
                origin = (stood.x, top.y + LIFT, stood.z)
                if stood.turned:
                    origin = (stood.x + thing.width, top.y + LIFT, stood.z + thing.depth)
                with self._builder.placed(origin, math.pi if stood.turned else 0.0):
                    with self._builder.item(thing.name):
                        thing.draw(self._builder)
                    self._shine(thing)

    def _shine(self, piece: Piece) -> None:
        if piece.glow is not None:
            x, y, z, power = piece.glow
            at = self._builder.world((x, y, z))
            self._lights.append(Light(position_3=at, power_3=(power * _WARM[0], power * _WARM[1], power * _WARM[2])))

    def _beside_sofa(self, sofa: Spot) -> None:
        """A table before it, another beside it."""
        floor, side = self._floor, sofa.side or ""
        x0, z0, x1, z1 = sofa.rectangle
        along_x = side in ("north", "south")
        start, end = (x0, x1) if along_x else (z0, z1)
        deep = z1 - z0 if along_x else x1 - x0
        table = tables.coffee_table(self._style, self._rng)
        for piece, first, near in (
            (table, (start + end - table.width) / 2, WALL_GAP + deep + 0.32),
            (tables.side_table(self._style, self._rng), end + 0.03, WALL_GAP),
        ):
            if piece is not table and self._rng.random() < 0.5:
                continue
            spot = floor.spot_at(piece, side, first, near)
            if spot is not None and floor.fits(spot):
                self._put(piece, spot)

    def _before_sofa(self, sofa: Spot) -> None:
        """A television on the opposite wall, where the sitters look."""
        floor, side = self._floor, _OPPOSITE[sofa.side or "north"]
        if self._floor.room.kind == "reception" or self._rng.random() < 0.2:
            return
        x0, z0, x1, z1 = sofa.rectangle
        middle = (x0 + x1) / 2 if side in ("north", "south") else (z0 + z1) / 2
        piece = storage.tv_stand(self._style, self._rng)
        for shift in (0.0, 0.4, -0.4, 0.8, -0.8):
            start = middle - piece.width / 2 + shift
            if start < WALL_GAP or start + piece.width > floor.length(side) - WALL_GAP:
                continue
            spot = floor.spot_at(piece, side, start)
            if spot is not None and floor.fits(spot):
                self._put(piece, spot)
                return

    def _lay_rug(self, under: Rectangle, side: str | None) -> None:
        """A rug under and before a piece; it is flat, so it takes no floor. Two never overlap."""
        floor = self._floor
        grow = {"north": (0.2, -0.3, 0.2, 1.3), "south": (0.2, 1.3, 0.2, -0.3), "west": (-0.3, 0.2, 1.3, 0.2)}
        left, up, right, down = grow.get(side or "", (0.5, 0.5, 0.5, 0.5) if side is None else (1.3, 0.2, -0.3, 0.2))
        x0, z0 = max(0.1, under[0] - left), max(0.1, under[1] - up)
        x1, z1 = min(floor.width - 0.1, under[2] + right), min(floor.depth - 0.1, under[3] + down)
        if x1 - x0 < 0.6 or z1 - z0 < 0.6 or floor.doors_share((x0, z0, x1, z1)) > 0.4:
            return
        if any(x0 < r[2] and r[0] < x1 and z0 < r[3] and r[1] < z1 for r in floor.rugs):
            return
        floor.rugs.append((x0, z0, x1, z1))
        a, b, c, d, y = floor.x0 + x0, floor.z0 + z0, floor.x0 + x1, floor.z0 + z1, 0.012
        look = self._style.rug(int(self._rng.integers(6)))
        with self._builder.item("rug"):
            self._builder.quad([(a, y, d), (c, y, d), (c, y, b), (a, y, b)], look, fit=True)
            self._builder.box((a, 0, b), (c, y, d), look, without=("-y", "+y"))


_OPPOSITE = {"north": "south", "south": "north", "west": "east", "east": "west"}
_ONE = ("tv stand", "sofa", "fireplace", "piano", "kitchen island", "bed", "bunk bed", "dining table", "fridge", "toy")
