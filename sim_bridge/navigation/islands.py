"""Which connected piece of floor (island) the agent walks on: the one with the most floor under a roof.

A roof decides only where it covers at least a small room. The inside of a closed wardrobe has a roof too.
"""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.types import AGENT_HEIGHT, AGENT_RADIUS

SMALL_ROOM = 6.0  # square metres under a roof that make an island indoors
LARGER = 4.0  # times the floor of a smaller indoor island, from which an island without a roof is chosen instead
MIN_ISLAND_AREA = 0.5  # square metres; a scene with less has no floor to stand on


def choose_island(
    island_N: np.ndarray, indoor_island_N: np.ndarray, count: int, cell: float, scene_id: str
) -> tuple[int, tuple[float, ...]]:
    """(the island to walk on, square metres under a roof of every island, the largest first).

    island_N: the island, 0 to `count` - 1, of every free node · indoor_island_N: the same for those under a roof
    Raises SceneError where no island is large enough to stand on.
    """
    if count == 0:
        raise no_floor(scene_id)
    # Floor under a roof decides: the ground around a house is larger than its rooms, but it is not in the house.
    sizes = np.bincount(island_N, minlength=count)
    indoors = np.bincount(indoor_island_N, minlength=count)
    largest = int(np.lexsort((sizes, indoors))[-1])
    widest = int(sizes.argmax())
    if indoors[largest] * cell**2 < SMALL_ROOM and sizes[widest] >= LARGER * sizes[largest]:
        largest = widest
    if sizes[largest] * cell**2 < MIN_ISLAND_AREA:
        raise no_floor(scene_id)
    return largest, tuple(sorted((float(n) * cell**2 for n in indoors if n), reverse=True))


def no_floor(scene_id: str) -> SceneError:
    """The error for a scene in which the agent can stand nowhere."""
    return SceneError(
        f"scene {scene_id or '(unnamed)'} has no free floor: an agent of {AGENT_RADIUS} m radius and {AGENT_HEIGHT} m "
        "height cannot stand on a level surface anywhere in it. Most likely the mesh is not Y-up, is not in metres, or "
        "is a single object; check it with `avw info FILE`"
    )
