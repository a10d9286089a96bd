"""Walking to a place: the cheapest path through what a `SpatialMemory` knows, one action at a time.

Places are (forward, left) metres in the frame of the memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from avw.model.memory.free_space import FreeSpace
from avw.model.memory.spatial_memory import SpatialMemory
from avw.model.planning.escape import Escape
from avw.sim_bridge.types import AGENT_RADIUS, FORWARD_METRES, TURN_RADIANS, Action, wrap_angle

TURNS = (Action.TURN_LEFT, Action.TURN_RIGHT)


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkerConfig:
    """look_ahead: metres along the path to the point that the agent turns to, if the straight way to it is free
    deadband: deviation from the bearing that is not corrected, in turns of 10°
    stuck: metres; a forward step that led less far counts as blocked, and the spot ahead as an obstacle
    forget: actions after which the agent may try again where it was blocked: from another side it may fit
    radius: metres around the agent in which paths are searched · cell: metres; wide cells close narrow doors
    """

    look_ahead: float = 0.6
    deadband: float = 0.8
    stuck: float = 0.05
    forget: int = 100
    radius: float = 7.0
    cell: float = 0.06


class Walker:
    """Chooses the actions of a walk. Call `arrived` after every observation of the memory."""

    def __init__(self, memory: SpatialMemory, config: WalkerConfig | None = None) -> None:
        self.memory, self.config = memory, config or WalkerConfig()
        self.trail: list[np.ndarray] = []  # (2,) each: where the agent was, one entry per observation
        self.blocked = False  # whether the last forward step led almost nowhere
        self._blocks: list[tuple[int, np.ndarray]] = []  # when the agent was blocked, and where
        self._escape = Escape()
        self._last: Action | None = None

    @property
    def position_2(self) -> np.ndarray:
        """Where the agent is."""
        return self.memory.pose_4[:2]

    def arrived(self, action: Action | None) -> None:
        """Note where `action` led (None: the first observation)."""
        here_2, heading = self.position_2.copy(), self.memory.pose_4[3]
        self.blocked = False
        if action == Action.FORWARD and self.trail:
            self.blocked = float(np.linalg.norm(here_2 - self.trail[-1])) < self.config.stuck
        if self.blocked:
            ahead_2 = np.array([math.cos(heading), math.sin(heading)])
            side_2 = np.array([-ahead_2[1], ahead_2[0]])
            spots = [here_2 + (AGENT_RADIUS + 0.1) * ahead_2 + side * side_2 for side in (-0.08, 0.0, 0.08)]
            self._blocks += [(len(self.trail), spot_2) for spot_2 in spots]
        self._escape.arrived(here_2, self.blocked)
        self.trail.append(here_2)
        self._last = action

    def space(self) -> FreeSpace:
        """The map around the agent, with the spots where it was blocked lately."""
        space = self.memory.free_space(radius=self.config.radius, cell=self.config.cell)
        blocks = [spot_2 for when, spot_2 in self._blocks if when + self.config.forget > len(self.trail)]
        if not blocks:
            return space
        obstacle_HW = space.obstacle_HW.copy()
        row_N, column_N = space.nodes(*np.array(blocks).T)
        inside = (row_N >= 0) & (column_N >= 0) & (row_N < obstacle_HW.shape[0]) & (column_N < obstacle_HW.shape[1])
        obstacle_HW[row_N[inside], column_N[inside]] = True
        return replace(space, free_HW=space.free_HW & ~obstacle_HW, obstacle_HW=obstacle_HW)

    def follow(self, space: FreeSpace, cost_HW: np.ndarray, path_N2: np.ndarray) -> None:
        """Walk along a path from the agent from now on. space, cost_HW: the map in which it was found."""
        self._space, self._cost_HW = space, cost_HW
        leg_N = np.linalg.norm(np.diff(path_N2, axis=0), axis=1)
        along_N = np.concatenate([[0.0], np.cumsum(leg_N)])
        metres_M = np.append(np.arange(0.1, along_N[-1], 0.1), along_N[-1])
        self._path_M2 = np.stack([np.interp(metres_M, along_N, path_N2[:, axis]) for axis in (0, 1)], -1)

    def next_action(self) -> Action:
        """The next action along the path, or out of a place where the agent is stuck."""
        escape = self._escape.next_action()
        if escape is not None:
            return escape
        x, y = self._aim() - self.position_2
        bearing = wrap_angle(math.atan2(y, x) - self.memory.pose_4[3])
        # A turn in progress is completed: otherwise every heading would be off by the width of the deadband.
        turning = self._last in TURNS
        if abs(bearing) <= (0.55 if turning else self.config.deadband) * TURN_RADIANS:
            return Action.FORWARD
        if turning and abs(bearing) > math.pi - 3 * TURN_RADIANS:
            assert self._last is not None
            return self._last  # the aim is behind: keep the direction of the turn
        return Action.TURN_LEFT if bearing > 0 else Action.TURN_RIGHT

    def _aim(self) -> np.ndarray:
        """The farthest point of the path within `look_ahead` that the agent can walk straight to."""
        away_M = np.linalg.norm(self._path_M2 - self.position_2, axis=1)
        nearest = int(away_M.argmin())
        for m in range(len(away_M) - 1, nearest, -1):
            if away_M[nearest : m + 1].max() <= self.config.look_ahead and self._straight(self._path_M2[m]):
                return np.asarray(self._path_M2[m])
        return np.asarray(self._path_M2[min(nearest + 1, len(away_M) - 1)])

    def _straight(self, aim_2: np.ndarray) -> bool:
        """Whether no cell of the straight way is closed, or much closer to obstacles than the path."""
        length = float(np.linalg.norm(aim_2 - self.position_2))
        share_N = np.linspace(0.0, 1.0, max(2, math.ceil(length / (0.5 * self._space.cell))))
        way_N2 = self.position_2 + share_N[:, None] * (aim_2 - self.position_2)
        cost_N = self._cost_HW[self._space.nodes(way_N2[:, 0], way_N2[:, 1])]
        near = share_N * length > 0.5 * FORWARD_METRES  # the cells around the agent are what they are
        return bool(np.isfinite(cost_N).all() and (cost_N[near] < 3.9).all())
