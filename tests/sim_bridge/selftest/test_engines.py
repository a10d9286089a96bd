"""The self-test checks the engine that the simulator opens."""

from __future__ import annotations

import numpy as np
import pytest

from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.selftest.engines import engine_maker
from avw.sim_bridge.types import EAR_HEIGHT, Pose


@pytest.mark.parametrize("options", [{}, {"air": True}], ids=["no options", "an option with its default value"])
def test_the_self_test_and_the_simulator_open_the_same_engine(options: dict) -> None:
    """Compared by the bytes of a response, in which every setting of the engine is audible."""
    scene = shoebox((6.0, 3.0, 5.0), 0.2, 0.5)
    responses = []
    for engine in (
        engine_maker(emitters=500)(scene, **options),
        make_engine("emitters", scene, RayScene(scene), emitters=500),
    ):
        engine.set_source(np.array([1.5, EAR_HEIGHT, -1.0]), seed=1)
        responses.append(engine.impulse_response(Pose(-1.0, 0.0, 0.5, 0.7)).tobytes())
        engine.close()
    assert responses[0] == responses[1]
