"""What each kind of room may hold, in the order in which it is placed, and what hangs on its walls."""

from __future__ import annotations

from dataclasses import dataclass

from avw.sim_bridge.scenes.houses.furniture import bathroom, bedroom, kitchen, living, office, seating, storage, tables
from avw.sim_bridge.scenes.houses.furniture import wall_things as walls
from avw.sim_bridge.scenes.houses.furniture.piece import Maker
from avw.sim_bridge.scenes.houses.furniture.wall_things import HangingMaker


@dataclass(frozen=True, slots=True)
class Wish:
    """A piece that a kind of room may hold: at the wall ("wall"), in a corner or free on the floor ("middle")."""

    make: Maker
    where: str = "wall"
    chance: float = 1.0
    rug: bool = False


_LIVING = (
    Wish(seating.corner_sofa, "corner", 0.35, rug=True),
    Wish(seating.sofa, rug=True),
    Wish(storage.tv_stand, chance=0.85),
    Wish(storage.bookshelf, chance=0.75),
    Wish(living.fireplace, chance=0.25),
    Wish(seating.armchair, "corner", 0.7),
    Wish(living.piano, chance=0.2),
    Wish(storage.sideboard, chance=0.6),
    Wish(living.floor_lamp, "corner", 0.8),
    Wish(living.plant, "corner", 0.8),
    Wish(storage.cube_shelf, chance=0.4),
    Wish(tables.side_table, "corner", 0.4),
    Wish(storage.bookshelf, chance=0.4),
    Wish(seating.ottoman, "middle", 0.4),
    Wish(living.speaker, "corner", 0.35),
    Wish(living.plant, "corner", 0.5),
    Wish(seating.armchair, "corner", 0.4),
    Wish(tables.console_table, chance=0.4),
    Wish(storage.sideboard, chance=0.4),
    Wish(seating.beanbag, "corner", 0.2),
)
_COOKING = (
    Wish(kitchen.kitchen_run((1.8, 3.8))),
    Wish(kitchen.fridge),
)
WISHES: dict[str, tuple[Wish, ...]] = {
    "living": (
        *_LIVING,
        Wish(tables.dining_table(4), "middle", 0.4),
        Wish(storage.display_cabinet, chance=0.3),
    ),
    "living kitchen": (
        *_COOKING,
        Wish(kitchen.pantry, "corner", 0.5),
        Wish(tables.kitchen_island, "middle", 0.5),
        *_LIVING[:6],
        Wish(tables.dining_table(4), "middle", 0.9),
        *_LIVING[7:13],
        Wish(kitchen.bin_, "corner", 0.6),
    ),
    "kitchen": (
        *_COOKING,
        Wish(kitchen.pantry, "corner", 0.5),
        Wish(kitchen.kitchen_run((1.2, 2.4), cooking=False), chance=0.5),
        Wish(tables.kitchen_island, "middle", 0.3),
        Wish(tables.dining_table(2), "middle", 0.7),
        Wish(storage.sideboard, chance=0.3),
        Wish(kitchen.bin_, "corner", 0.8),
        Wish(living.plant, "corner", 0.35),
    ),
    "dining": (
        Wish(tables.dining_table(6), "middle", 0.7, rug=True),
        Wish(tables.dining_table(4), "middle", rug=True),
        Wish(tables.dining_table(2), "middle"),
        Wish(storage.sideboard),
        Wish(storage.display_cabinet, chance=0.6),
        Wish(living.plant, "corner", 0.8),
        Wish(living.floor_lamp, "corner", 0.4),
        Wish(tables.console_table, chance=0.4),
        Wish(living.fireplace, chance=0.15),
    ),
    "bedroom": (
        Wish(bedroom.bed("double"), chance=0.85, rug=True),
        Wish(bedroom.bed("single"), rug=True),
        Wish(storage.wardrobe),
        Wish(storage.dresser, chance=0.6),
        Wish(bedroom.vanity, chance=0.35),
        Wish(tables.desk, chance=0.3),
        Wish(seating.armchair, "corner", 0.4),
        Wish(bathroom.laundry_basket, "corner", 0.4),
        Wish(living.plant, "corner", 0.4),
        Wish(living.floor_lamp, "corner", 0.3),
        Wish(bedroom.cot, chance=0.15),
        Wish(seating.bench, chance=0.2),
    ),
    "child room": (
        Wish(bedroom.bunk_bed, "corner", 0.4),
        Wish(bedroom.bed("single")),
        Wish(storage.wardrobe, chance=0.7),
        Wish(bedroom.toy_shelf),
        Wish(tables.desk, chance=0.5),
        Wish(bedroom.play_table, "middle", 0.45),
        Wish(bedroom.toy_blocks, "middle", 0.8, rug=True),
        Wish(bedroom.tent, "corner", 0.45),
        Wish(seating.beanbag, "corner", 0.6),
        Wish(storage.bookshelf, chance=0.4),
        Wish(bedroom.toy_shelf, chance=0.4),
    ),
    "study": (
        Wish(tables.desk, rug=True),
        Wish(storage.bookshelf),
        Wish(storage.bookshelf, chance=0.8),
        Wish(seating.armchair, "corner", 0.6),
        Wish(living.piano, chance=0.2),
        Wish(office.filing_cabinet, chance=0.5),
        Wish(storage.sideboard, chance=0.3),
        Wish(living.floor_lamp, "corner", 0.6),
        Wish(living.plant, "corner", 0.6),
        Wish(kitchen.bin_, "corner", 0.5),
    ),
    "bathroom": (
        Wish(bathroom.toilet),
        Wish(bathroom.washbasin),
        Wish(bathroom.bathtub, chance=0.7),
        Wish(bathroom.shower, "corner", 0.7),
        Wish(bathroom.bath_cabinet, "corner", 0.4),
        Wish(bathroom.washing_machine, "corner", 0.4),
        Wish(bathroom.laundry_basket, "corner", 0.4),
        Wish(kitchen.bin_, "corner", 0.4),
        Wish(living.plant, "corner", 0.15),
    ),
    "toilet": (
        Wish(bathroom.toilet),
        Wish(bathroom.hand_basin, chance=0.9),
        Wish(kitchen.bin_, "corner", 0.4),
    ),
    "laundry": (
        Wish(bathroom.washing_machine),
        Wish(bathroom.washing_machine, chance=0.5),
        Wish(bathroom.drying_rack, "middle", 0.5),
        Wish(storage.metal_shelf, chance=0.6),
        Wish(bathroom.laundry_basket, "corner", 0.8),
        Wish(living.ironing_board, chance=0.6),
    ),
    "storage": (
        Wish(storage.metal_shelf),
        Wish(storage.metal_shelf, chance=0.7),
        Wish(living.storage_boxes, "corner", 0.7),
        Wish(living.ladder, chance=0.5),
        Wish(living.storage_boxes, "corner", 0.4),
    ),
    "hallway": (
        Wish(storage.coat_rack, chance=0.8),
        Wish(storage.shoe_rack, chance=0.6),
        Wish(tables.console_table, chance=0.6),
        Wish(seating.bench, chance=0.3),
        Wish(living.umbrella_stand, "corner", 0.4),
        Wish(living.plant, "corner", 0.4),
    ),
    "open office": (
        *(Wish(tables.workstations, "middle") for _ in range(6)),
        Wish(office.filing_cabinet),
        Wish(storage.bookshelf, chance=0.5),
        Wish(office.filing_cabinet, chance=0.7),
        Wish(office.printer, chance=0.6),
        Wish(office.partition, "middle", 0.6),
        Wish(living.plant, "corner", 0.9),
        Wish(office.lockers, chance=0.4),
        Wish(living.plant, "corner", 0.7),
        Wish(office.flip_chart, "corner", 0.3),
        Wish(kitchen.bin_, "corner", 0.8),
    ),
    "reception": (
        Wish(tables.reception_desk, "middle"),
        Wish(seating.sofa, chance=0.8),
        Wish(seating.armchair, "corner", 0.6),
        Wish(tables.side_table, "corner", 0.5),
        Wish(living.plant, "corner", 0.9),
        Wish(office.water_cooler, chance=0.6),
        Wish(living.plant, "corner", 0.6),
    ),
    "office": (
        Wish(tables.desk, rug=True),
        Wish(office.filing_cabinet),
        Wish(storage.bookshelf, chance=0.7),
        Wish(seating.visitor_chair, chance=0.7),
        Wish(seating.armchair, "corner", 0.3),
        Wish(living.plant, "corner", 0.7),
        Wish(kitchen.bin_, "corner", 0.7),
        Wish(living.floor_lamp, "corner", 0.3),
    ),
    "meeting room": (
        Wish(tables.meeting_table, "middle"),
        Wish(storage.sideboard, chance=0.6),
        Wish(office.flip_chart, "corner", 0.6),
        Wish(living.plant, "corner", 0.7),
        Wish(kitchen.bin_, "corner", 0.4),
    ),
    "break room": (
        Wish(kitchen.kitchen_run((1.8, 3.0))),
        Wish(kitchen.fridge),
        Wish(tables.bistro_table, "middle"),
        Wish(tables.bistro_table, "middle", 0.7),
        Wish(kitchen.vending_machine, chance=0.5),
        Wish(office.water_cooler, chance=0.5),
        Wish(seating.sofa, chance=0.3),
        Wish(kitchen.bin_, "corner", 0.9),
        Wish(living.plant, "corner", 0.6),
    ),
    "copy room": (
        Wish(office.printer),
        Wish(storage.metal_shelf),
        Wish(office.filing_cabinet, chance=0.7),
        Wish(office.server_rack, chance=0.5),
        Wish(living.storage_boxes, "corner", 0.6),
    ),
    "restroom": (
        Wish(bathroom.washbasin),
        Wish(bathroom.toilet),
        Wish(bathroom.toilet, chance=0.6),
        Wish(bathroom.hand_basin, chance=0.3),
        Wish(kitchen.bin_, "corner", 0.8),
    ),
}

