"""The physics that a simulator must obey, run on the user's machine: `avw doctor` and the test-suite share it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from sim_bridge.acoustics.checks import ANY_ENGINE, Check, EngineMaker
from sim_bridge.acoustics.emitter_checks import EMITTERS
from sim_bridge.acoustics.engine import AcousticEngine, make_engine
from sim_bridge.errors import AvwError
from sim_bridge.rendering.raycast import RayScene
from sim_bridge.scenes.scene import Scene
from sim_bridge.scenes.shoebox import shoebox


def engine_maker(acoustics: str = "emitters", emitters: int = 10_000) -> EngineMaker:
    """Makes engines of one kind for any scene, as the simulator does."""

    def make(scene: Scene) -> AcousticEngine:
        return make_engine(acoustics, scene, RayScene(scene), emitters=emitters)

    return make


def run_checks(acoustics: str = "emitters") -> Iterator[Check]:
    """Every check that applies to the engine called `acoustics`, one at a time.

    An engine that raises fails the check. Raises BackendError at once where there is no such engine here.
    """
    make = engine_maker(acoustics)
    make(shoebox((6.0, 3.0, 5.0))).close()
    for check in (*ANY_ENGINE, *(EMITTERS if acoustics == "emitters" else ())):
        begin = time.perf_counter()
        try:
            result = check(make)
        except AvwError as error:
            name = check.__name__.replace("_", " ")
            result = Check(name=name, expected="an answer", measured=str(error), ok=False, fix="see what it says")
        yield replace(result, ok=bool(result.ok), seconds=time.perf_counter() - begin)
