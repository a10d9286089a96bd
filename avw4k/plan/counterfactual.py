"""Counterfactual poses: for each observation, random places where the agent could be, and how far the source is there.

A recorded walk shows only where its walker went. A model that is to rank places needs distances elsewhere too.
"""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.navigation.free_space import Geodesic
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import TURN_RADIANS, Pose

POSES = 16  # per observation
REACH = 6.0  # metres from the agent, seen from above
RISE = 1.5  # metres above or below the agent: a flight of stairs that it could take, but not another storey
NUMBERS = 5  # of a pose: x, y, z, yaw, geodesic metres to the source
DRAWS = 128  # places that are tried per observation; most observations need about 40
_BATCH = 32  # places that are looked up at once
_TURNS = round(2.0 * np.pi / TURN_RADIANS)  # headings to which the agent can turn


class CounterfactualPoses:
    """Draws the poses of one episode; the same (seed, scene, t, pose, field) always gives the same poses.

    field: walks to the source · seed, scene: of the episode · observations: T + 1
    """

    def __init__(self, field: Geodesic, seed: int, scene: str, observations: int) -> None:
        self._field = field
        # Its own stream, so that the poses do not change any other random number of the episode.
        self._random_TK3 = keyed_rng(seed, scene, "counterfactual").random((observations, DRAWS, 3))

    def draw(self, t: int, pose: Pose, geodesic: float) -> np.ndarray:
        """float32 (16, 5): x, y, z of a floor point, yaw, and geodesic metres from the point to the source.

        The distance from the agent is uniform in [0, 6] m and the direction is uniform; a place is kept if the agent
        can walk there. The yaw is the agent's plus a random multiple of 10 degrees.
        geodesic: metres from `pose` to the source. Where too few places are found, the agent's own pose is repeated.
        """
        u_K3 = self._random_TK3[t]
        metres_K, angle_K = REACH * u_K3[:, 0], 2.0 * np.pi * u_K3[:, 1]
        y_K = np.full(DRAWS, pose.y)
        tried_K3 = np.stack([pose.x + metres_K * np.cos(angle_K), y_K, pose.z + metres_K * np.sin(angle_K)], axis=1)
        yaw_K = pose.yaw + TURN_RADIANS * np.floor(_TURNS * u_K3[:, 2])
        yaw_K = (yaw_K + np.pi) % (2.0 * np.pi) - np.pi
        found: list[tuple[float, ...]] = []
        for first in range(0, DRAWS, _BATCH):
            settled_N3 = self._field.navgrid.settle(tried_K3[first : first + _BATCH], RISE)
            for n in np.flatnonzero(~np.isnan(settled_N3[:, 1])):
                distance = self._field.distance(settled_N3[n])
                if np.isfinite(distance):
                    found.append((*settled_N3[n], yaw_K[first + n], distance))
                if len(found) == POSES:
                    return np.array(found, dtype=np.float32)
        own = (pose.x, pose.y, pose.z, pose.yaw, geodesic)
        return np.array(found + [own] * (POSES - len(found)), dtype=np.float32)
