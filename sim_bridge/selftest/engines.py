"""Makes acoustic engines for the self-test's rooms."""

from __future__ import annotations

from typing import Any

from avw.sim_bridge.acoustics.engine import AcousticEngine
from avw.sim_bridge.acoustics.open_engine import emitters_config, make_engine
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.selftest.check import EngineMaker

RLR_RAYS = 2_000
"""RLR's responses are noisy: with its usual 500 rays, the error of a decay is half of the tolerance."""


def engine_maker(acoustics: str = "emitters", emitters: int = 10_000) -> EngineMaker:
    """Makes engines of one kind for any scene, as the simulator does, or with other fields of EmittersConfig."""

    def make(scene: Scene, **options: Any) -> AcousticEngine:
        if acoustics == "rlr":
            from avw.sim_bridge.acoustics.rlr import RlrConfig, RlrEngine

            return RlrEngine(scene, RlrConfig(rays=RLR_RAYS))
        if not options:
            return make_engine(acoustics, scene, RayScene(scene), emitters=emitters)
        from avw.sim_bridge.acoustics.emitters import EmittersEngine

        return EmittersEngine(RayScene(scene), emitters_config(emitters, **options))

    return make
