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
from sim_bridge.floor_checks import FLOOR
from sim_bridge.navigation.navgrid import NavGrid
from sim_bridge.rendering.raycast import RayScene
from sim_bridge.rendering.renderer import Renderer
from sim_bridge.scenes.scene import Scene
from sim_bridge.scenes.shoebox import shoebox
from sim_bridge.sight_checks import SIGHT, Sees
from sim_bridge.simulator import SimulatorConfig, check_config

RLR_RAYS = 2_000
"""RLR answers with noise; at the 500 rays that it is run with, a decay is uncertain by half of what is allowed."""


def engine_maker(acoustics: str = "emitters", emitters: int = 10_000) -> EngineMaker:
    """Makes engines of one kind for any scene, as the simulator does, or with other fields of EmittersConfig."""

    def make(scene: Scene, **options: Any) -> AcousticEngine:
        if acoustics == "rlr":
            from sim_bridge.acoustics.rlr import RlrConfig, RlrEngine

            return RlrEngine(scene, RlrConfig(rays=RLR_RAYS))
        if not options:
            return make_engine(acoustics, scene, RayScene(scene), emitters=emitters)
        from sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine

        rays = max(1, emitters // 5)  # as `make_engine` has it
        return EmittersEngine(RayScene(scene), EmittersConfig(emitters=emitters, rays=rays, **options))

    return make


def renderer_maker() -> Callable[[Scene, int, float], Sees]:
    """Makes renderers for any scene, as the simulator does."""
    return lambda scene, size, hfov: Renderer(RayScene(scene), size, hfov)


def run_checks(
    acoustics: str = "emitters", backend: str = "embedded", habitat_python: str | None = None
) -> Iterator[Check]:
    """Every check that applies to the engine called `acoustics`, then those of sight and of the floor, one at a time.

    backend: "embedded", or "habitat" for the Habitat-Sim of `habitat_python` (`sim_bridge.habitat.selftest`)
    An engine that raises fails the check. Raises BackendError at once where there is no such engine here.
    """
    check_config(SimulatorConfig(backend=backend, acoustics=acoustics))
    if backend == "habitat":
        from sim_bridge.habitat.selftest import run_habitat_checks

        yield from run_habitat_checks(acoustics, habitat_python)
        return
    make = engine_maker(acoustics)
    make(shoebox((6.0, 3.0, 5.0))).close()
    for check in (*ANY_ENGINE, *((*EMITTERS, *PATHS) if acoustics == "emitters" else ())):
        yield run_check(check, make)
    for look in SIGHT:
        yield run_check(look, renderer_maker())
    for floor in FLOOR:
        yield run_check(floor, NavGrid.from_scene)


def run_check(check: Callable[[Any], Check], make: Any) -> Check:
    """What became of it, and how long it took; what it raises is a failure."""
    begin = time.perf_counter()
    try:
        result = check(make)
    except AvwError as error:
        name = check.__name__.replace("_", " ")
        result = Check(name=name, expected="an answer", measured="none", ok=False, fix=str(error))
    return replace(result, ok=bool(result.ok), seconds=time.perf_counter() - begin)
