"""How hard an episode is, from its start, its source and the house only."""

from __future__ import annotations

import math
from dataclasses import dataclass

from avw.sim_bridge.simulators.protocol import Simulator

LEVELS = ("easy", "medium", "hard")
STRAIGHT, WINDING = 1.1, 1.4  # geodesic / Euclidean


@dataclass(frozen=True, kw_only=True, slots=True)
class Difficulty:
    """euclidean: metres from start to source, seen from above · ratio: geodesic / Euclidean distance
    occluded: whether something is between the ears at the start and the source
    level: "easy" if the source is in sight and the ratio below 1.1, "hard" if it is occluded and the ratio at least
        1.4, and "medium" otherwise
    """

    euclidean: float
    ratio: float
    occluded: bool
    level: str


def difficulty(simulator: Simulator) -> Difficulty:
    """Of the episode that the simulator has just begun."""
    (x, _, z), pose = simulator.source.floor_3, simulator.pose
    euclidean = math.hypot(x - pose.x, z - pose.z)
    ratio = max(1.0, simulator.distance_to_source() / max(euclidean, 1e-6))
    occluded = not simulator.in_sight(simulator.source.position_3)
    level = LEVELS[1]
    if not occluded and ratio < STRAIGHT:
        level = LEVELS[0]
    elif occluded and ratio >= WINDING:
        level = LEVELS[2]
    return Difficulty(euclidean=euclidean, ratio=ratio, occluded=occluded, level=level)
