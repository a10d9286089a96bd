"""Random poses and walks for benchmarks; as in the scripts of a dataset, half of the steps of a walk are turns."""

from __future__ import annotations

import math

import numpy as np

from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import Action, Pose


def half_turns(steps: int) -> list[Action]:
    """Alternating runs of a few forward steps and a few turns, half of each; the same actions every time."""
    rng = keyed_rng("benchmark", "simulate")
    actions: list[Action] = []
    while len(actions) < steps:
        turn = Action.TURN_LEFT if rng.random() < 0.5 else Action.TURN_RIGHT
        count = int(rng.integers(2, 7))
        actions += [Action.FORWARD] * count + [turn] * count
    return actions[:steps]


def random_pose(free_space: FreeSpace, rng: np.random.Generator) -> Pose:
    """A pose at a random point of the free floor, in a random direction."""
    x, y, z = (float(value) for value in free_space.sample(rng))
    return Pose(x, y, z, float(rng.uniform(-math.pi, math.pi)))
