"""What the shortest walks over flat and over layered floors share: anchors, goals and paths.

The *anchor* of a node is the last corner of its taut string to the goal, as in Theta* (Nash et al. 2007).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.free_space import FreeSpace

GOAL = -1  # the anchor of every node that sees the goal itself
NO_ANCHOR = -2
MAX_GOAL_OFFSET = 0.5  # metres that a goal may be off the free floor (a source on a shelf) before it is an error
KEPT_GEODESICS = 32  # per grid, the most recently used; one of a house takes about 0.4 MB


class Surface(Protocol):
    """The floor points that both surfaces (`FlatSurface`, `LayeredSurface`) can name."""

    def on_floor(self, position_3: np.ndarray) -> np.ndarray: ...

    def nearest_free(self, position_3: np.ndarray) -> tuple[np.ndarray, float, float]: ...


def place_goal(navgrid: FreeSpace, surface: Surface, goal_3: np.ndarray) -> tuple[np.ndarray, float]:
    """The free floor point nearest to a goal, and its horizontal distance from the goal.

    Raises SceneError for a goal farther than MAX_GOAL_OFFSET from the free floor.
    """
    if navgrid.is_free(goal_3):
        return surface.on_floor(goal_3), 0.0
    nearest_3, offset, rise = surface.nearest_free(goal_3)
    if offset > MAX_GOAL_OFFSET or rise >= MAX_GOAL_OFFSET:
        raise SceneError(
            f"the goal ({goal_3[0]:.2f}, {goal_3[1]:.2f}, {goal_3[2]:.2f}) in scene {navgrid.scene_id!r} is not on the "
            f"floor that the agent can reach: the nearest point of it is {offset:.2f} m away seen from above and "
            f"{rise:.2f} m above or below (main floor at {navgrid.floor_y:.2f} m), so no path leads to it. Choose a "
            f"goal with `navgrid.sample`, or one within {MAX_GOAL_OFFSET} m of the free floor"
        )
    return nearest_3, offset


def path_corners(
    start_3: np.ndarray,
    anchor: int,
    anchor_N: np.ndarray,
    node_position: Callable[[int], np.ndarray],
    goal_3: np.ndarray,
) -> np.ndarray:
    """Corners of the walk, float64 (N, 3), from a start along its anchors to the goal.

    anchor: of the start · anchor_N: of every node, by flat index
    """
    corners = [start_3]
    while anchor >= 0:
        corners.append(node_position(anchor))
        anchor = int(anchor_N[anchor])
    corners.append(goal_3.copy())
    return np.stack(corners)
