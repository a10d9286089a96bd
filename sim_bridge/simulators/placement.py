"""Checks the position of a source: it must be in the air above the agent's floor, not inside a wall or outdoors."""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.inspection.findings import Finding
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.types import EAR_HEIGHT

NEARBY = 2.0  # metres: within this distance, a source must be visible from some point above the free floor
_LOOKS = 96


def check_source(ray_scene: RayScene, navgrid: FreeSpace, position_3: np.ndarray) -> Finding | None:
    """The problem of a source at `position_3` (metres), or None.

    A source is inside a wall, a closed cabinet or the ground if it is visible from no point above the free floor within
    2 m. It is outdoors if nothing is above it but the agent's floor has a roof.
    """
    position_3 = np.asarray(position_3, dtype=np.float64)
    where = f"({position_3[0]:.2f}, {position_3[1]:.2f}, {position_3[2]:.2f}) in scene {navgrid.scene_id!r}"
    fix = "choose its place with `avw.sim_bridge.task.task.sample_source`, or 1.5 m above a point of `navgrid.sample`"
    if not np.isfinite(position_3).all():
        return Finding(
            "source-nowhere", "error", "the source's position is not finite", where, "a damaged episode", fix
        )
    around_N3 = navgrid.near(position_3, NEARBY)
    if len(around_N3):
        spread = np.linspace(0, len(around_N3) - 1, min(_LOOKS, len(around_N3))).astype(int)
        seen_from_N3 = around_N3[spread] + np.array([0.0, EAR_HEIGHT, 0.0])
        rays_N3 = seen_from_N3 - position_3
        if not ray_scene.occluded(np.repeat(position_3[None], len(rays_N3), axis=0), rays_N3, 0.999).all():
            return _roofless(ray_scene, position_3, seen_from_N3, where, fix)
    if not _blocked(ray_scene, position_3, np.array([0.0, 1.0, 0.0])):
        return Finding("source-outside", "error", "the source is outside the house", where, "nothing is above it", fix)
    if not len(around_N3):
        cause = f"no floor that the agent can reach is within {NEARBY:g} m of it"
        return Finding("source-outside", "error", "the source is away from the agent's floor", where, cause, fix)
    cause = "it is not visible from the free floor around it: it is inside a wall, a closed cabinet or the ground"
    return Finding("source-in-wall", "error", "the source is inside something solid", where, cause, fix)


def _roofless(
    ray_scene: RayScene, position_3: np.ndarray, inside_N3: np.ndarray, where: str, fix: str
) -> Finding | None:
    """A source that is visible through a door or a window, but outdoors while the agent's floor is under a roof."""
    up_3 = np.array([0.0, 1.0, 0.0])
    if _blocked(ray_scene, position_3, up_3):
        return None
    roofed_N = ray_scene.occluded(inside_N3, np.tile(up_3, (len(inside_N3), 1)))
    if roofed_N.mean() < 0.9:
        return None
    return Finding("source-outside", "error", "the source is outside the house", where, "nothing is above it", fix)


def _blocked(ray_scene: RayScene, position_3: np.ndarray, direction_3: np.ndarray) -> bool:
    """Whether most rays of a narrow bundle hit something: a single one may pass through a hole of a scan."""
    aside = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [-0.1, 0.0, 0.0], [0.0, 0.0, 0.1], [0.0, 0.0, -0.1]])
    origins_N3 = np.repeat(position_3[None], len(aside), axis=0)
    return bool(ray_scene.occluded(origins_N3, direction_3 + aside).mean() > 0.5)
