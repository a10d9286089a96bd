"""Draw the list of rooms of a building: their kinds and their areas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BUILDINGS = ("apartment", "house", "office")


@dataclass(frozen=True, kw_only=True, slots=True)
class RoomRule:
    """Limits for one kind of room.

    area: smallest and largest area to aim for (m²) · side: least length of the shorter side (metres)
    zone: "public", "private" (one door, plus possibly one to a bathroom) or "closet" (one door)
    daylight: whether the room needs an outer wall with a window
    """

    area: tuple[float, float]
    side: float
    zone: str
    daylight: bool = True


RULES: dict[str, RoomRule] = {
    "living": RoomRule(area=(18.0, 32.0), side=3.2, zone="public"),
    "living kitchen": RoomRule(area=(22.0, 36.0), side=3.6, zone="public"),
    "dining": RoomRule(area=(10.0, 16.0), side=2.7, zone="public"),
    "kitchen": RoomRule(area=(8.0, 16.0), side=2.3, zone="public"),
    "hallway": RoomRule(area=(3.0, 30.0), side=1.25, zone="public", daylight=False),
    "bedroom": RoomRule(area=(10.5, 18.0), side=2.6, zone="private"),
    "child room": RoomRule(area=(9.0, 14.0), side=2.5, zone="private"),
    "study": RoomRule(area=(7.5, 13.0), side=2.3, zone="private"),
    "bathroom": RoomRule(area=(4.6, 9.0), side=1.8, zone="closet", daylight=False),
    "toilet": RoomRule(area=(1.9, 3.2), side=1.2, zone="closet", daylight=False),
    "laundry": RoomRule(area=(3.8, 7.0), side=1.7, zone="closet", daylight=False),
    "storage": RoomRule(area=(2.6, 5.5), side=1.4, zone="closet", daylight=False),
    "open office": RoomRule(area=(34.0, 70.0), side=4.6, zone="public"),
    "reception": RoomRule(area=(13.0, 22.0), side=3.0, zone="public"),
    "break room": RoomRule(area=(11.0, 20.0), side=2.7, zone="private"),
    "office": RoomRule(area=(9.0, 15.0), side=2.5, zone="private"),
    "meeting room": RoomRule(area=(12.0, 24.0), side=2.9, zone="private"),
    "copy room": RoomRule(area=(4.5, 8.0), side=1.8, zone="closet", daylight=False),
    "restroom": RoomRule(area=(5.0, 9.0), side=1.9, zone="closet", daylight=False),
}


@dataclass(frozen=True, slots=True)
class RoomList:
    """The rooms of a building, without corridors: (kind, area in m²).

    building: one of BUILDINGS · public: rooms that everyone shares · private: rooms along a corridor
    """

    building: str
    public: tuple[tuple[str, float], ...]
    private: tuple[tuple[str, float], ...]


def draw_room_list(rng: np.random.Generator, building: str) -> RoomList:
    """Draw the rooms of a building. Corridors are added by `draw_layout`."""
    public, private = {"apartment": _apartment, "house": _house, "office": _office}[building](rng)
    # The rooms of one building are correlated in size: mostly large or mostly small.
    size = rng.uniform(0.0, 1.0)

    def sized(kinds: list[str]) -> tuple[tuple[str, float], ...]:
        shares = np.clip(size + rng.uniform(-0.35, 0.35, len(kinds)), 0.0, 1.0)
        return tuple(
            (kind, RULES[kind].area[0] + float(share) * (RULES[kind].area[1] - RULES[kind].area[0]))
            for kind, share in zip(kinds, shares, strict=True)
        )

    return RoomList(building, sized(public), sized(private))


def _apartment(rng: np.random.Generator) -> tuple[list[str], list[str]]:
    public = ["living kitchen"] if rng.random() < 0.4 else ["living", "kitchen"]
    if len(public) == 2 and rng.random() < 0.25:
        public.append("dining")
    private = ["bedroom", "bathroom"]
    private += [str(kind) for kind in rng.permutation(["child room", "study", "bedroom"])[: int(rng.integers(0, 3))]]
    private += ["storage"] * int(rng.random() < 0.3) + ["toilet"] * int(len(private) > 3 and rng.random() < 0.5)
    return public, private


def _house(rng: np.random.Generator) -> tuple[list[str], list[str]]:
    public = ["living", "kitchen"] + ["dining"] * int(rng.random() < 0.65)
    private = ["bedroom", "bathroom", "child room" if rng.random() < 0.7 else "bedroom"]
    more = ["study", "child room", "bedroom", "bathroom", "toilet", "laundry", "storage"]
    count = int(rng.integers(1, 6))
    private += [str(kind) for kind in rng.permutation(more)[:count]]
    return public, private


def _office(rng: np.random.Generator) -> tuple[list[str], list[str]]:
    public = ["open office"] if rng.random() < 0.35 else ["open office", "reception"]
    private = ["meeting room", "restroom"] + ["office"] * int(rng.integers(0, 4))
    private += [kind for kind in ("break room", "copy room", "meeting room", "storage") if rng.random() < 0.6]
    return public, private
