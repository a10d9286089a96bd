"""Makes acoustic engines for the self-test's rooms."""

from __future__ import annotations

from typing import Any

from avw.sim_bridge.acoustics.engine import AcousticEngine
from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.selftest.check import EngineMaker

RLR_RAYS = 2_000
"""RLR answers with noise; at the 500 rays that it is run with, a decay is uncertain by half of what is allowed."""


def engine_maker(acoustics: str = "emitters", emitters: int = 10_000) -> EngineMaker:
    """Makes engines of one kind for any scene, as the simulator does, or with other fields of EmittersConfig."""

    def make(scene: Scene, **options: Any) -> AcousticEngine:
        if acoustics == "rlr":
            from avw.sim_bridge.acoustics.rlr import RlrConfig, RlrEngine

            return RlrEngine(scene, RlrConfig(rays=RLR_RAYS))
        if not options:
            return make_engine(acoustics, scene, RayScene(scene), emitters=emitters)
        from avw.sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine

        rays = max(1, emitters // 5)  # as `make_engine` has it
        return EmittersEngine(RayScene(scene), EmittersConfig(emitters=emitters, rays=rays, **options))

    return make