_COSY = (
    Wish(living.plant, "corner"),
    Wish(living.floor_lamp, "corner"),
    Wish(seating.armchair),
    Wish(storage.bookshelf),
    Wish(storage.sideboard),
    Wish(tables.side_table, "corner"),
    Wish(storage.cube_shelf),
    Wish(seating.ottoman, "middle"),
    Wish(tables.console_table),
)
_BUSY = (
    Wish(tables.workstations, "middle"),
    Wish(office.filing_cabinet),
    Wish(living.plant, "corner"),
    Wish(storage.bookshelf),
    Wish(office.partition, "middle"),
    Wish(tables.bistro_table, "middle"),
)
# What fills rooms that are larger than most of their kind.
EXTRAS: dict[str, tuple[Wish, ...]] = {
    "living": (*_COSY, Wish(storage.display_cabinet), Wish(living.speaker, "corner")),
    "living kitchen": (*_COSY, Wish(storage.display_cabinet)),
    "dining": _COSY,
    "kitchen": (
        Wish(storage.sideboard),
        Wish(living.plant, "corner"),
        Wish(storage.metal_shelf),
        Wish(storage.cube_shelf),
    ),
    "bedroom": (Wish(storage.dresser), Wish(seating.bench), Wish(seating.ottoman), *_COSY[:5]),
    "child room": (
        Wish(bedroom.toy_shelf),
        Wish(seating.beanbag),
        Wish(storage.cube_shelf),
        Wish(bedroom.toy_blocks, "middle"),
    ),
    "study": _COSY,
    "hallway": (Wish(living.plant, "corner"), Wish(tables.console_table), Wish(storage.bookshelf), Wish(seating.bench)),
    "open office": _BUSY,
    "reception": (Wish(seating.armchair), Wish(living.plant, "corner"), Wish(tables.side_table, "corner")),
    "office": (
        Wish(office.filing_cabinet),
        Wish(living.plant, "corner"),
        Wish(storage.bookshelf),
        Wish(seating.visitor_chair),
    ),
    "meeting room": (Wish(living.plant, "corner"), Wish(storage.sideboard), Wish(seating.visitor_chair)),
    "break room": (Wish(living.plant, "corner"), Wish(tables.bistro_table, "middle"), Wish(office.lockers)),
}

