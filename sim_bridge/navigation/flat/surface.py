"""The free floor of one level as arrays, with the coordinates of its nodes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix

from avw.sim_bridge.navigation.flat.geodesic_kernels import edges_are_free
from avw.sim_bridge.navigation.grid_frame import HALF_OF_NEIGHBOURS, GridFrame


@dataclass(frozen=True, kw_only=True, eq=False)
class FlatSurface:
    """The island on which the agent walks.

    clearance_HW: float64 metres to the nearest obstacle; 0 on every other island
    free_HW: bool, the agent can stand on the node · frame: where the nodes are
    floor_y: metres · radius: of the agent, metres
    """

    clearance_HW: np.ndarray
    free_HW: np.ndarray
    frame: GridFrame
    floor_y: float
    radius: float

    @cached_property
    def free_nodes_N2(self) -> np.ndarray:
        """(row, column) of every free node."""
        return np.argwhere(self.free_HW)

    @cached_property
    def free_points_N3(self) -> np.ndarray:
        """The floor points, float64 (N, 3), of the free nodes."""
        x_N, z_N = self.frame.to_plan(self.free_nodes_N2[:, 1], self.free_nodes_N2[:, 0])
        return np.stack([x_N, np.full(len(x_N), self.floor_y), z_N], axis=1)

    @cached_property
    def graph(self) -> csr_matrix:
        """The 16-neighbour graph over all nodes by flat index (each edge once), weights in metres."""
        rows, columns = self.free_HW.shape
        index_HW = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
        heads, tails, weights = [], [], []
        for dr, dc in HALF_OF_NEIGHBOURS:
            here = (slice(0, rows - dr), slice(max(0, -dc), columns - max(0, dc)))
            there = (slice(dr, rows), slice(max(0, dc), columns - max(0, -dc)))
            both = self.free_HW[here] & self.free_HW[there]
            head_N, tail_N = index_HW[here][both], index_HW[there][both]
            if abs(dr) + abs(dc) > 1:  # between neighbours along an axis the clearance is linear: free ends are enough
                free_N = edges_are_free(self.clearance_HW, self.radius, self.frame.cell, head_N, tail_N)
                head_N, tail_N = head_N[free_N], tail_N[free_N]
            heads.append(head_N)
            tails.append(tail_N)
            weights.append(np.full(len(head_N), self.frame.cell * np.hypot(dr, dc)))
        shape = (self.free_HW.size, self.free_HW.size)
        return csr_matrix((np.concatenate(weights), (np.concatenate(heads), np.concatenate(tails))), shape=shape)

    def point(self, column: float, row: float) -> np.ndarray:
        """The floor point, float64 (3,), of a column and a row that need not be whole."""
        x, z = self.frame.to_plan(float(column), float(row))
        return np.array([x, self.floor_y, z])

    def node_position(self, index: int) -> np.ndarray:
        """The floor point of a node by its flat index."""
        row, column = divmod(index, self.free_HW.shape[1])
        return self.point(column, row)

    def on_floor(self, position_3: np.ndarray) -> np.ndarray:
        """A position, float64 (3,), moved up or down to the height of the floor."""
        return np.array([position_3[0], self.floor_y, position_3[2]], dtype=np.float64)

    def nearest_free(self, position_3: np.ndarray) -> tuple[np.ndarray, float, float]:
        """The free node nearest to a point (3,), its horizontal distance, and the vertical one, metres."""
        points_N3 = self.free_points_N3
        square_N = (points_N3[:, 0] - position_3[0]) ** 2 + (points_N3[:, 2] - position_3[2]) ** 2
        best = int(np.argmin(square_N))
        return points_N3[best].copy(), float(np.sqrt(square_N[best])), abs(float(position_3[1]) - self.floor_y)

    def nearest_corner(self, column: float, row: float) -> int:
        """Flat index of the nearest free node among the corners of the cell around a free point."""
        corners = [
            (r, c) for r in (int(row), int(row) + 1) for c in (int(column), int(column) + 1) if self.free_HW[r, c]
        ]
        r, c = min(corners, key=lambda node: (node[0] - row) ** 2 + (node[1] - column) ** 2)
        return r * self.free_HW.shape[1] + c
