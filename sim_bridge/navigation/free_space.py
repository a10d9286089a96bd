"""The interface to a scene's free floor, the same for AVW's grids and for Habitat's navigation mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from avw.sim_bridge.types import Pose

MAX_DRAWS = 64  # random points that `sample` tries before it takes the node nearest to the last one


@dataclass(frozen=True, slots=True)
class Floor:
    """A storey. y: metres, height of its floor · area: square metres that the agent can walk on."""

    y: float
    area: float


class FreeSpace(Protocol):
    """The largest connected piece (island) of free floor under a roof: points on it, moves, and shortest walks.

    Points are floor points, float64 (3,) metres, in the frame of `avw.sim_bridge.types`.
    """

    scene_id: str
    radius: float
    """Of the agent, metres: every free point is at least this far from obstacles."""
    floor_y: float
    """Height of the main floor, metres."""
    islands: tuple[float, ...]
    """Square metres of every island under a roof, the largest first."""

    @property
    def area(self) -> float:
        """Square metres of free floor."""
        ...

    @property
    def floors(self) -> tuple[Floor, ...]:
        """The storeys that can be walked to, the lowest first."""
        ...

    def near(self, position_3: np.ndarray, radius: float) -> np.ndarray:
        """Free floor points, float64 (N, 3), within `radius` metres of a point seen from above; deterministic."""
        ...

    def settle(self, points_N3: np.ndarray, rise: float) -> np.ndarray:
        """Points (N, 3) moved straight up or down to free floor at most `rise` metres away; NaN where there is none."""
        ...

    def clearance(self, position_3: np.ndarray) -> float:
        """Metres from a floor point to the nearest obstacle; 0 outside the free floor."""
        ...

    def is_free(self, position_3: np.ndarray) -> bool:
        """Whether the agent can stand at a floor point and walk from there over the island."""
        ...

    def move(self, pose: Pose, target: Pose) -> tuple[Pose, bool]:
        """Walk straight towards `target`, sliding along obstacles: (the pose reached, whether an obstacle was met)."""
        ...

    def sample(self, rng: np.random.Generator, *, clearance: float = 0.0) -> np.ndarray:
        """A random free floor point, float64 (3,), uniform over the floor; depends only on the generator's state.

        clearance: metres to keep from obstacles; ignored where the scene has no such place.
        """
        ...

    def geodesic(self, goal_3: np.ndarray | Sequence[float]) -> Geodesic:
        """Shortest walks to a goal. Raises SceneError for a goal more than 0.5 m off the floor that can be reached."""
        ...


class Geodesic(Protocol):
    """Shortest walks over `navgrid` from anywhere to one goal."""

    @property
    def navgrid(self) -> FreeSpace: ...

    @property
    def goal_3(self) -> np.ndarray:
        """float64 (3,): the free floor point that stands for the goal."""
        ...

    def distance(self, position_3: np.ndarray) -> float:
        """Metres of the shortest walk from a floor point to the goal; inf where the agent cannot stand."""
        ...

    def towards(self, position_3: np.ndarray) -> tuple[float, np.ndarray]:
        """(metres to the goal, the first corner (3,) on the way, in sight of `position_3`)."""
        ...

    def path(self, position_3: np.ndarray) -> np.ndarray:
        """Corners of the shortest walk, float64 (N, 3), from `position_3` to the goal; (0, 3) if there is none."""
        ...
