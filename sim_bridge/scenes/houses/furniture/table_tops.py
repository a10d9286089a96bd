"""Choose small items for the tops of furniture, and place them."""

from __future__ import annotations

from dataclasses import dataclass

from avw.sim_bridge.scenes.houses.furniture.clutter import (
    book_stack,
    candle,
    desk_lamp,
    detergent,
    hat_box,
    laptop,
    monitor,
    papers,
    phone,
    photo_frame,
    small_plant,
    soap,
    standing_books,
    table_lamp,
    teddy,
    towels,
    toy_car,
    vase,
)
from avw.sim_bridge.scenes.houses.furniture.kitchenware import (
    bottle,
    bowl,
    coffee_machine,
    cutting_board,
    kettle,
    knife_block,
    microwave,
    mug,
    pan,
    place_setting,
    plates,
    toaster,
)
from avw.sim_bridge.scenes.houses.furniture.piece import Maker, Piece, Rng, Top
from avw.sim_bridge.scenes.houses.style import Style

# Per use of a top: the largest number of items per metre of its width, and the items to choose from.
TOP_ITEMS: dict[str, tuple[float, tuple[Maker, ...]]] = {
    "coffee": (3.0, (book_stack, bowl, mug, vase, candle, papers, mug)),
    "side": (2.5, (table_lamp, photo_frame, vase, book_stack, small_plant, candle, bowl)),
    "sideboard": (2.2, (vase, bowl, photo_frame, table_lamp, candle, small_plant, bottle, standing_books)),
    "shelf": (3.0, (standing_books, vase, photo_frame, small_plant, book_stack, bowl, candle)),
    "desk": (3.2, (desk_lamp, papers, mug, book_stack, photo_frame, small_plant)),
    "desk back": (3.2, (papers, mug, phone, book_stack, small_plant)),
    "night stand": (4.0, (table_lamp, book_stack, mug, photo_frame)),
    "counter": (
        2.6,
        (
            coffee_machine,
            microwave,
            kettle,
            toaster,
            knife_block,
            bottle,
            bowl,
            pan,
            cutting_board,
            plates,
            small_plant,
            mug,
        ),
    ),
    "island": (1.8, (bowl, cutting_board, vase, bottle, plates)),
    "crockery": (3.5, (plates, mug, bowl, mug, bottle, vase)),
    "dining": (1.0, (bowl, vase, candle)),
    "meeting": (1.6, (papers, mug, laptop, bottle)),
    "cabinet": (2.0, (small_plant, papers, book_stack, phone)),
    "bath": (4.0, (soap, mug)),
    "laundry": (2.5, (detergent, towels, detergent)),
    "toys": (2.5, (teddy, toy_car, book_stack, toy_car, teddy)),
    "rack": (2.0, (hat_box, towels)),
}
_MAIN_ITEM: dict[str, Maker] = {"desk": monitor, "desk back": monitor, "night stand": table_lamp}
_MAIN_ITEM_CHANCE = 0.75


@dataclass(frozen=True, slots=True)
class PlacedItem:
    """An item on a top.

    x, z: its corner with the lowest coordinates, in the frame of the piece (metres) · turned: whether it faces -z
    """

    item: Piece
    x: float
    z: float
    turned: bool = False


def place_items(style: Style, rng: Rng, top: Top) -> list[PlacedItem]:
    """Place random items on a top. They do not overlap."""
    if top.use == "dining" and rng.random() < 0.5:
        return _set_table(style, rng, top)
    density, makers = TOP_ITEMS[top.use]
    wanted = round(float(rng.uniform(0.3, 1.0)) * density * (top.x1 - top.x0) + 0.3)
    placed: list[PlacedItem] = []
    turned = top.use == "desk back"
    main_item = _MAIN_ITEM.get(top.use)
    if main_item is not None and rng.random() < _MAIN_ITEM_CHANCE:
        if main_item is monitor and rng.random() < 0.3:
            main_item = laptop
        item = main_item(style, rng)
        slack_x, slack_z = top.x1 - top.x0 - item.width, top.z1 - top.z0 - item.depth
        if slack_x >= 0 and slack_z >= -0.03:
            placed.append(PlacedItem(item, top.x0 + slack_x / 2, top.z1 - item.depth if turned else top.z0, turned))
    for _ in range(wanted):
        item = makers[int(rng.integers(len(makers)))](style, rng)
        slack_x, slack_z = top.x1 - top.x0 - item.width, top.z1 - top.z0 - item.depth
        if slack_x < 0 or slack_z < 0:
            continue
        for _ in range(6):
            x, z = top.x0 + slack_x * float(rng.random()), top.z0 + slack_z * float(rng.beta(0.8, 1.2))
            if all(_is_apart(item, x, z, other) for other in placed):
                placed.append(PlacedItem(item, x, z, turned))
                break
    return placed


def _set_table(style: Style, rng: Rng, top: Top) -> list[PlacedItem]:
    """Place settings along both long sides of a dining table, or nothing if the table is too small."""
    places = max(1, round((top.x1 - top.x0) / 0.6))
    wide = (top.x1 - top.x0) / places
    item = place_setting(style, rng)
    if wide < item.width or top.z1 - top.z0 < 2 * item.depth + 0.05:
        return []
    return [
        PlacedItem(item, top.x0 + wide * (k + 0.5) - item.width / 2, z, turned)
        for k in range(places)
        for z, turned in ((top.z0, False), (top.z1 - item.depth, True))
    ]


def _is_apart(item: Piece, x: float, z: float, other: PlacedItem) -> bool:
    gap = 0.02
    return (
        x > other.x + other.item.width + gap
        or other.x > x + item.width + gap
        or z > other.z + other.item.depth + gap
        or other.z > z + item.depth + gap
    )
