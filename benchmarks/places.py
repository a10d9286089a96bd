"""Where to listen in a house: a source, listeners in its room, listeners two rooms away, and a walk between them.

Everything is drawn from the scene's own rooms and free floor, by its name alone, so that each benchmark hears the
same places and none depends on how a particular house is built.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.navigation.free_space import Geodesic
from avw.sim_bridge.navigation.open_free_space import NavGrid
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.scene import Room, Scene
from avw.sim_bridge.task.follower import greedy_action
from avw.sim_bridge.types import SOURCE_HEIGHT, Action, Pose

NEAREST = 1.5  # metres between the source and a listener in its room
_ROOMY = 0.4  # metres that sources and listeners keep from obstacles where they can
_TRIES = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """source_3: metres, the point that sounds · walk: 161 poses of 160 steps from the farthest listener to the source
    and back · same_room, two_rooms_away: listeners, of whom the latter must walk through at least one room between.
    """

    source_3: np.ndarray
    same_room: tuple[Pose, ...]
    two_rooms_away: tuple[Pose, ...]
    walk: tuple[Pose, ...]


def find_places(scene: Scene, navgrid: NavGrid, listeners: int = 3, steps: int = 160) -> Places:
    """Raises UsageError for a scene without rooms, or in which no walk crosses three of them."""
    if len(scene.rooms) < 3:
        raise UsageError(
            f"scene {scene.scene_id!r} lists {len(scene.rooms)} rooms, and 'two rooms away' needs three: name a "
            "generated house, for instance --scene procedural-0003"
        )
    rng = keyed_rng("benchmark places", scene.scene_id)
    for _ in range(_TRIES):
        floor_3 = navgrid.sample(rng, clearance=_ROOMY)
        if _room_at(scene.rooms, floor_3) is None:
            continue
        field = navgrid.build_geodesic(floor_3)
        near: list[Pose] = []
        far: list[Pose] = []
        for _ in range(_TRIES):
            pose = _pose(navgrid.sample(rng, clearance=_ROOMY), rng)
            crossed = _rooms_crossed(scene.rooms, field, pose)
            if crossed == 1 and field.distance(pose.position_3) >= NEAREST and len(near) < listeners:
                near.append(pose)
            elif crossed >= 3 and len(far) < listeners:
                far.append(pose)
            if len(near) == len(far) == listeners:
                start = max(far, key=lambda pose: field.distance(pose.position_3))
                return Places(
                    source_3=floor_3 + np.array([0.0, SOURCE_HEIGHT, 0.0]),
                    same_room=tuple(near),
                    two_rooms_away=tuple(far),
                    walk=_walk(navgrid, start, floor_3, steps),
                )
    raise UsageError(
        f"in scene {scene.scene_id!r} no place was found with {listeners} listeners in its room and {listeners} two "
        "rooms away: name another house"
    )


def translates(walk: tuple[Pose, ...]) -> list[bool]:
    """Of every step of a walk, whether it changed the listener's position (a turn, or a wall, does not)."""
    return [(one.x, one.z) != (two.x, two.z) for one, two in itertools.pairwise(walk)]


def _pose(floor_3: np.ndarray, rng: np.random.Generator) -> Pose:
    return Pose(float(floor_3[0]), float(floor_3[1]), float(floor_3[2]), float(rng.uniform(-math.pi, math.pi)))


def _room_at(rooms: tuple[Room, ...], point_3: np.ndarray) -> int | None:
    for index, room in enumerate(rooms):
        if room.min_x <= point_3[0] <= room.max_x and room.min_z <= point_3[2] <= room.max_z:
            return index
    return None


def _rooms_crossed(rooms: tuple[Room, ...], field: Geodesic, pose: Pose) -> int:
    """How many different rooms the shortest walk to the goal passes through, its ends included."""
    corners_N3 = field.path(pose.position_3)
    crossed: set[int] = set()
    for start_3, end_3 in itertools.pairwise(corners_N3):
        for share in np.linspace(0.0, 1.0, 2 + int(np.linalg.norm(end_3 - start_3) / 0.1)):
            room = _room_at(rooms, start_3 + share * (end_3 - start_3))
            if room is not None:
                crossed.add(room)
    return len(crossed)


def _walk(navgrid: NavGrid, start: Pose, floor_3: np.ndarray, steps: int) -> tuple[Pose, ...]:
    """`steps` steps from `start` to `floor_3` and back, as often as they last."""
    ends = [floor_3, start.position_3]
    walk = [start]
    while len(walk) <= steps:
        action = greedy_action(navgrid.geodesic(ends[0]), walk[-1])
        if action == Action.STOP:
            ends.reverse()
        else:
            walk.append(navgrid.move(walk[-1], walk[-1].after(action))[0])
    return tuple(walk)