_HOME: tuple[HangingMaker, ...] = (
    walls.picture,
    walls.picture,
    walls.picture,
    walls.wall_shelf,
    walls.clock,
    walls.mirror,
)
_WORK: tuple[HangingMaker, ...] = (
    walls.picture,
    walls.whiteboard,
    walls.clock,
    walls.notice_board,
    walls.acoustic_panel,
)
ON_WALLS: dict[str, tuple[HangingMaker, ...]] = {
    "living": (*_HOME[:5], walls.wall_lamp),
    "living kitchen": _HOME[:5],
    "kitchen": (walls.wall_shelf, walls.clock, walls.picture),
    "dining": (walls.picture, walls.picture, walls.mirror, walls.clock),
    "bedroom": (walls.picture, walls.picture, walls.mirror, walls.wall_shelf, walls.wall_lamp),
    "child room": (walls.picture, walls.wall_shelf, walls.clock),
    "study": (*_HOME[:4], walls.notice_board),
    "bathroom": (walls.towel_rail, walls.picture),
    "toilet": (walls.picture,),
    "laundry": (walls.wall_shelf,),
    "storage": (),
    "hallway": (walls.picture, walls.mirror, walls.picture, walls.wall_lamp),
    "open office": _WORK,
    "reception": (walls.picture, walls.clock, walls.picture),
    "office": (walls.picture, walls.whiteboard, walls.notice_board, walls.wall_shelf),
    "meeting room": (walls.wall_tv, walls.whiteboard, walls.acoustic_panel, walls.picture),
    "break room": (walls.picture, walls.clock, walls.notice_board),
    "copy room": (walls.notice_board, walls.wall_shelf),
    "restroom": (walls.mirror,),
}
