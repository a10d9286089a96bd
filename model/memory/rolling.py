"""Where commanded actions lead: the agent slides along the obstacles that depth images have shown.

Obstacle points lie in a grid of 2 cm cells around the agent. A step ahead is walked in pieces of 1.5 cm; the component
of a piece that leads into the nearest obstacle is removed. Without learning, this closes most of the gap between the
commanded and the realised motion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numba import njit

from avw.model.memory.config import MemoryConfig
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import CAMERA_HEIGHT, FORWARD_METRES, TURN_RADIANS, Action

CELL = 0.02  # metres
OBSTACLE, FREE = np.uint8(1), np.uint8(2)  # bits of a cell
PIECE = 0.015  # metres
SIDE = 1024  # cells: the grid covers 20 m around the agent, more than 64 steps
ROWS = 64  # rows of a depth image that are read
TILE = 32  # cells per side of a tile, the unit in which old parts of the grid are replaced


class Obstacles:
    """The grid of obstacles, and of the floor that was seen to be free (`free_space.carve`).

    It has no borders: a tile that lies SIDE cells from another one replaces it.

    Positions are (forward, left) metres in a fixed frame, for example that of the start of an episode.
    """

    def __init__(self, hfov: float, config: MemoryConfig | None = None) -> None:
        self.config = config or MemoryConfig()
        if not 0 < hfov < 180:
            raise UsageError(f"obstacles need a field of view below 180°, not {hfov:g}°: panoramas have no image plane")
        self.tan = math.tan(math.radians(hfov) / 2)
        self.cells = np.zeros((SIDE, SIDE), np.uint8)
        self.tiles = np.full((SIDE // TILE, SIDE // TILE, 2), np.iinfo(np.int32).min, np.int32)

    def add(self, depth_HW: np.ndarray, pose_4: np.ndarray) -> None:
        """Add the obstacles of a depth image (uint16 millimetres) that was seen from a pose."""
        c = self.config
        pose_4 = np.ascontiguousarray(pose_4, np.float64)
        depth_HW = np.ascontiguousarray(depth_HW, np.uint16)
        add_points(self.cells, self.tiles, depth_HW, pose_4, self.tan, c.lowest, c.highest, c.reach)

    def roll(self, pose_4: np.ndarray, steps_N3: np.ndarray) -> np.ndarray:
        """float64 (N, 3): the motion from a pose after each of N commanded steps (forward, left, turn)."""
        steps_N3 = np.ascontiguousarray(steps_N3, np.float64)
        out_N3 = np.empty((len(steps_N3), 3))
        roll_steps(
            self.cells, self.tiles, np.ascontiguousarray(pose_4, np.float64), steps_N3, self.config.radius, out_N3
        )
        return out_N3

    def points(self) -> np.ndarray:
        """float64 (N, 2): (forward, left) of the centres of the cells with an obstacle."""
        rows, columns = np.nonzero(self.cells & OBSTACLE)
        tiles_N2 = self.tiles[rows // TILE, columns // TILE].astype(np.int64)
        cells_N2 = tiles_N2 * TILE + np.stack([rows % TILE, columns % TILE], -1)
        return (cells_N2 + 0.5) * CELL

    def copy(self) -> Obstacles:
        other = object.__new__(Obstacles)
        other.config, other.tan = self.config, self.tan
        other.cells, other.tiles = self.cells.copy(), self.tiles.copy()
        return other


def commanded_steps(actions: Sequence[int] | np.ndarray) -> np.ndarray:
    """float64 (N, 3): forward, left, turn of actions with nothing in the way. Steps (N, 3) are returned as they are."""
    actions = np.asarray(actions)
    if actions.ndim == 2 and actions.shape[1] == 3:
        return actions.astype(np.float64)
    if actions.ndim != 1:
        raise UsageError(f"expected actions (N,) or steps (N, 3), not an array of shape {actions.shape}")
    steps_N3 = np.zeros((len(actions), 3))
    steps_N3[actions == Action.FORWARD, 0] = FORWARD_METRES
    steps_N3[actions == Action.TURN_LEFT, 2] = TURN_RADIANS
    steps_N3[actions == Action.TURN_RIGHT, 2] = -TURN_RADIANS
    return steps_N3


@njit(cache=True, nogil=True)
def add_points(cells, tiles, depth_HW, pose_4, tan, lowest, highest, reach):
    """Mark the cells of the points of a depth image that are neither too low, too high nor too far.

    Between neighbouring pixels of one surface the cells are marked too: the agent would catch in gaps of a wall.
    """
    height, width = depth_HW.shape
    c, s = math.cos(pose_4[3]), math.sin(pose_4[3])
    focal = 0.5 * width / tan
    for i in range(0, height, max(1, height // ROWS)):
        up_i = (0.5 * (height - 1) - i) / focal
        before, x0, y0 = 0.0, 0.0, 0.0
        for j in range(width):
            d = depth_HW[i, j] * 0.001
            h = CAMERA_HEIGHT + up_i * d
            if d <= 0.0 or d > reach or h < lowest or h > highest:
                before = 0.0
                continue
            left = (0.5 * (width - 1) - j) / focal * d
            x, y = pose_4[0] + c * d - s * left, pose_4[1] + s * d + c * left
            between = 0
            if before > 0.0 and abs(d - before) < 0.1 * min(d, before):
                between = int(math.hypot(x - x0, y - y0) / CELL)
            for k in range(between + 1):
                share = k / (between + 1)
                mark(cells, tiles, x + share * (x0 - x), y + share * (y0 - y), OBSTACLE)
            before, x0, y0 = d, x, y


@njit(cache=True, nogil=True)
def mark(cells, tiles, x, y, bit):
    """Set a bit of the cell of a point; a tile that was of another place is emptied first."""
    a, b = math.floor(x / CELL), math.floor(y / CELL)
    row, column = a % SIDE, b % SIDE
    tile_a, tile_b = a // TILE, b // TILE
    r, q = row // TILE, column // TILE
    if tiles[r, q, 0] != tile_a or tiles[r, q, 1] != tile_b:
        tiles[r, q, 0], tiles[r, q, 1] = tile_a, tile_b
        cells[r * TILE : (r + 1) * TILE, q * TILE : (q + 1) * TILE] = 0
    cells[row, column] |= bit


@njit(cache=True, nogil=True)
def _nearest(cells, tiles, x, y, within):
    """Distance to the nearest obstacle cell, if it is at most about `within` metres away; else a large number."""
    reach = int(within / CELL) + 2
    best = 1e9
    a0, b0 = math.floor(x / CELL), math.floor(y / CELL)
    for a in range(a0 - reach, a0 + reach + 1):
        dx = (a + 0.5) * CELL - x
        for b in range(b0 - reach, b0 + reach + 1):
            if _occupied(cells, tiles, a, b):
                dy = (b + 0.5) * CELL - y
                best = min(best, dx * dx + dy * dy)
    return math.sqrt(best)


@njit(cache=True, nogil=True)
def _occupied(cells, tiles, a, b):
    row, column = a % SIDE, b % SIDE
    if cells[row, column] & OBSTACLE == 0:
        return False
    return tiles[row // TILE, column // TILE, 0] == a // TILE and tiles[row // TILE, column // TILE, 1] == b // TILE


@njit(cache=True, nogil=True)
def _direction(cells, tiles, x, y, within):
    """Unit vector to the middle of the obstacle cells within a distance: the normal of a wall, smoothed."""
    reach = int(within / CELL) + 2
    sum_x, sum_y = 0.0, 0.0
    a0, b0 = math.floor(x / CELL), math.floor(y / CELL)
    for a in range(a0 - reach, a0 + reach + 1):
        dx = (a + 0.5) * CELL - x
        for b in range(b0 - reach, b0 + reach + 1):
            if _occupied(cells, tiles, a, b):
                dy = (b + 0.5) * CELL - y
                distance = math.hypot(dx, dy)
                if distance < within:
                    sum_x += dx / max(distance, 1e-6)
                    sum_y += dy / max(distance, 1e-6)
    norm = math.hypot(sum_x, sum_y)
    if norm < 1e-6:
        return 0.0, 0.0
    return sum_x / norm, sum_y / norm


@njit(cache=True, nogil=True)
def roll_steps(cells, tiles, pose_4, steps_N3, radius, out_N3):
    """Walk the commanded steps, sliding; out_N3 is the motion from the first pose after each step."""
    x, y, heading = pose_4[0], pose_4[1], pose_4[3]
    c0, s0 = math.cos(heading), math.sin(heading)
    turned = 0.0
    for n in range(len(steps_N3)):
        forward, left = steps_N3[n, 0], steps_N3[n, 1]
        length = math.hypot(forward, left)
        if length > 0.0:
            c, s = math.cos(heading), math.sin(heading)
            x, y = _walk(cells, tiles, x, y, forward * c - left * s, forward * s + left * c, length, radius)
        heading += steps_N3[n, 2]
        turned += steps_N3[n, 2]
        dx, dy = x - pose_4[0], y - pose_4[1]
        out_N3[n, 0], out_N3[n, 1] = c0 * dx + s0 * dy, c0 * dy - s0 * dx
        out_N3[n, 2] = (turned + math.pi) % (2 * math.pi) - math.pi


@njit(cache=True, nogil=True)
def _walk(cells, tiles, x, y, dx, dy, length, radius):
    """The point reached from (x, y) by a commanded step (dx, dy)."""
    if _nearest(cells, tiles, x + 0.5 * dx, y + 0.5 * dy, radius + 0.5 * length) > radius + 0.5 * length:
        return x + dx, y + dy
    pieces = max(1, math.ceil(length / PIECE))
    ux, uy = dx / pieces, dy / pieces
    within = radius + 0.02
    d0 = _nearest(cells, tiles, x, y, within)
    for _ in range(pieces):
        d1 = _nearest(cells, tiles, x + ux, y + uy, within)
        if d1 >= radius or d1 >= d0:
            x, y, d0 = x + ux, y + uy, d1
            continue
        nx, ny = _direction(cells, tiles, x + ux, y + uy, max(d1, 0.0) + 1.5 * CELL)
        into = max(ux * nx + uy * ny, 0.0)
        sx, sy = ux - into * nx, uy - into * ny
        d2 = _nearest(cells, tiles, x + sx, y + sy, within)
        if d2 < radius:  # keeps a sliding agent at its distance
            back = min(radius - d2, 0.004)
            sx, sy = sx - back * nx, sy - back * ny
            d2 = _nearest(cells, tiles, x + sx, y + sy, within)
        if d2 < min(radius - CELL, d0):  # a wall is rough by one cell
            break
        x, y, d0 = x + sx, y + sy, d2
    return x, y
