"""Compiles the kernels of the spatial memory ahead."""

from __future__ import annotations

import numpy as np

from avw.model.memory.spatial_memory import SpatialMemory
from avw.sim_bridge.types import STEP_SAMPLES, Action, Observation


def compile_memory() -> None:
    """Odometry, obstacles, reprojection, rolling, reachable poses."""
    memory = SpatialMemory(90.0)
    depth_HW = np.linspace(1.0, 3.0, 32 * 32, dtype=np.float32).reshape(32, 32)
    seen = Observation(np.zeros((32, 32, 3), np.uint8), depth_HW, np.zeros((2, STEP_SAMPLES), np.float32))
    memory.observe(seen)
    memory.observe(seen, Action.FORWARD)
    memory.reproject(memory.roll([Action.FORWARD, Action.TURN_LEFT]))
    memory.reachable()
