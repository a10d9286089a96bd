"""Where the nodes of a grid lie in the floor plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from avw.sim_bridge.errors import SceneError

MAX_NODES = 40_000_000  # 316 x 316 m at 5 cm: no house is larger
# (row, column) steps to half of the 16 neighbours of a node; the other half are the same steps backwards.
HALF_OF_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1), (1, 2), (2, 1), (2, -1), (1, -2))


@dataclass(frozen=True, kw_only=True, slots=True)
class GridFrame:
    """Nodes over the floor plan: rows along z, columns along x.

    origin: (x, z) metres of node [0, 0] · cell: metres between nodes
    """

    origin: tuple[float, float]
    cell: float

    def to_grid(self, position_3: Sequence[float] | np.ndarray) -> tuple[float, float]:
        """(column, row), not rounded, of a point."""
        x, z = float(position_3[0]), float(position_3[2])
        return (x - self.origin[0]) / self.cell, (z - self.origin[1]) / self.cell

    def all_to_grid(self, points_N3: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(columns, rows) of many points."""
        return (points_N3[:, 0] - self.origin[0]) / self.cell, (points_N3[:, 2] - self.origin[1]) / self.cell

    def to_plan(self, column: Any, row: Any) -> tuple[Any, Any]:
        """(x, z) metres of columns and rows, which may be arrays or fractions."""
        return self.origin[0] + column * self.cell, self.origin[1] + row * self.cell


def frame_around(triangles_F33: np.ndarray, cell: float) -> tuple[GridFrame, int, int]:
    """(frame, rows, columns) of a grid that covers the triangles with a margin of two cells.

    Raises SceneError for a grid that no house needs, before it fills the memory.
    """
    margin = 2 * cell
    low_x, low_z = triangles_F33[:, :, 0].min() - margin, triangles_F33[:, :, 2].min() - margin
    columns = int(np.ceil((triangles_F33[:, :, 0].max() + margin - low_x) / cell)) + 1
    rows = int(np.ceil((triangles_F33[:, :, 2].max() + margin - low_z) / cell)) + 1
    if rows * columns > MAX_NODES:
        raise SceneError(
            f"a floor of {columns * cell:,.0f} x {rows * cell:,.0f} m is too large: its grid would have more than "
            f"{MAX_NODES:,} nodes. Most likely the mesh is not in metres; check it with `avw info FILE`"
        )
    return GridFrame(origin=(float(low_x), float(low_z)), cell=cell), rows, columns
