"""A free field: a room that absorbs everything, for measuring direct sound."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from avw.sim_bridge.acoustics.engine import AcousticEngine
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.types import EAR_HEIGHT, Pose

SPEED_OF_SOUND = 343.0
FREE_FIELD_FLOOR = 8.0  # metres: the listener's floor, far from every boundary
_SIZE = (30.0, 20.0, 30.0)  # metres, fully absorbing


def empty_space() -> Scene:
    return shoebox(_SIZE, absorption=1.0, scattering=0.5)


def free_field(make: Callable[..., AcousticEngine], source_xz: tuple[float, float], yaw: float = 0.0) -> np.ndarray:
    """The response (2, S) to a source at ear height, x and z metres from a listener with nothing around."""
    engine = make(empty_space())
    engine.set_source(np.array([source_xz[0], FREE_FIELD_FLOOR + EAR_HEIGHT, source_xz[1]]))
    response_ES = engine.impulse_response(Pose(0.0, FREE_FIELD_FLOOR, 0.0, yaw))
    engine.close()
    return response_ES
