"""The furniture of each kind of room, in the order in which it is placed, and the items on its walls."""

from __future__ import annotations

from dataclasses import dataclass

from avw.sim_bridge.scenes.houses.furniture import bathroom, bedroom, kitchen, living, office, seating, storage, tables
from avw.sim_bridge.scenes.houses.furniture import wall_items as walls
from avw.sim_bridge.scenes.houses.furniture.piece import Maker
from avw.sim_bridge.scenes.houses.furniture.wall_items import WallItemMaker


@dataclass(frozen=True, slots=True)
class Candidate:
    """A piece of furniture that a kind of room may contain.

    where: "wall", "corner" or "middle" (anywhere on the floor) · chance: probability that placing it is tried
    rug: whether a rug may lie under it
    """

    make: Maker
    where: str = "wall"
    chance: float = 1.0
    rug: bool = False


_LIVING_ROOM = (
    Candidate(seating.corner_sofa, "corner", 0.35, rug=True),
    Candidate(seating.sofa, rug=True),
    Candidate(storage.tv_stand, chance=0.85),
    Candidate(storage.bookshelf, chance=0.75),
    Candidate(living.fireplace, chance=0.25),
    Candidate(seating.armchair, "corner", 0.7),
    Candidate(living.piano, chance=0.2),
    Candidate(storage.sideboard, chance=0.6),
    Candidate(living.floor_lamp, "corner", 0.8),
    Candidate(living.plant, "corner", 0.8),
    Candidate(storage.cube_shelf, chance=0.4),
    Candidate(tables.side_table, "corner", 0.4),
    Candidate(storage.bookshelf, chance=0.4),
    Candidate(seating.ottoman, "middle", 0.4),
    Candidate(living.speaker, "corner", 0.35),
    Candidate(living.plant, "corner", 0.5),
    Candidate(seating.armchair, "corner", 0.4),
    Candidate(tables.console_table, chance=0.4),
    Candidate(storage.sideboard, chance=0.4),
    Candidate(seating.beanbag, "corner", 0.2),
)
_KITCHEN_UNITS = (
    Candidate(kitchen.kitchen_run((1.8, 3.8))),
    Candidate(kitchen.fridge),
)
ROOM_FURNITURE: dict[str, tuple[Candidate, ...]] = {
    "living": (
        *_LIVING_ROOM,
        Candidate(tables.dining_table(4), "middle", 0.4),
        Candidate(storage.display_cabinet, chance=0.3),
    ),
    "living kitchen": (
        *_KITCHEN_UNITS,
        Candidate(kitchen.pantry, "corner", 0.5),
        Candidate(tables.kitchen_island, "middle", 0.5),
        *_LIVING_ROOM[:6],
        Candidate(tables.dining_table(4), "middle", 0.9),
        *_LIVING_ROOM[7:13],
        Candidate(kitchen.bin_, "corner", 0.6),
    ),
    "kitchen": (
        *_KITCHEN_UNITS,
        Candidate(kitchen.pantry, "corner", 0.5),
        Candidate(kitchen.kitchen_run((1.2, 2.4), cooking=False), chance=0.5),
        Candidate(tables.kitchen_island, "middle", 0.3),
        Candidate(tables.dining_table(2), "middle", 0.7),
        Candidate(storage.sideboard, chance=0.3),
        Candidate(kitchen.bin_, "corner", 0.8),
        Candidate(living.plant, "corner", 0.35),
    ),
    "dining": (
        Candidate(tables.dining_table(6), "middle", 0.7, rug=True),
        Candidate(tables.dining_table(4), "middle", rug=True),
        Candidate(tables.dining_table(2), "middle"),
        Candidate(storage.sideboard),
        Candidate(storage.display_cabinet, chance=0.6),
        Candidate(living.plant, "corner", 0.8),
        Candidate(living.floor_lamp, "corner", 0.4),
        Candidate(tables.console_table, chance=0.4),
        Candidate(living.fireplace, chance=0.15),
    ),
    "bedroom": (
        Candidate(bedroom.bed("double"), chance=0.85, rug=True),
        Candidate(bedroom.bed("single"), rug=True),
        Candidate(storage.wardrobe),
        Candidate(storage.dresser, chance=0.6),
        Candidate(bedroom.vanity, chance=0.35),
        Candidate(tables.desk, chance=0.3),
        Candidate(seating.armchair, "corner", 0.4),
        Candidate(bathroom.laundry_basket, "corner", 0.4),
        Candidate(living.plant, "corner", 0.4),
        Candidate(living.floor_lamp, "corner", 0.3),
        Candidate(bedroom.cot, chance=0.15),
        Candidate(seating.bench, chance=0.2),
    ),
    "child room": (
        Candidate(bedroom.bunk_bed, "corner", 0.4),
        Candidate(bedroom.bed("single")),
        Candidate(storage.wardrobe, chance=0.7),
        Candidate(bedroom.toy_shelf),
        Candidate(tables.desk, chance=0.5),
        Candidate(bedroom.play_table, "middle", 0.45),
        Candidate(bedroom.toy_blocks, "middle", 0.8, rug=True),
        Candidate(bedroom.tent, "corner", 0.45),
        Candidate(seating.beanbag, "corner", 0.6),
        Candidate(storage.bookshelf, chance=0.4),
        Candidate(bedroom.toy_shelf, chance=0.4),
    ),
    "study": (
        Candidate(tables.desk, rug=True),
        Candidate(storage.bookshelf),
        Candidate(storage.bookshelf, chance=0.8),
        Candidate(seating.armchair, "corner", 0.6),
        Candidate(living.piano, chance=0.2),
        Candidate(office.filing_cabinet, chance=0.5),
        Candidate(storage.sideboard, chance=0.3),
        Candidate(living.floor_lamp, "corner", 0.6),
        Candidate(living.plant, "corner", 0.6),
        Candidate(kitchen.bin_, "corner", 0.5),
    ),
    "bathroom": (
        Candidate(bathroom.toilet),
        Candidate(bathroom.washbasin),
        Candidate(bathroom.bathtub, chance=0.7),
        Candidate(bathroom.shower, "corner", 0.7),
        Candidate(bathroom.bath_cabinet, "corner", 0.4),
        Candidate(bathroom.washing_machine, "corner", 0.4),
        Candidate(bathroom.laundry_basket, "corner", 0.4),
        Candidate(kitchen.bin_, "corner", 0.4),
        Candidate(living.plant, "corner", 0.15),
    ),
    "toilet": (
        Candidate(bathroom.toilet),
        Candidate(bathroom.hand_basin, chance=0.9),
        Candidate(kitchen.bin_, "corner", 0.4),
    ),
    "laundry": (
        Candidate(bathroom.washing_machine),
        Candidate(bathroom.washing_machine, chance=0.5),
        Candidate(bathroom.drying_rack, "middle", 0.5),
        Candidate(storage.metal_shelf, chance=0.6),
        Candidate(bathroom.laundry_basket, "corner", 0.8),
        Candidate(living.ironing_board, chance=0.6),
    ),
    "storage": (
        Candidate(storage.metal_shelf),
        Candidate(storage.metal_shelf, chance=0.7),
        Candidate(living.storage_boxes, "corner", 0.7),
        Candidate(living.ladder, chance=0.5),
        Candidate(living.storage_boxes, "corner", 0.4),
    ),
    "hallway": (
        Candidate(storage.coat_rack, chance=0.8),
        Candidate(storage.shoe_rack, chance=0.6),
        Candidate(tables.console_table, chance=0.6),
        Candidate(seating.bench, chance=0.3),
        Candidate(living.umbrella_stand, "corner", 0.4),
        Candidate(living.plant, "corner", 0.4),
    ),
    "open office": (
        *(Candidate(tables.workstations, "middle") for _ in range(6)),
        Candidate(office.filing_cabinet),
        Candidate(storage.bookshelf, chance=0.5),
        Candidate(office.filing_cabinet, chance=0.7),
        Candidate(office.printer, chance=0.6),
        Candidate(office.partition, "middle", 0.6),
        Candidate(living.plant, "corner", 0.9),
        Candidate(office.lockers, chance=0.4),
        Candidate(living.plant, "corner", 0.7),
        Candidate(office.flip_chart, "corner", 0.3),
        Candidate(kitchen.bin_, "corner", 0.8),
    ),
    "reception": (
        Candidate(tables.reception_desk, "middle"),
        Candidate(seating.sofa, chance=0.8),
        Candidate(seating.armchair, "corner", 0.6),
        Candidate(tables.side_table, "corner", 0.5),
        Candidate(living.plant, "corner", 0.9),
        Candidate(office.water_cooler, chance=0.6),
        Candidate(living.plant, "corner", 0.6),
    ),
    "office": (
        Candidate(tables.desk, rug=True),
        Candidate(office.filing_cabinet),
        Candidate(storage.bookshelf, chance=0.7),
        Candidate(seating.visitor_chair, chance=0.7),
        Candidate(seating.armchair, "corner", 0.3),
        Candidate(living.plant, "corner", 0.7),
        Candidate(kitchen.bin_, "corner", 0.7),
        Candidate(living.floor_lamp, "corner", 0.3),
    ),
    "meeting room": (
        Candidate(tables.meeting_table, "middle"),
        Candidate(storage.sideboard, chance=0.6),
        Candidate(office.flip_chart, "corner", 0.6),
        Candidate(living.plant, "corner", 0.7),
        Candidate(kitchen.bin_, "corner", 0.4),
    ),
    "break room": (
        Candidate(kitchen.kitchen_run((1.8, 3.0))),
        Candidate(kitchen.fridge),
        Candidate(tables.bistro_table, "middle"),
        Candidate(tables.bistro_table, "middle", 0.7),
        Candidate(kitchen.vending_machine, chance=0.5),
        Candidate(office.water_cooler, chance=0.5),
        Candidate(seating.sofa, chance=0.3),
        Candidate(kitchen.bin_, "corner", 0.9),
        Candidate(living.plant, "corner", 0.6),
    ),
    "copy room": (
        Candidate(office.printer),
        Candidate(storage.metal_shelf),
        Candidate(office.filing_cabinet, chance=0.7),
        Candidate(office.server_rack, chance=0.5),
        Candidate(living.storage_boxes, "corner", 0.6),
    ),
    "restroom": (
        Candidate(bathroom.washbasin),
        Candidate(bathroom.toilet),
        Candidate(bathroom.toilet, chance=0.6),
        Candidate(bathroom.hand_basin, chance=0.3),
        Candidate(kitchen.bin_, "corner", 0.8),
    ),
}

