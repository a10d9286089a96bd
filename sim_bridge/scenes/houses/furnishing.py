"""Furnish the rooms of a plan. Doors stay free, and so does a path at least 0.8 m wide between all doors of a room."""

from __future__ import annotations

import math
from collections.abc import Sequence

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.houses.decoration import decorate, hang_radiators
from avw.sim_bridge.scenes.houses.floor_plan import FloorPlan
from avw.sim_bridge.scenes.houses.furniture import storage, tables
from avw.sim_bridge.scenes.houses.furniture.piece import LIFT, Piece, Rng, Top
from avw.sim_bridge.scenes.houses.furniture.table_tops import place_items
from avw.sim_bridge.scenes.houses.mesh_builder import MeshBuilder
from avw.sim_bridge.scenes.houses.room_contents import EXTRA_FURNITURE, ROOM_FURNITURE, Candidate
from avw.sim_bridge.scenes.houses.room_floor import WALL_GAP, Rectangle, RoomFloor, Spot
from avw.sim_bridge.scenes.houses.style import Style
from avw.sim_bridge.scenes.scene import Light

_PIECE_DRAWS, _SPOT_DRAWS = 3, 36  # attempts: pieces per candidate, places per piece
_WARM_LIGHT = (1.0, 0.8, 0.56)


def furnish(builder: MeshBuilder, style: Style, plan: FloorPlan, seed: int) -> tuple[Light, ...]:
    """Furnish every room of `plan`. Returns the lights of the floor and table lamps.

    Each room draws from its own random stream, so that a change in one room does not change the others.
    """
    lights: list[Light] = []
    for index, room in enumerate(plan.rooms):
        rng = keyed_rng(seed, "furniture", index)
        floor = RoomFloor(room, index, [o for o in plan.openings if index in o.rooms])
        filler = _RoomFiller(builder, style, floor, rng, lights)
        hang_radiators(builder, style, floor, rng)
        for candidate in ROOM_FURNITURE[room.kind]:
            if rng.random() < candidate.chance:
                filler.place(candidate)
        extra = EXTRA_FURNITURE.get(room.kind, ())
        # Large rooms get more furniture: one more attempt per 4 m² beyond the first 10 m².
        for _ in range(max(0, round((floor.width * floor.depth - 10.0) / 4.0)) if extra else 0):
            filler.place(extra[int(rng.integers(len(extra)))])
        for spot, tops in decorate(builder, style, floor, plan.height, rng):
            with spot:
                filler.fill(tops)
    return tuple(lights)


class _RoomFiller:
    """Places pieces on the floor of one room, and small items on the pieces."""

    def __init__(self, builder: MeshBuilder, style: Style, floor: RoomFloor, rng: Rng, lights: list[Light]) -> None:
        self._builder, self._style, self._floor, self._rng, self._lights = builder, style, floor, rng, lights
        self._placed_names: set[str] = set()

    def place(self, candidate: Candidate) -> None:
        """Try several pieces in many places. If none of them keeps the paths free, nothing is placed."""
        # Pieces that every room of a kind needs get more attempts.
        pieces, spots = (_PIECE_DRAWS, _SPOT_DRAWS) if candidate.chance < 1.0 else (3 * _PIECE_DRAWS, 2 * _SPOT_DRAWS)
        for _ in range(pieces):
            piece = candidate.make(self._style, self._rng)
            if piece.name in _ONE_PER_ROOM and piece.name in self._placed_names:
                return
            for _ in range(spots):
                spot = (
                    self._floor.spot_in_middle(piece, self._rng)
                    if candidate.where == "middle"
                    else self._floor.spot_at_wall(piece, candidate.where, self._rng)
                )
                if spot is not None and self._floor.fits(spot):
                    self._place_at(piece, spot)
                    if candidate.rug and self._rng.random() < 0.75:
                        self._add_rug(spot.rectangle, spot.side)
                    if piece.name == "sofa" and spot.side is not None:
                        self._add_sofa_tables(spot)
                        self._add_television(spot)
                    return

    def _place_at(self, piece: Piece, spot: Spot) -> None:
        self._placed_names.add(piece.name)
        self._floor.occupy(spot, piece.height)
        with self._floor.frame(self._builder, spot):
            with self._builder.item(piece.name):
                piece.draw(self._builder)
            self._add_light(piece)
            self.fill(piece.tops)

    def fill(self, tops: Sequence[Top]) -> None:
        """Place small items on `tops`. The builder must be in the frame of the piece that the tops belong to."""
        for top in tops:
            for placed in place_items(self._style, self._rng, top):
                item = placed.item
                origin = (placed.x, top.y + LIFT, placed.z)
                if placed.turned:
                    origin = (placed.x + item.width, top.y + LIFT, placed.z + item.depth)
                with self._builder.placed(origin, math.pi if placed.turned else 0.0):
                    with self._builder.item(item.name):
                        item.draw(self._builder)
                    self._add_light(item)

    def _add_light(self, piece: Piece) -> None:
        if piece.glow is not None:
            x, y, z, power = piece.glow
            at = self._builder.world((x, y, z))
            red, green, blue = _WARM_LIGHT
            self._lights.append(Light(position_3=at, power_3=(power * red, power * green, power * blue)))

    def _add_sofa_tables(self, sofa: Spot) -> None:
        """Place a coffee table in front of the sofa and, in half of the cases, a side table beside it."""
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
                self._place_at(piece, spot)

    def _add_television(self, sofa: Spot) -> None:
        """Place a television against the opposite wall, in view of the sofa.

        Receptions never have one; other rooms go without in 20 % of the cases.
        """
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
                self._place_at(piece, spot)
                return

    def _add_rug(self, under: Rectangle, side: str | None) -> None:
        """Lay a rug under a piece and in front of it.

        A rug is flat, so it does not block the floor. Rugs never overlap.
        """
        floor = self._floor
        grow = {"north": (0.2, -0.3, 0.2, 1.3), "south": (0.2, 1.3, 0.2, -0.3), "west": (-0.3, 0.2, 1.3, 0.2)}
        left, up, right, down = grow.get(side or "", (0.5, 0.5, 0.5, 0.5) if side is None else (1.3, 0.2, -0.3, 0.2))
        x0, z0 = max(0.1, under[0] - left), max(0.1, under[1] - up)
        x1, z1 = min(floor.width - 0.1, under[2] + right), min(floor.depth - 0.1, under[3] + down)
        if x1 - x0 < 0.6 or z1 - z0 < 0.6 or floor.reserved_share((x0, z0, x1, z1)) > 0.4:
            return
        if any(x0 < r[2] and r[0] < x1 and z0 < r[3] and r[1] < z1 for r in floor.rugs):
            return
        floor.rugs.append((x0, z0, x1, z1))
        a, b, c, d, y = floor.x0 + x0, floor.z0 + z0, floor.x0 + x1, floor.z0 + z1, 0.012
        surface = self._style.rug(int(self._rng.integers(6)))
        with self._builder.item("rug"):
            self._builder.quad([(a, y, d), (c, y, d), (c, y, b), (a, y, b)], surface, fit=True)
            self._builder.box((a, 0, b), (c, y, d), surface, without=("-y", "+y"))


_OPPOSITE = {"north": "south", "south": "north", "west": "east", "east": "west"}
_ONE_PER_ROOM = (
    "tv stand",
    "sofa",
    "fireplace",
    "piano",
    "kitchen island",
    "bed",
    "bunk bed",
    "dining table",
    "fridge",
    "toy",
)
