"""What each kind of room may hold, in the order in which it is placed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sim_bridge.scenes import bedroom_furniture as bedroom
from sim_bridge.scenes import fixtures, furniture
from sim_bridge.scenes.furniture import Piece, Rng
from sim_bridge.scenes.style import Style

Maker = Callable[[Style, Rng], Piece]


@dataclass(frozen=True, slots=True)
class Wish:
    """A piece that a kind of room may hold: at the wall ("wall"), in a corner or free on the floor ("middle")."""

    make: Maker
    where: str = "wall"
    chance: float = 1.0
    rug: bool = False


WISHES: dict[str, tuple[Wish, ...]] = {
    "living": (
        Wish(furniture.sofa, rug=True),
        Wish(furniture.tv_stand, chance=0.85),
        Wish(furniture.bookshelf, chance=0.75),
        Wish(furniture.armchair, "corner", 0.7),
        Wish(lambda s, r: furniture.dining_set(s, r, 4), "middle", 0.45),
        Wish(furniture.sideboard, chance=0.5),
        Wish(furniture.floor_lamp, "corner", 0.8),
        Wish(furniture.plant, "corner", 0.8),
        Wish(furniture.bookshelf, chance=0.4),
        Wish(furniture.plant, "corner", 0.4),
    ),
    "kitchen": (
        Wish(lambda s, r: fixtures.kitchen_counter(s, r, float(r.uniform(1.9, 3.0)))),
        Wish(fixtures.fridge, "corner"),
        Wish(lambda s, r: furniture.dining_set(s, r, int(r.choice([2, 4]))), "middle", 0.85),
        Wish(lambda s, r: fixtures.kitchen_counter(s, r, float(r.uniform(1.4, 1.9))), chance=0.4),
        Wish(furniture.sideboard, chance=0.4),
        Wish(furniture.plant, "corner", 0.35),
    ),
    "dining": (
        Wish(lambda s, r: furniture.dining_set(s, r, int(r.choice([4, 6, 8]))), "middle", rug=True),
        Wish(furniture.sideboard),
        Wish(furniture.bookshelf, chance=0.4),
        Wish(furniture.plant, "corner", 0.8),
        Wish(furniture.floor_lamp, "corner", 0.5),
        Wish(furniture.console_table, chance=0.4),
    ),
    "bedroom": (
        Wish(bedroom.bed, rug=True),
        Wish(bedroom.wardrobe),
        Wish(bedroom.dresser, chance=0.6),
        Wish(furniture.desk_set, chance=0.4),
        Wish(furniture.armchair, "corner", 0.35),
        Wish(furniture.plant, "corner", 0.4),
        Wish(furniture.floor_lamp, "corner", 0.3),
    ),
    "bathroom": (
        Wish(fixtures.bathtub, chance=0.65),
        Wish(fixtures.washbasin),
        Wish(fixtures.toilet),
        Wish(fixtures.shower, "corner", 0.6),
        Wish(fixtures.washing_machine, "corner", 0.6),
        Wish(furniture.plant, "corner", 0.25),
    ),
    "study": (
        Wish(furniture.desk_set, rug=True),
        Wish(furniture.bookshelf),
        Wish(furniture.bookshelf, chance=0.8),
        Wish(furniture.armchair, "corner", 0.6),
        Wish(furniture.sideboard, chance=0.4),
        Wish(furniture.floor_lamp, "corner", 0.6),
        Wish(furniture.plant, "corner", 0.6),
    ),
    "playroom": (
        Wish(bedroom.toy_shelf),
        Wish(bedroom.toy_blocks, "middle", rug=True),
        Wish(bedroom.beanbag, "corner", 0.9),
        Wish(bedroom.bed, chance=0.5),
        Wish(furniture.desk_set, chance=0.5),
        Wish(bedroom.beanbag, "corner", 0.5),
        Wish(bedroom.toy_shelf, chance=0.4),
        Wish(furniture.bookshelf, chance=0.5),
    ),
    "hall": (
        Wish(bedroom.coat_rack, chance=0.8),
        Wish(furniture.console_table, chance=0.8),
        Wish(furniture.plant, "corner", 0.6),
        Wish(furniture.bookshelf, chance=0.3),
    ),
}