_HOME_EXTRAS = (
    Candidate(living.plant, "corner"),
    Candidate(living.floor_lamp, "corner"),
    Candidate(seating.armchair),
    Candidate(storage.bookshelf),
    Candidate(storage.sideboard),
    Candidate(tables.side_table, "corner"),
    Candidate(storage.cube_shelf),
    Candidate(seating.ottoman, "middle"),
    Candidate(tables.console_table),
)
_OFFICE_EXTRAS = (
    Candidate(tables.workstations, "middle"),
    Candidate(office.filing_cabinet),
    Candidate(living.plant, "corner"),
    Candidate(storage.bookshelf),
    Candidate(office.partition, "middle"),
    Candidate(tables.bistro_table, "middle"),
)
# Further candidates for rooms that are larger than most of their kind.
EXTRA_FURNITURE: dict[str, tuple[Candidate, ...]] = {
    "living": (*_HOME_EXTRAS, Candidate(storage.display_cabinet), Candidate(living.speaker, "corner")),
    "living kitchen": (*_HOME_EXTRAS, Candidate(storage.display_cabinet)),
    "dining": _HOME_EXTRAS,
    "kitchen": (
        Candidate(storage.sideboard),
        Candidate(living.plant, "corner"),
        Candidate(storage.metal_shelf),
        Candidate(storage.cube_shelf),
    ),
    "bedroom": (Candidate(storage.dresser), Candidate(seating.bench), Candidate(seating.ottoman), *_HOME_EXTRAS[:5]),
    "child room": (
        Candidate(bedroom.toy_shelf),
        Candidate(seating.beanbag),
        Candidate(storage.cube_shelf),
        Candidate(bedroom.toy_blocks, "middle"),
    ),
    "study": _HOME_EXTRAS,
    "hallway": (
        Candidate(living.plant, "corner"),
        Candidate(tables.console_table),
        Candidate(storage.bookshelf),
        Candidate(seating.bench),
    ),
    "open office": _OFFICE_EXTRAS,
    "reception": (
        Candidate(seating.armchair),
        Candidate(living.plant, "corner"),
        Candidate(tables.side_table, "corner"),
    ),
    "office": (
        Candidate(office.filing_cabinet),
        Candidate(living.plant, "corner"),
        Candidate(storage.bookshelf),
        Candidate(seating.visitor_chair),
    ),
    "meeting room": (Candidate(living.plant, "corner"), Candidate(storage.sideboard), Candidate(seating.visitor_chair)),
    "break room": (
        Candidate(living.plant, "corner"),
        Candidate(tables.bistro_table, "middle"),
        Candidate(office.lockers),
    ),
}

