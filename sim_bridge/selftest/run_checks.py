"""Runs the physics checks of a simulator, for `avw doctor` and for the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.renderer import Renderer
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.scenes.shoebox import shoebox
from avw.sim_bridge.selftest.check import Check, run_check
from avw.sim_bridge.selftest.emitter_checks import EMITTERS
from avw.sim_bridge.selftest.engine_checks import ANY_ENGINE
from avw.sim_bridge.selftest.engines import engine_maker
from avw.sim_bridge.selftest.floor_checks import FLOOR
from avw.sim_bridge.selftest.path_checks import PATHS
from avw.sim_bridge.selftest.sight_checks import SIGHT, Sees
from avw.sim_bridge.simulators.protocol import SimulatorConfig, check_config


def renderer_maker() -> Callable[[Scene, int, float], Sees]:
    """Makes renderers for any scene, as the simulator does."""
    return lambda scene, size, hfov: Renderer(RayScene(scene), size, hfov)


def run_checks(
    acoustics: str = "emitters", backend: str = "embedded", habitat_python: str | None = None
) -> Iterator[Check]:
    """Run every check that applies to the engine `acoustics`, then those of rendering and of free space, one by one.

    backend: "embedded", or "habitat" for the Habitat-Sim of `habitat_python` (`avw.sim_bridge.selftest.habitat_checks`)
    An engine that raises AvwError fails the check. Raises BackendError at once if the engine is not installed.
    """
    check_config(SimulatorConfig(backend=backend, acoustics=acoustics))
    if backend == "habitat":
        from avw.sim_bridge.selftest.habitat_checks import run_habitat_checks

        yield from run_habitat_checks(acoustics, habitat_python)
        return
    make = engine_maker(acoustics)
    make(shoebox((6.0, 3.0, 5.0))).close()
    for check in (*ANY_ENGINE, *((*EMITTERS, *PATHS) if acoustics == "emitters" else ())):
        yield run_check(check, make)
    for look in SIGHT:
        yield run_check(look, renderer_maker())
    for floor in FLOOR:
        yield run_check(floor, free_space_of)
