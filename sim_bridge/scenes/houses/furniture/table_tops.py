"""Which small things stand on which tops, and where on them."""

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

# For each use of a top: how many things at most for every metre of it, and what.
ON_TOP: dict[str, tuple[float, tuple[Maker, ...]]] = {
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
_FIRST: dict[str, Maker] = {"desk": monitor, "desk back": monitor, "night stand": table_lamp}
_OFTEN = 0.75


@dataclass(frozen=True, slots=True)
class Stood:
    """A thing on a top: the low corner of the floor it takes there, and whether it looks the other way (-z)."""

    thing: Piece
    x: float
    z: float
    turned: bool = False


def set_out(style: Style, rng: Rng, top: Top) -> list[Stood]:
    """Things for a top, none of which overlap."""
    if top.use == "dining" and rng.random() < 0.5:
        return _table_laid(style, rng, top)
    density, makers = ON_TOP[top.use]
    wanted = round(float(rng.uniform(0.3, 1.0)) * density * (top.x1 - top.x0) + 0.3)
    placed: list[Stood] = []
    turned = top.use == "desk back"
    first = _FIRST.get(top.use)
    if first is not None and rng.random() < _OFTEN:
        if first is monitor and rng.random() < 0.3:
            first = laptop
        thing = first(style, rng)
        room_x, room_z = top.x1 - top.x0 - thing.width, top.z1 - top.z0 - thing.depth
        if room_x >= 0 and room_z >= -0.03:
            placed.append(Stood(thing, top.x0 + room_x / 2, top.z1 - thing.depth if turned else top.z0, turned))
    for _ in range(wanted):
        thing = makers[int(rng.integers(len(makers)))](style, rng)
        room_x, room_z = top.x1 - top.x0 - thing.width, top.z1 - top.z0 - thing.depth
        if room_x < 0 or room_z < 0:
            continue
        for _ in range(6):
            x, z = top.x0 + room_x * float(rng.random()), top.z0 + room_z * float(rng.beta(0.8, 1.2))
            if all(_apart(thing, x, z, other) for other in placed):
                placed.append(Stood(thing, x, z, turned))
                break
    return placed


def _table_laid(style: Style, rng: Rng, top: Top) -> list[Stood]:
    """A setting before each chair of both long sides, as far as the table is long enough."""
    places = max(1, round((top.x1 - top.x0) / 0.6))
    wide = (top.x1 - top.x0) / places
    thing = place_setting(style, rng)
    if wide < thing.width or top.z1 - top.z0 < 2 * thing.depth + 0.05:
        return []
    return [
        Stood(thing, top.x0 + wide * (k + 0.5) - thing.width / 2, z, turned)
        for k in range(places)
        for z, turned in ((top.z0, False), (top.z1 - thing.depth, True))
    ]


def _apart(thing: Piece, x: float, z: float, other: Stood) -> bool:
    gap = 0.02
    return (
        x > other.x + other.thing.width + gap
        or other.x > x + thing.width + gap
        or z > other.z + other.thing.depth + gap
        or other.z > z + thing.depth + gap
    )
