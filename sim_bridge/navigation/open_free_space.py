"""The free floor of a scene: decides whether it is flat or has several levels that can be walked to."""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.errors import SceneError
from avw.sim_bridge.navigation.flat.clearance import clearance_map
from avw.sim_bridge.navigation.flat.grid import FlatGrid
from avw.sim_bridge.navigation.floor_levels import FLATNESS, floor_levels
from avw.sim_bridge.navigation.free_space import Floor, FreeSpace
from avw.sim_bridge.navigation.islands import no_floor
from avw.sim_bridge.navigation.layered.grid import LayeredGrid
from avw.sim_bridge.navigation.layered.span_kernels import ANOTHER_LEVEL, STEP
from avw.sim_bridge.navigation.layered.spans import ANOTHER_AREA, spans_above
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.types import AGENT_HEIGHT, AGENT_RADIUS

CELL = 0.05  # metres between nodes
CLIMB = 0.1  # metres that the agent steps over
HEAD_ROOM = 0.1  # metres free above the agent, so that the ears are never inside a hanging cabinet
OTHER_FLOOR = 5.0  # square metres from which another storey is worth a warning
STOREY = 1.6  # metres between floors
MIN_TREADS = 0.1  # square metres of treads at the height of one step, without which nothing leads up or down

NavGrid = FlatGrid | LayeredGrid
"""The free space of a scene as AVW computes it: both implement `FreeSpace`."""


def free_space_of(scene: Scene, *, radius: float = AGENT_RADIUS, cell: float = CELL) -> NavGrid:
    """The free floor of `scene`: of all its levels, the one with the most connected floor under a ceiling.

    Where stairs, ramps or steps lead to other levels, it is a `LayeredGrid` of all that can be walked to.
    Raises SceneError where nothing is level, or no piece of floor is large enough to stand on.
    """
    triangles_F33 = scene.triangles_F33
    # A flat roof is the largest floor of many houses, but nothing is above it. The second pass is for meshes that are
    # wound inside out.
    for facing_up in (True, False):
        best: FlatGrid | None = None
        best_indoors = 0.0
        for height, area in floor_levels(triangles_F33, facing_up=facing_up):
            if best_indoors > area:
                break  # levels come by size: no other can have more free floor than it has surface
            grid, indoors = _flat_grid(triangles_F33, height, scene.scene_id, radius, cell)
            if indoors > best_indoors:
                best, best_indoors = grid, indoors
        if best is not None:
            return _layered_grid(best, triangles_F33, facing_up) or best
    # No ceiling anywhere: the lowest of the large levels is the floor, even if the tops of things are free too.
    levels = floor_levels(triangles_F33)
    if levels:
        largest = max(area for _, area in levels)
        lowest = min(height for height, area in levels if area > 0.5 * largest)
        grid, _ = _flat_grid(triangles_F33, lowest, scene.scene_id, radius, cell)
        if grid is not None:
            return _layered_grid(grid, triangles_F33, True) or grid
    raise no_floor(scene.scene_id)


def unreachable_floors(scene: Scene, navgrid: FreeSpace, *, cell: float = CELL) -> tuple[Floor, ...]:
    """Storeys of `scene` under a roof, of 5 m² and more, to which no walk over `navgrid` leads; the lowest first."""
    triangles_F33 = scene.triangles_F33
    found: list[Floor] = []
    for height, area in floor_levels(triangles_F33, limit=8):
        if area < OTHER_FLOOR or any(abs(height - floor.y) < STOREY for floor in (*navgrid.floors, *found)):
            continue
        _, indoors = _flat_grid(triangles_F33, height, scene.scene_id, navgrid.radius, cell)
        if indoors >= OTHER_FLOOR:
            found.append(Floor(height, indoors))
    return tuple(sorted(found, key=lambda floor: floor.y))


def _flat_grid(
    triangles_F33: np.ndarray, level: float, scene_id: str, radius: float, cell: float
) -> tuple[FlatGrid | None, float]:
    """(the free floor at one height, its square metres under a ceiling), or (None, 0) where there is none."""
    try:
        found = clearance_map(triangles_F33, level, cell=cell, climb=CLIMB, height=AGENT_HEIGHT + HEAD_ROOM)
        grid = FlatGrid(found, radius=radius, scene_id=scene_id)
    except SceneError:
        return None, 0.0
    return grid, float((grid.surface.free_HW & found.indoor_HW).sum()) * cell**2


def _layered_grid(base: FlatGrid, triangles_F33: np.ndarray, facing_up: bool) -> LayeredGrid | None:
    """All that can be walked to from the one floor of `base`, if stairs, ramps or steps lead to more; else None."""
    if not _something_to_climb(base.floor_y, triangles_F33, facing_up):
        return None
    cell, tall = base.surface.frame.cell, AGENT_HEIGHT + HEAD_ROOM
    spans = spans_above(triangles_F33, base.floor_y, cell=cell, height=tall, radius=base.radius, facing_up=facing_up)
    if spans is None:
        return None
    try:
        grid = LayeredGrid(spans, radius=base.radius, scene_id=base.scene_id)
    except SceneError:
        return None
    surface = grid.surface
    elsewhere_N = np.abs(surface.arrays.height_KHW[surface.free_KHW] - base.floor_y) > ANOTHER_LEVEL
    return grid if elsewhere_N.sum() * cell**2 >= ANOTHER_AREA and grid.area > base.area else None


def _something_to_climb(floor_y: float, triangles_F33: np.ndarray, facing_up: bool) -> bool:
    """Whether a surface that can be stood on is at most one step above or below the floor.

    Most houses have one floor and no such surface; for them the search for spans is skipped.
    """
    low_F, high_F = triangles_F33[:, :, 1].min(axis=1), triangles_F33[:, :, 1].max(axis=1)
    above_F = (low_F <= floor_y + STEP + CLIMB) & (high_F > floor_y + CLIMB)
    below_F = (high_F >= floor_y - STEP - CLIMB) & (low_F < floor_y - CLIMB)
    near_F33 = triangles_F33[above_F | below_F].astype(np.float64)
    normal_F3 = np.cross(near_F33[:, 1] - near_F33[:, 0], near_F33[:, 2] - near_F33[:, 0])
    length_F = np.linalg.norm(normal_F3, axis=1)
    upward_F = normal_F3[:, 1] if facing_up else np.abs(normal_F3[:, 1])
    return float(0.5 * length_F[upward_F > FLATNESS * length_F].sum()) > MIN_TREADS
