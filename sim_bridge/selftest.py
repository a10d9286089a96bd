"""The physics that a simulator must obey, run on the user's machine: `avw doctor` and the test-suite share it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from sim_bridge.acoustics.checks import ANY_ENGINE, Check, EngineMaker
from sim_bridge.acoustics.emitter_checks import EMITTERS
from sim_bridge.acoustics.engine import AcousticEngine, make_engine
from sim_bridge.acoustics.path_checks import PATHS
from sim_bridge.errors import AvwError
from sim_bridge.rendering.raycast import RayScene
from sim_bridge.rendering.renderer import Renderer
from sim_bridge.scenes.scene import Scene
from sim_bridge.scenes.shoebox import shoebox
from sim_bridge.sight_checks import SIGHT, Sees


def engine_maker(acoustics: str = "emitters", emitters: int = 10_000) -> EngineMaker:
    """Makes engines of one kind for any scene, as the simulator does, or with other fields of EmittersConfig."""

    def make(scene: Scene, **options: Any) -> AcousticEngine:
        if not options:
            return make_engine(acoustics, scene, RayScene(scene), emitters=emitters)
        from sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine

        rays = max(1, emitters // 5)  # as `make_engine` has it
        return EmittersEngine(RayScene(scene), EmittersConfig(emitters=emitters, rays=rays, **options))

    return make


def renderer_maker() -> Callable[[Scene, int, float], Sees]:
    """Makes renderers for any scene, as the simulator does."""
    return lambda scene, size, hfov: Renderer(RayScene(scene), size, hfov)


def run_checks(acoustics: str = "emitters") -> Iterator[Check]:
    """Every check that applies to the engine called `acoustics`, then those of sight, one at a time.

    An engine that raises fails the check. Raises BackendError at once where there is no such engine here.
    """
    make = engine_maker(acoustics)
    make(shoebox((6.0, 3.0, 5.0))).close()
    for check in (*ANY_ENGINE, *((*EMITTERS, *PATHS) if acoustics == "emitters" else ())):
        yield _run(check, make)
    for look in SIGHT:
        yield _run(look, renderer_maker())


def _run(check: Callable[[Any], Check], make: Any) -> Check:
    begin = time.perf_counter()
    try:
        result = check(make)
    except AvwError as error:
        name = check.__name__.replace("_", " ")
        result = Check(name=name, expected="an answer", measured=str(error), ok=False, fix="see what it says")
    return replace(result, ok=bool(result.ok), seconds=time.perf_counter() - begin)
