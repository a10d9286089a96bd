"""Cost of a step of habitat-sim with RLR: its frames through our bridge, and responses of the RLR package.

RLR, the engine in Habitat's audio sensor, runs as shipped: 500 rays, four bands, one thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.acoustics.rlr import RlrConfig, RlrEngine
from avw.sim_bridge.errors import BackendError
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.simulators.habitat.simulator import HabitatSimulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.types import Pose
from benchmarks.cpu_time import measured

RAYS = 500  # SoundSpaces' setting for navigation
PEER_RLR = RlrConfig(rays=RAYS, bands=4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frames:
    """Milliseconds per RGB-D frame: CPU time of all threads of both processes, and wall-clock time."""

    cpu: float
    wall: float
    version: str


def habitat_frames(simulator: HabitatSimulator, poses: Sequence[Pose]) -> Frames:
    """Time the frames at `poses`. Raises BackendError if most of them show nothing."""
    look, stage = simulator.session.look, simulator.stage
    look(stage, poses[0].position_3, poses[0].yaw)  # the first frame uploads the scene
    seen: list[bool] = []

    def show() -> None:
        seen.extend(bool(look(stage, pose.position_3, pose.yaw)[1].max() > 0.0) for pose in poses)

    spent = measured(show)
    if np.mean(seen) < 0.5:
        raise BackendError("habitat-sim hit nothing in most frames: the scene was probably not loaded upright")
    return Frames(
        cpu=1e3 * spent.cpu / len(poses),
        wall=1e3 * spent.wall / len(poses),
        version=str(simulator.session.hello["version"]),
    )


def open_habitat(scene: str, config: SimulatorConfig) -> HabitatSimulator | None:
    """The scene on Habitat-Sim, or None if that is not installed. Raises BackendError if `habitat_python` fails."""
    try:
        return HabitatSimulator(scene, config)
    except BackendError as error:
        if config.habitat_python is None and "not installed" in str(error):
            return None
        raise


def rlr_milliseconds(scene: Scene, source_3: np.ndarray, poses: Sequence[Pose]) -> float:
    """CPU milliseconds per response: the mean over poses. Moves and turns cost the same, because RLR has no cache."""
    engine = RlrEngine(scene, PEER_RLR)
    engine.set_source(source_3)
    engine.impulse_response(poses[0])
    before = engine.cpu_seconds
    for pose in poses:
        engine.impulse_response(pose)
    spent = engine.cpu_seconds - before
    engine.close()
    return 1e3 * spent / len(poses)
