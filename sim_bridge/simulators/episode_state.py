"""The state of one episode, and the checks before it starts. Every backend uses them."""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.navigation.free_space import FreeSpace, Geodesic
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.simulators.placement import check_source
from avw.sim_bridge.types import Pose, Source


class EpisodeState:
    """The pose of the agent, the source, and the distance between them.

    `SceneSimulator` adds rendering and AVW's acoustics; a simulator with its own sound uses this class directly.
    """

    navgrid: FreeSpace
    _ray_scene: RayScene

    def __init__(self) -> None:
        self.collided = False
        self._pose: Pose | None = None
        self._source: Source | None = None
        self._field: Geodesic | None = None

    @property
    def pose(self) -> Pose:
        """The pose of the agent. Raises UsageError before the first `reset`."""
        if self._pose is None:
            raise not_reset("pose")
        return self._pose

    @property
    def source(self) -> Source:
        """The episode's source. Raises UsageError before the first `reset`."""
        if self._source is None:
            raise not_reset("source")
        return self._source

    def distance_to_source(self, position_3: np.ndarray | None = None) -> float:
        """Geodesic metres from a floor point (default: the agent's) to the source's; inf if there is no path."""
        if self._field is None:
            self._field = self.navgrid.geodesic(self.source.floor_3)
        return self._field.distance(self.pose.position_3 if position_3 is None else position_3)

    def in_sight(self, position_3: np.ndarray | tuple[float, float, float]) -> bool:
        """Whether nothing is between the ears of the agent and a point."""
        ray_3 = np.asarray(position_3, dtype=np.float64) - self.pose.ears_3
        return not bool(self._ray_scene.occluded(self.pose.ears_3[None], ray_3[None], 0.999)[0])


def check_episode(ray_scene: RayScene, navgrid: FreeSpace, start: Pose, source: Source) -> None:
    """Raises UsageError for a start off the free floor, or a source inside a wall or outdoors."""
    if not navgrid.is_free(start.position_3):
        raise UsageError(
            f"the agent cannot stand at ({start.x:.2f}, {start.y:.2f}, {start.z:.2f}) in scene {navgrid.scene_id!r}: "
            f"the point is inside an obstacle, nearer than {navgrid.radius} m to one, or not on the main floor "
            f"at y = {navgrid.floor_y:.2f}. Choose a start with `navgrid.sample`"
        )
    misplaced = check_source(ray_scene, navgrid, np.asarray(source.position_3, dtype=np.float64))
    if misplaced is not None:
        raise UsageError(misplaced.sentence())


def not_reset(what: str) -> UsageError:
    """The error for `what` of a simulator that has no episode yet."""
    return UsageError(f"the simulator has no episode yet, so it has no {what}: call `reset(start, source)` first")
