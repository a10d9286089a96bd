"""Opens a scene on the configured backend. This is the only file that knows all backends."""

from __future__ import annotations

from pathlib import Path

from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.protocol import Simulator, SimulatorConfig, check_config, resolved


def open_simulator(scene: str | Path | SceneRef, config: SimulatorConfig | None = None) -> Simulator:
    """Open a scene on the backend that `config` names.

    scene: a name such as "procedural-0007" or "mp3d/17DRP5sb8fy", the path of a mesh file, or a scene from
    `resolve_scenes`. Raises SceneError for a scene that is missing or not usable, UsageError for an unknown backend,
    BackendError for a backend that is not installed.
    """
    config = resolved(config or SimulatorConfig())
    check_config(config)
    if config.backend == "habitat":
        from avw.sim_bridge.simulators.habitat.simulator import HabitatSimulator

        return HabitatSimulator(scene, config)
    if config.backend == "soundspaces":
        from avw.sim_bridge.simulators.soundspaces.simulator import SoundSpacesSimulator

        return SoundSpacesSimulator(scene, config)
    from avw.sim_bridge.simulators.embedded import EmbeddedSimulator

    return EmbeddedSimulator(scene, config)


def backend_versions(config: SimulatorConfig) -> dict[str, str]:
    """Versions of the simulators outside of this package. Raises BackendError if one is not available."""
    if config.backend not in ("habitat", "soundspaces"):
        return {}
    from avw.sim_bridge.simulators.habitat.session import WORKER, open_session
    from avw.sim_bridge.simulators.soundspaces.simulator import SCRIPT

    script = SCRIPT if config.backend == "soundspaces" else WORKER
    hello = open_session(config.habitat_python, script).hello
    return {"habitat-sim": str(hello["version"]), "habitat-sim's python": str(hello["python"])}