_HOME_WALLS: tuple[WallItemMaker, ...] = (
    walls.picture,
    walls.picture,
    walls.picture,
    walls.wall_shelf,
    walls.clock,
    walls.mirror,
)
_OFFICE_WALLS: tuple[WallItemMaker, ...] = (
    walls.picture,
    walls.whiteboard,
    walls.clock,
    walls.notice_board,
    walls.acoustic_panel,
)
WALL_ITEMS: dict[str, tuple[WallItemMaker, ...]] = {
    "living": (*_HOME_WALLS[:5], walls.wall_lamp),
    "living kitchen": _HOME_WALLS[:5],
    "kitchen": (walls.wall_shelf, walls.clock, walls.picture),
    "dining": (walls.picture, walls.picture, walls.mirror, walls.clock),
    "bedroom": (walls.picture, walls.picture, walls.mirror, walls.wall_shelf, walls.wall_lamp),
    "child room": (walls.picture, walls.wall_shelf, walls.clock),
    "study": (*_HOME_WALLS[:4], walls.notice_board),
    "bathroom": (walls.towel_rail, walls.picture),
    "toilet": (walls.picture,),
    "laundry": (walls.wall_shelf,),
    "storage": (),
    "hallway": (walls.picture, walls.mirror, walls.picture, walls.wall_lamp),
    "open office": _OFFICE_WALLS,
    "reception": (walls.picture, walls.clock, walls.picture),
    "office": (walls.picture, walls.whiteboard, walls.notice_board, walls.wall_shelf),
    "meeting room": (walls.wall_tv, walls.whiteboard, walls.acoustic_panel, walls.picture),
    "break room": (walls.picture, walls.clock, walls.notice_board),
    "copy room": (walls.notice_board, walls.wall_shelf),
    "restroom": (walls.mirror,),
}
