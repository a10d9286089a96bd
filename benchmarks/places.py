"""Choose places in a house: a source, listeners in its room, listeners two rooms away, and a walk between them.

Places are drawn from the rooms and the free floor of a scene and depend only on its name, so that all benchmarks use
the same places and none depends on the plan of a particular house.
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

MIN_DISTANCE = 1.5  # metres, between the source and a listener in its room
_CLEARANCE = 0.4  # metres, preferred distance of sources and listeners from obstacles
_TRIES = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Places in a scene.

    source_3: position of the source (metres) · same_room: listeners in the room of the source
    two_rooms_away: listeners with at least one room between them and the source
    walk: 161 poses (160 steps) from the farthest listener to the source and back
    """

    source_3: np.ndarray
    same_room: tuple[Pose, ...]
    two_rooms_away: tuple[Pose, ...]
    walk: tuple[Pose, ...]


def find_places(scene: Scene, navgrid: NavGrid, listeners: int = 3, steps: int = 160) -> Places:
    """Draw places in `scene`. Raises UsageError if it has fewer than three rooms or no walk through three rooms."""
    if len(scene.rooms) < 3:
        raise UsageError(
            f"scene {scene.scene_id!r} lists {len(scene.rooms)} rooms, and 'two rooms away' needs three: name a "
            "generated house, for instance --scene procedural-0003"
        )
    rng = keyed_rng("benchmark places", scene.scene_id)
    for _ in range(_TRIES):
        floor_3 = navgrid.sample(rng, clearance=_CLEARANCE)
        if _room_at(scene.rooms, floor_3) is None:
            continue
        field = navgrid.build_geodesic(floor_3)
        near: list[Pose] = []
        far: list[Pose] = []
        for _ in range(_TRIES):
            pose = _pose(navgrid.sample(rng, clearance=_CLEARANCE), rng)
            crossed = _rooms_crossed(scene.rooms, field, pose)
            if crossed == 1 and field.distance(pose.position_3) >= MIN_DISTANCE and len(near) < listeners:
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
        f"scene {scene.scene_id!r}: found no source with {listeners} listeners in its room and {listeners} two rooms "
        "away; choose another house"
    )


def translates(walk: tuple[Pose, ...]) -> list[bool]:
    """For each step of a walk, whether the position changed. It does not change in turns and at obstacles."""
    return [(one.x, one.z) != (two.x, two.z) for one, two in itertools.pairwise(walk)]


def _pose(floor_3: np.ndarray, rng: np.random.Generator) -> Pose:
    return Pose(float(floor_3[0]), float(floor_3[1]), float(floor_3[2]), float(rng.uniform(-math.pi, math.pi)))


def _room_at(rooms: tuple[Room, ...], point_3: np.ndarray) -> int | None:
    for index, room in enumerate(rooms):
        if room.min_x <= point_3[0] <= room.max_x and room.min_z <= point_3[2] <= room.max_z:
            return index
    return None


def _rooms_crossed(rooms: tuple[Room, ...], field: Geodesic, pose: Pose) -> int:
    """Number of different rooms on the shortest path to the goal, including both ends."""
    corners_N3 = field.path(pose.position_3)
    crossed: set[int] = set()
    for start_3, end_3 in itertools.pairwise(corners_N3):
        for share in np.linspace(0.0, 1.0, 2 + int(np.linalg.norm(end_3 - start_3) / 0.1)):
            room = _room_at(rooms, start_3 + share * (end_3 - start_3))
            if room is not None:
                crossed.add(room)
    return len(crossed)


def _walk(navgrid: NavGrid, start: Pose, floor_3: np.ndarray, steps: int) -> tuple[Pose, ...]:
    """Walk from `start` to `floor_3` and back, repeatedly, for `steps` steps."""
    ends = [floor_3, start.position_3]
    walk = [start]
    while len(walk) <= steps:
        action = greedy_action(navgrid.geodesic(ends[0]), walk[-1])
        if action == Action.STOP:
            ends.reverse()
        else:
            walk.append(navgrid.move(walk[-1], walk[-1].after(action))[0])
    return tuple(walk)
