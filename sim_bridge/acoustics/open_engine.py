"""Opens an acoustic engine by name; the only file that knows all engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avw.sim_bridge.acoustics.engine import ENGINES, AcousticEngine
from avw.sim_bridge.errors import UsageError

if TYPE_CHECKING:
    from avw.sim_bridge.acoustics.emitters import EmittersConfig
    from avw.sim_bridge.rendering.raycast import RayScene
    from avw.sim_bridge.scenes.scene import Scene


def emitters_config(emitters: int, **options: Any) -> EmittersConfig:
    """The configuration of the engine "emitters": two rays are traced for every five virtual emitters.

    options: other fields of EmittersConfig. `make_engine` and the self-test both use this function, so that the
    self-test checks the engine that the simulator opens.
    """
    from avw.sim_bridge.acoustics.emitters import EmittersConfig

    return EmittersConfig(emitters=emitters, rays=max(1, 2 * emitters // 5), **options)


def make_engine(
    name: str, scene: Scene, ray_scene: RayScene, *, emitters: int = 10_000, hrtf: str | None = None
) -> AcousticEngine:
    """The engine called `name` ("emitters" or "rlr") for one scene. Imports only what that engine needs.

    emitters: virtual emitters kept per source ("emitters" only) · hrtf: a SOFA file instead of KEMAR ("emitters" only).
    Raises UsageError for an unknown name, or for a SOFA file with an engine that does not support one, and
    BackendError if an optional engine is not installed.
    """
    if name == "emitters":
        from avw.sim_bridge.acoustics.emitters import EmittersEngine

        return EmittersEngine(ray_scene, emitters_config(emitters, hrtf=hrtf))
    if name == "rlr":
        if hrtf is not None:
            raise UsageError("RLR uses its own head model: omit the SOFA file, or use --acoustics emitters")
        from avw.sim_bridge.acoustics.rlr import RlrEngine

        return RlrEngine(scene)
    raise UsageError(f"unknown acoustics {name!r}: expected one of {', '.join(ENGINES)}")
