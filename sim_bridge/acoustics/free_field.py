"""A free field: a large room that absorbs all sound, in which direct sound is measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from avw.sim_bridge.acoustics.engine import AcousticEngine
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.types import EAR_HEIGHT, Pose

SPEED_OF_SOUND = 343.0  # m/s; written again here so that checks do not depend on the engines' own constant
FREE_FIELD_FLOOR = 8.0  # metres: height of the listener's floor point, far from every boundary
_SIZE = (30.0, 20.0, 30.0)  # metres


def empty_space() -> Scene:
    """A room of 30 x 20 x 30 m whose surfaces absorb all sound."""
    return shoebox(_SIZE, absorption=1.0, scattering=0.5)


def free_field(make: Callable[..., AcousticEngine], source_xz: tuple[float, float], yaw: float = 0.0) -> np.ndarray:
    """The response (2, S) of a listener at x = z = 0 with this `yaw` (radians) in an empty space.

    make: builds an engine for a scene · source_xz: the source's x and z in metres; it stands at ear height.
    """
    engine = make(empty_space())
    engine.set_source(np.array([source_xz[0], FREE_FIELD_FLOOR + EAR_HEIGHT, source_xz[1]]))
    response_ES = engine.impulse_response(Pose(0.0, FREE_FIELD_FLOOR, 0.0, yaw))
    engine.close()
    return response_ES
