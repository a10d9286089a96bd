"""From triangles to clearance: the distance from every node of the floor plan to what the agent would bump into.

Distances near obstacles are exact (point to clipped triangle, not cell to cell). The contour "clearance equals the
agent's radius" is therefore smooth, and an agent slides along slanted walls instead of following a staircase of cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.grid_frame import GridFrame, frame_around
from avw.sim_bridge.navigation.polygons import REACH, lower_to_distances

SKY = 1e6  # metres, above everything


@dataclass(frozen=True, kw_only=True, slots=True)
class ClearanceMap:
    """One floor seen from above.

    clearance_HW: float64 metres to the nearest obstacle or edge of the floor; row = z, column = x
    indoor_HW: bool, something is overhead (a roof's upper side is a floor too, but not indoors)
    frame: where the nodes are · floor_y: metres
    """

    clearance_HW: np.ndarray
    indoor_HW: np.ndarray
    frame: GridFrame
    floor_y: float


def clearance_map(
    triangles_F33: np.ndarray, floor_y: float, *, cell: float, climb: float, height: float
) -> ClearanceMap:
    """Measure the clearance on the floor at `floor_y` (metres) for an agent `height` metres tall.

    climb: metres; the agent walks over what is lower than this (rugs, sills).
    """
    triangles_F33 = np.ascontiguousarray(triangles_F33, dtype=np.float64)
    lowest_y, highest_y = triangles_F33[:, :, 1].min(axis=1), triangles_F33[:, :, 1].max(axis=1)
    walkable = triangles_F33[(lowest_y >= floor_y - climb) & (highest_y <= floor_y + climb)]
    if len(walkable) == 0:
        raise SceneError(f"no level surface at y = {floor_y:.2f} m: the faces there are slopes")
    frame, rows, columns = frame_around(walkable, cell)

    def distance(faces: np.ndarray, bottom: float, top: float, reach: float) -> np.ndarray:
        out_HW = np.full((rows, columns), np.inf)
        lower_to_distances(faces, bottom, top, *frame.origin, cell, reach, out_HW)
        return out_HW

    obstacles = triangles_F33[(highest_y > floor_y + climb) & (lowest_y < floor_y + height)]
    overhead = triangles_F33[highest_y > floor_y + height]
    near_HW = distance(obstacles, floor_y + climb, floor_y + height, REACH)
    touch = 0.3 * cell  # closes the hairline gaps between neighbouring faces of a floor
    floor_HW = distance(walkable, floor_y - climb, floor_y + climb, touch) <= touch
    indoor_HW = distance(overhead, floor_y + height, SKY, touch) <= touch

    blocked_HW = ~floor_HW | (near_HW <= 0.5 * cell)
    # Half a diagonal less: the nearest obstacle may extend that far out of its cell.
    far_HW = ndimage.distance_transform_edt(~blocked_HW, sampling=cell) - 0.71 * cell
    clearance_HW = np.where(near_HW < REACH, near_HW, np.maximum(far_HW, REACH))
    edge_HW = ndimage.distance_transform_edt(floor_HW, sampling=cell) - 0.5 * cell
    clearance_HW = np.maximum(np.minimum(clearance_HW, edge_HW), 0.0)
    return ClearanceMap(clearance_HW=clearance_HW, indoor_HW=indoor_HW, frame=frame, floor_y=floor_y)
