"""Where the agent can go: cells that were seen free, obstacles, unknown cells, and poses on the cheapest paths.

Pure functions over arrays. Rows of a map run forward and columns left, in a fixed frame such as that of the start of
an episode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from avw.model.memory.rolling import CELL, FREE, OBSTACLE, SIDE, TILE, Obstacles, mark
from avw.sim_bridge.types import AGENT_RADIUS, CAMERA_HEIGHT, FORWARD_METRES, TURN_RADIANS

FREE_REACH = 5.0  # metres along a ray
RINGS = (0.6, 1.2, 2.1, 3.0, 4.0, 5.0, 6.0)  # metres of path at which poses are chosen
MARGIN = 0.25  # metres to obstacles, in addition to the radius of the agent, in which cells have a higher cost
_DIAGONAL = math.sqrt(2.0)
_NOWHERE = np.empty(0, np.int64)
_GRID_EXCESS = 0.96  # paths with eight directions are longer than straight ones by 4 % on average


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """A map around the agent.

    free_HW, obstacle_HW: bool; a cell that is neither is unknown
    origin: (forward, left) metres of the corner of cell [0, 0] · cell: metres per cell
    pose_4: the pose of the agent, in the same frame
    """

    free_HW: np.ndarray
    obstacle_HW: np.ndarray
    origin: tuple[float, float]
    cell: float
    pose_4: np.ndarray

    def nodes(self, forward: np.ndarray | float, left: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """(row, column) of the cells that contain points."""
        row = np.floor((np.asarray(forward) - self.origin[0]) / self.cell).astype(int)
        return row, np.floor((np.asarray(left) - self.origin[1]) / self.cell).astype(int)


@dataclass(frozen=True, slots=True)
class ReachablePoses:
    """K poses that end cheapest paths from the agent.

    motion_K3: float32, (forward, left, turn) from the pose of the agent; the heading is that of the end of the path,
        rounded to whole turns of 10°
    metres_K: float64, length of the path · steps_K: int64, number of actions to walk it, estimated
    paths: K arrays (n, 2), points of the path in the frame of the map, from the agent to the end
    """

    motion_K3: np.ndarray
    metres_K: np.ndarray
    steps_K: np.ndarray
    paths: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.metres_K)


def carve(obstacles: Obstacles, depth_HW: np.ndarray, pose_4: np.ndarray) -> None:
    """Mark the cells that a depth image (uint16 millimetres) shows to be free, along a ray per second column."""
    c = obstacles.config
    depth_HW, pose_4 = np.ascontiguousarray(depth_HW, np.uint16), np.ascontiguousarray(pose_4, np.float64)
    _carve(obstacles.cells, obstacles.tiles, depth_HW, pose_4, obstacles.tan, c.lowest, c.highest)


def space_around(obstacles: Obstacles, pose_4: np.ndarray, *, radius: float = 7.0, cell: float = 0.1) -> FreeSpace:
    """The map within `radius` metres of a pose, in cells of about `cell` metres."""
    fine = max(1, round(cell / CELL))
    half = max(2, min(math.ceil(radius / (fine * CELL)), SIDE // (2 * fine) - 1))
    first = [math.floor(pose_4[axis] / (fine * CELL)) - half for axis in (0, 1)]
    free_HW, obstacle_HW = (np.zeros((2 * half + 1, 2 * half + 1), np.bool_) for _ in range(2))
    _downsample(obstacles.cells, obstacles.tiles, first[0], first[1], fine, free_HW, obstacle_HW)
    origin = (first[0] * fine * CELL, first[1] * fine * CELL)
    return FreeSpace(free_HW & ~obstacle_HW, obstacle_HW, origin, fine * CELL, np.asarray(pose_4, np.float64))


def walking_cost(space: FreeSpace, *, through_unknown: bool = True, squeeze: bool = False) -> np.ndarray:
    """float64 (H, W): cost per cell of path, 1 in the open, up to 4 beside obstacles, inf where the agent does not fit.

    squeeze: cells of the map are wider than what they stand for, so a gap that looks too narrow may be wide enough;
        every cell that is not an obstacle is open, and costs 10 where the agent does not seem to fit

    The cells around the agent are open, because it stands there.
    """
    from scipy.ndimage import distance_transform_edt

    distance_HW = (distance_transform_edt(~space.obstacle_HW) - 0.5) * space.cell
    cost_HW = 1.0 + 3.0 * np.clip(1.0 - (distance_HW - AGENT_RADIUS) / MARGIN, 0.0, 1.0)
    cost_HW[distance_HW < AGENT_RADIUS] = 10.0 if squeeze else np.inf
    cost_HW[space.obstacle_HW] = np.inf
    if not through_unknown:
        cost_HW[~space.free_HW] = np.inf
    row, column = _agent_cell(space)
    around = (slice(max(row - 1, 0), row + 2), slice(max(column - 1, 0), column + 2))
    cost_HW[around] = np.where(space.obstacle_HW[around], cost_HW[around], np.minimum(cost_HW[around], 4.0))
    cost_HW[row, column] = min(cost_HW[row, column], 2.0)
    return cost_HW


def _agent_cell(space: FreeSpace) -> tuple[int, int]:
    row, column = space.nodes(space.pose_4[0], space.pose_4[1])
    return int(row), int(column)


def enclosed(space: FreeSpace, cost_HW: np.ndarray, *, most: float = 1.0) -> bool:
    """Whether the agent cannot leave the part of the map that it knows: less than `most` square metres that were never
    seen can be reached, and not the edge of the map."""
    row, column = _agent_cell(space)
    metres_HW, _ = flood(cost_HW, row, column, np.inf, space.cell)
    there_HW = np.isfinite(metres_HW)
    if there_HW[[0, -1]].any() or there_HW[:, [0, -1]].any():
        return False
    unseen_HW = there_HW & ~space.free_HW & ~space.obstacle_HW
    return bool(unseen_HW.sum() * space.cell**2 < most)


def reachable(space: FreeSpace, cost_HW: np.ndarray, place_N2: np.ndarray) -> np.ndarray:
    """bool (N,): whether a path leads from the agent to a cell within one of each place. True outside of the map."""
    from scipy.ndimage import binary_dilation

    row, column = _agent_cell(space)
    metres_HW, _ = flood(cost_HW, row, column, np.inf, space.cell)
    there_HW = binary_dilation(np.isfinite(metres_HW), np.ones((3, 3), bool))
    row_N, column_N = space.nodes(place_N2[:, 0], place_N2[:, 1])
    rows, columns = there_HW.shape
    outside_N = (row_N < 0) | (column_N < 0) | (row_N >= rows) | (column_N >= columns)
    return np.asarray(outside_N | there_HW[row_N.clip(0, rows - 1), column_N.clip(0, columns - 1)])


def reachable_poses(
    space: FreeSpace,
    *,
    nearest: float = 0.6,
    farthest: float = 6.0,
    through_unknown: bool = True,
    spacing: float = 1.0,
    cost_HW: np.ndarray | None = None,
) -> ReachablePoses:
    """Poses at the ends of cheapest paths of `nearest` to `farthest` metres, spread evenly over rings of path length.

    spacing: factor on the distances between the poses of a ring · cost_HW: of `walking_cost`, if it is known already
    K is 0 if the agent is walled in.
    """
    if cost_HW is None:
        cost_HW = walking_cost(space, through_unknown=through_unknown)
    row, column = _agent_cell(space)
    metres_HW, parent_HW = flood(cost_HW, row, column, farthest / _GRID_EXCESS + 2 * space.cell, space.cell)
    metres_HW *= _GRID_EXCESS
    chosen: list[np.ndarray] = []
    for ring in RINGS:
        if nearest - 1e-6 <= ring <= farthest + 1e-6:
            cells_N2 = np.argwhere(np.abs(metres_HW - ring) < 0.8 * space.cell)
            chosen += _spread(cells_N2, (row, column), spacing * min(max(0.2 + 0.12 * ring, 0.25), 1.2) / space.cell)
    paths = [_path(parent_HW, cell_2, space) for cell_2 in chosen]
    motion_K3, steps_K = np.zeros((len(paths), 3), np.float32), np.zeros(len(paths), np.int64)
    metres_K = np.array([metres_HW[cell_2[0], cell_2[1]] for cell_2 in chosen], np.float64)
    for k, path_N2 in enumerate(paths):
        motion_K3[k], turns = _end_of(path_N2, space.pose_4)
        steps_K[k] = max(1, round(turns + metres_K[k] / FORWARD_METRES))
    return ReachablePoses(motion_K3, metres_K, steps_K, tuple(paths))


def _spread(cells_N2: np.ndarray, centre: tuple[int, int], spacing: float) -> list[np.ndarray]:
    """Cells that are at least `spacing` cells apart, in the order of their bearing."""
    bearing_N = np.arctan2(cells_N2[:, 1] - centre[1], cells_N2[:, 0] - centre[0])
    sorted_N2 = cells_N2[np.argsort(bearing_N, kind="stable")]
    return list(sorted_N2[_apart(sorted_N2, spacing**2)])


@njit(cache=True, nogil=True)
def _apart(cells_N2, least):
    """Which cells have a squared distance of `least` or more from all earlier ones that were kept."""
    kept = np.zeros(len(cells_N2), np.bool_)
    for n in range(len(cells_N2)):
        kept[n] = True
        for m in range(n):
            down, across = cells_N2[n, 0] - cells_N2[m, 0], cells_N2[n, 1] - cells_N2[m, 1]
            if kept[m] and down * down + across * across < least:
                kept[n] = False
                break
    return kept


def _path(parent_HW: np.ndarray, end_2: np.ndarray, space: FreeSpace) -> np.ndarray:
    """Points (n, 2) about 0.3 m apart along the cheapest path, from the agent to a cell."""
    width = parent_HW.shape[1]
    node_N = _trace(parent_HW.reshape(-1), end_2[0] * width + end_2[1])
    every = max(1, round(0.3 / space.cell))
    kept_n = np.append(node_N[:-1:every], node_N[-1])[::-1]
    path_N2 = (np.stack(np.divmod(kept_n, width), axis=1) + 0.5) * space.cell + np.array(space.origin)
    path_N2[0] = space.pose_4[:2]
    return path_N2


@njit(cache=True, nogil=True)
def _trace(parent, node):
    """The cells of a path, from its end to its start."""
    nodes = []
    while node >= 0:
        nodes.append(node)
        node = parent[node]
    return np.array(nodes, np.int64)


def _end_of(path_N2: np.ndarray, pose_4: np.ndarray) -> tuple[np.ndarray, float]:
    """((forward, left, turn) of the end of a path from a pose, number of turns of 10° on the way)."""
    leg_N2 = np.diff(path_N2, axis=0)
    leg_N2 = leg_N2[np.abs(leg_N2).max(axis=1) > 1e-9]
    heading_N = np.unwrap(np.arctan2(leg_N2[:, 1], leg_N2[:, 0])) if len(leg_N2) else np.array([pose_4[3]])
    first = (heading_N[0] - pose_4[3] + math.pi) % (2 * math.pi) - math.pi
    # Paths over a grid wiggle: small changes of heading do not count, unless they add up.
    wiggle = float(np.maximum(np.abs(np.diff(heading_N)) - math.radians(20.0), 0.0).sum())
    turns = (abs(first) + max(wiggle, abs(heading_N[-1] - heading_N[0]))) / TURN_RADIANS
    turn = round((heading_N[-1] - pose_4[3]) / TURN_RADIANS) * TURN_RADIANS
    c, s = math.cos(pose_4[3]), math.sin(pose_4[3])
    dx, dy = path_N2[-1] - pose_4[:2]
    motion_3 = np.array([c * dx + s * dy, c * dy - s * dx, (turn + math.pi) % (2 * math.pi) - math.pi], np.float32)
    return motion_3, float(turns)


@njit(cache=True, nogil=True)
def _carve(cells, tiles, depth_HW, pose_4, tan, lowest, highest):
    height, width = depth_HW.shape
    c, s = math.cos(pose_4[3]), math.sin(pose_4[3])
    focal = 0.5 * width / tan
    for j in range(0, width, 2):
        near, far = 1e9, 0.0
        for i in range(height):
            d = depth_HW[i, j] * 0.001
            if d <= 0.0:
                continue
            far = max(far, d)
            h = CAMERA_HEIGHT + (0.5 * (height - 1) - i) / focal * d
            if lowest < h < highest:
                near = min(near, d)
        side = (0.5 * (width - 1) - j) / focal
        end = min(min(near, far), FREE_REACH / math.hypot(1.0, side)) - 0.1
        z = 0.0
        while z < end:
            x, y = pose_4[0] + (c - s * side) * z, pose_4[1] + (s + c * side) * z
            mark(cells, tiles, x, y, FREE)
            z += 0.04
    for a in range(-5, 6):  # the place where the agent stands
        for b in range(-5, 6):
            mark(cells, tiles, pose_4[0] + a * CELL, pose_4[1] + b * CELL, FREE)


@njit(cache=True, nogil=True)
def _downsample(cells, tiles, first_row, first_column, fine, free_HW, obstacle_HW):
    for i in range(free_HW.shape[0]):
        for j in range(free_HW.shape[1]):
            for k in range(fine * fine):
                a, b = (first_row + i) * fine + k // fine, (first_column + j) * fine + k % fine
                row, column = a % SIDE, b % SIDE
                r, q = row // TILE, column // TILE
                if tiles[r, q, 0] == a // TILE and tiles[r, q, 1] == b // TILE:
                    free_HW[i, j] |= cells[row, column] & FREE != 0
                    obstacle_HW[i, j] |= cells[row, column] & OBSTACLE != 0


def flood(
    cost_HW: np.ndarray, row: int, column: int, most_metres: float, cell: float, until: np.ndarray = _NOWHERE
) -> tuple[np.ndarray, np.ndarray]:
    """(metres of the cheapest path to each cell, inf where there is none; its parent, row · W + column, or -1).

    until: cells, row · W + column, after which the search ends; metres and parents of other cells are then not final

    Dijkstra's algorithm with a queue of buckets (Dial 1969). No cell costs less than 1 per cell of path, so a path
    leaves its bucket with every step, and the cells of a bucket are final in any order. Of paths that cost the same,
    the one through the cheaper parent counts, then the one through the parent with the lower number.
    """
    # The kernel has no default of its own: Numba finds functions with an array as default in its cache in the same
    # process only, and every process would compile it again.
    return _flood(cost_HW, row, column, most_metres, cell, until)


@njit(cache=True, nogil=True)
def _flood(cost_HW, row, column, most_metres, cell, until):
    height, width = cost_HW.shape
    wide = width + 2  # a border of cells where the agent does not fit
    half = np.full((height + 2) * wide, np.inf)
    most_cost = 1.0
    for r in range(height):
        for c in range(width):
            half[(r + 1) * wide + c + 1] = 0.5 * cost_HW[r, c]
            if most_cost < cost_HW[r, c] < np.inf:
                most_cost = cost_HW[r, c]
    cost, metres = np.full(len(half), np.inf), np.full(len(half), np.inf)
    parent = np.full(len(half), -1, np.int32)
    final, wanted = np.zeros(len(half), np.bool_), np.zeros(len(half), np.bool_)
    for number in until:
        wanted[(number // width + 1) * wide + number % width + 1] = True
    left = wanted.sum() if len(until) else -1
    buckets = 2
    while buckets < _DIAGONAL * most_cost + 2.0:  # more than one step can cost
        buckets *= 2
    head = np.full(buckets, -1, np.int32)
    entry_node, entry_next = np.empty(8 * height * width + 1, np.int32), np.empty(8 * height * width + 1, np.int32)
    first = (row + 1) * wide + column + 1
    cost[first] = metres[first] = 0.0
    entry_node[0], entry_next[0], head[0] = first, -1, 0
    entries, waiting, bucket = 1, 1, 0
    steps = (-wide - 1, -wide, -wide + 1, -1, 1, wide - 1, wide, wide + 1)
    lengths = (_DIAGONAL, 1.0, _DIAGONAL, 1.0, 1.0, _DIAGONAL, 1.0, _DIAGONAL)
    while waiting and left != 0:
        entry = head[bucket & (buckets - 1)]
        if entry < 0:
            bucket += 1
            continue
        head[bucket & (buckets - 1)] = entry_next[entry]
        waiting -= 1
        node = entry_node[entry]
        if final[node]:
            continue
        final[node] = True
        if wanted[node]:
            left -= 1
        if metres[node] > most_metres:
            continue
        reached, here = cost[node], half[node]
        for step in range(8):
            there = node + steps[step]
            if final[there]:
                continue
            onward = reached + lengths[step] * (half[there] + here)
            known = cost[there]
            if onward > known or onward == np.inf:
                continue
            if onward == known:
                other = parent[there]
                if cost[other] < reached or (cost[other] == reached and other < node):
                    continue
            elif known == np.inf or int(known) != int(onward):
                slot = int(onward) & (buckets - 1)
                entry_node[entries], entry_next[entries], head[slot] = there, head[slot], entries
                entries, waiting = entries + 1, waiting + 1
            cost[there] = onward
            metres[there] = metres[node] + lengths[step] * cell
            parent[there] = node
    parent_HW = parent.reshape(height + 2, wide)[1:-1, 1:-1].copy()
    for r in range(height):
        for c in range(width):
            if parent_HW[r, c] >= 0:
                parent_HW[r, c] = (parent_HW[r, c] // wide - 1) * width + parent_HW[r, c] % wide - 1
    return metres.reshape(height + 2, wide)[1:-1, 1:-1].copy(), parent_HW
