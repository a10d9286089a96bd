"""An obstacle map from depth images and the actions of the agent, and shortest paths through it.

The frame is that of the start pose: +x forward, +y left, metres, heading counter-clockwise. Positions follow from the
actions and the depth images before and after each of them (`memory.odometry`). A forward step that led almost nowhere
counts as blocked, and an obstacle is added ahead. Unknown space counts as free.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from avw.model.memory.odometry import step_motion
from avw.model.planning.sight import obstacles, points
from avw.sim_bridge.types import AGENT_RADIUS, Action, wrap_angle


@dataclass(frozen=True, kw_only=True, slots=True)
class DepthMapConfig:
    """cell: metres · extent: side of the map in metres; the start is in its centre
    reach: metres of depth beyond which points are ignored
    margin: metres to obstacles, in addition to the radius of the agent, in which cells have a higher cost
    stuck: metres; a forward step that led less far ahead counts as blocked
    """

    cell: float = 0.1
    extent: float = 30.0
    reach: float = 6.0
    margin: float = 0.25
    stuck: float = 0.05
    hfov: float = 90.0


class DepthMap:
    """The obstacles observed so far, and the estimated pose."""

    def __init__(self, config: DepthMapConfig | None = None):
        self.config = config or DepthMapConfig()
        self.reset()

    def reset(self) -> None:
        side = round(self.config.extent / self.config.cell)
        self.hits_HW = np.zeros((side, side), dtype=np.uint16)
        self.x = self.y = self.heading = 0.0
        self.blocked = False
        self._depth_HW: np.ndarray | None = None

    def update(self, action: Action | None, depth_HW: np.ndarray) -> None:
        """Update the pose for `action` (None for the first frame), then add the obstacles in `depth_HW`."""
        c = self.config
        self.blocked = False
        if action is not None and self._depth_HW is not None:
            forward, left, turn = step_motion(self._depth_HW, depth_HW, action, c.hfov)
            self.x += forward * math.cos(self.heading) - left * math.sin(self.heading)
            self.y += forward * math.sin(self.heading) + left * math.cos(self.heading)
            self.heading = wrap_angle(self.heading + turn)
            self.blocked = action == Action.FORWARD and forward < c.stuck
            if self.blocked:
                for side in (-0.08, 0.0, 0.08):
                    self.add_obstacles(np.array([[AGENT_RADIUS + 0.1, side]]), weight=20)
        self._depth_HW = depth_HW
        points_N3 = points(depth_HW, c.hfov, stride=2)
        points_N3 = points_N3[points_N3[:, 0] < c.reach]
        self.add_obstacles(obstacles(points_N3))

    def add_obstacles(self, body_N2: np.ndarray, weight: int = 1) -> None:
        """Add obstacle points, (forward, left) metres in the body frame, to the counts of their cells."""
        c, s = math.cos(self.heading), math.sin(self.heading)
        x = self.x + body_N2[:, 0] * c - body_N2[:, 1] * s
        y = self.y + body_N2[:, 0] * s + body_N2[:, 1] * c
        rows, columns = self.nodes(x, y)
        inside = (rows >= 0) & (columns >= 0) & (rows < len(self.hits_HW)) & (columns < len(self.hits_HW))
        np.add.at(self.hits_HW, (rows[inside], columns[inside]), weight)
        np.minimum(self.hits_HW, 60_000, out=self.hits_HW)

    def nodes(self, x: np.ndarray | float, y: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """(row, column) of the cells that contain points of the map frame."""
        half = 0.5 * self.config.extent
        cell = self.config.cell
        return np.floor((np.asarray(x) + half) / cell).astype(int), np.floor((np.asarray(y) + half) / cell).astype(int)

    def path_to(self, x: float, y: float, look_ahead: float = 0.5) -> tuple[float, float]:
        """(bearing to walk in, length of the path in cost metres) of the cheapest path to (x, y).

        The bearing is relative to the heading, in radians, left positive. A goal inside an obstacle is replaced by the
        nearest free cell. The length is inf if there is no path.
        """
        c = self.config
        start, goal = self._clipped(self.x, self.y), self._clipped(x, y)
        origin, cost_HW = self._cost(start, goal)
        start, goal = (start[0] - origin[0], start[1] - origin[1]), (goal[0] - origin[0], goal[1] - origin[1])
        # The agent stands in the start cell, so the cell is free, also inside the margin of an obstacle.
        cost_HW[start] = max(1.0, min(cost_HW[start], 2.0))
        if not np.isfinite(cost_HW[goal]):
            goal = _nearest_finite(cost_HW, goal)
        to_go_HW = cost_to_go(cost_HW, goal[0], goal[1], start[0], start[1])
        if not np.isfinite(to_go_HW[start]):
            return wrap_angle(math.atan2(y - self.y, x - self.x) - self.heading), math.inf
        row, column = start
        for _ in range(max(1, round(look_ahead / c.cell))):
            row, column = _downhill(to_go_HW, row, column)
        half = 0.5 * c.extent
        ahead_x, ahead_y = (row + origin[0] + 0.5) * c.cell - half, (column + origin[1] + 0.5) * c.cell - half
        if (row, column) == start:
            ahead_x, ahead_y = x, y
        bearing = wrap_angle(math.atan2(ahead_y - self.y, ahead_x - self.x) - self.heading)
        return bearing, float(to_go_HW[start]) * c.cell

    def _clipped(self, x: float, y: float) -> tuple[int, int]:
        row, column = self.nodes(x, y)
        last = len(self.hits_HW) - 2
        return int(np.clip(row, 1, last)), int(np.clip(column, 1, last))

    def _cost(self, start: tuple[int, int], goal: tuple[int, int]) -> tuple[tuple[int, int], np.ndarray]:
        """(first row and column, cost_HW) of the part of the map around start, goal and all obstacles.

        cost_HW: float64, cost per cell of path; inf where the agent does not fit
        """
        from scipy.ndimage import distance_transform_edt

        c = self.config
        rows, columns = (np.flatnonzero((self.hits_HW > 0).any(axis=axis)) for axis in (1, 0))
        border = round(2.0 / c.cell)  # cells of unknown space around it, for paths that lead around the obstacles
        ends = [
            (
                max(min([start[axis], goal[axis], *occupied[:1]]) - border, 0),
                min(max([start[axis], goal[axis], *occupied[-1:]]) + border, len(self.hits_HW)),
            )
            for axis, occupied in enumerate((rows, columns))
        ]
        free_HW = self.hits_HW[ends[0][0] : ends[0][1], ends[1][0] : ends[1][1]] < 2
        distance_HW = (distance_transform_edt(free_HW) - 0.5) * c.cell
        cost_HW = 1.0 + 3.0 * np.clip(1.0 - (distance_HW - AGENT_RADIUS) / c.margin, 0.0, 1.0)
        cost_HW[distance_HW < AGENT_RADIUS] = np.inf
        return (int(ends[0][0]), int(ends[1][0])), cost_HW


def _nearest_finite(cost_HW: np.ndarray, node: tuple[int, int]) -> tuple[int, int]:
    candidates_N2 = np.argwhere(np.isfinite(cost_HW))
    nearest = int(np.argmin(np.square(candidates_N2 - np.array(node)).sum(axis=1)))
    return int(candidates_N2[nearest, 0]), int(candidates_N2[nearest, 1])


@njit(cache=True)
def cost_to_go(cost_HW, goal_row, goal_column, start_row, start_column):
    """float64 (H, W): cost of the cheapest path to the goal, in cells, with 8 neighbours; inf where not computed.

    Dijkstra's algorithm from the goal. It ends when the start and all cells that are not more expensive are final.
    """
    height, width = cost_HW.shape
    to_go = np.full((height, width), np.inf)
    to_go[goal_row, goal_column] = 0.0
    queue = [(0.0, goal_row, goal_column)]
    limit = np.inf
    while queue:
        reached, row, column = heapq.heappop(queue)
        if reached > limit:
            break
        if reached > to_go[row, column]:
            continue
        if row == start_row and column == start_column:
            limit = reached
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                r, c = row + dr, column + dc
                if (dr == 0 and dc == 0) or r < 0 or c < 0 or r >= height or c >= width:
                    continue
                if not np.isfinite(cost_HW[r, c]):
                    continue
                length = 1.4142135623730951 if dr != 0 and dc != 0 else 1.0
                onward = reached + length * 0.5 * (cost_HW[r, c] + cost_HW[row, column])
                if onward < to_go[r, c]:
                    to_go[r, c] = onward
                    heapq.heappush(queue, (onward, r, c))
    return to_go


@njit(cache=True)
def _downhill(to_go_HW, row, column):
    """The neighbour with the lowest cost to the goal."""
    best_row, best_column, best = row, column, to_go_HW[row, column]
    for r in range(row - 1, row + 2):
        for c in range(column - 1, column + 2):
            if 0 <= r < to_go_HW.shape[0] and 0 <= c < to_go_HW.shape[1] and to_go_HW[r, c] < best:
                best_row, best_column, best = r, c, to_go_HW[r, c]
    return best_row, best_column
