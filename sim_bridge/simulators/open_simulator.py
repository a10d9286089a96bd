"""The only file that knows every simulator backend: from a scene and a configuration to an open simulator."""

from __future__ import annotations

from avw.sim_bridge.simulators.protocol import Simulator, SimulatorConfig, check_config, resolved


def open_simulator(scene: str, config: SimulatorConfig | None = None) -> Simulator:
    """Open `scene` (`procedural-0007`, a mesh file, ...) on the backend that `config` names.

    Raises SceneError for a scene that is missing or unusable, UsageError for an unknown backend, BackendError for one
    that is not installed.
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
    """Versions of what simulates outside of this package. Raises BackendError where it is not to be had."""
    if config.backend not in ("habitat", "soundspaces"):
        return {}
    from avw.sim_bridge.simulators.habitat.session import WORKER, open_session
    from avw.sim_bridge.simulators.soundspaces.simulator import SCRIPT

    script = SCRIPT if config.backend == "soundspaces" else WORKER
    hello = open_session(config.habitat_python, script).hello
    return {"habitat-sim": str(hello["version"]), "habitat-sim's python": str(hello["python"])}
