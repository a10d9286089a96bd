"""Compiles the kernels of the simulator ahead: what the first episode on a machine would otherwise do."""

from __future__ import annotations

from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.catalogue import load_scene
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import sample_source, sample_start
from avw.sim_bridge.types import Action

SCENE = "procedural-0007"
EMITTERS = 100


def compile_sight() -> None:
    """Images, light, free floor, motion, walking distances."""
    import numpy as np

    simulator = open_simulator(SCENE, SimulatorConfig(size=16, emitters=EMITTERS))
    source = sample_source(simulator.navgrid, np.random.default_rng(0))
    pose = sample_start(simulator.navgrid, source, np.random.default_rng(0), min_distance=3.0)
    assert pose is not None
    simulator.renderer.render(pose.camera_3, pose.yaw)  # type: ignore[attr-defined]
    simulator.navgrid.move(pose, pose.after(Action.FORWARD))


def compile_sound() -> None:
    """Impulse responses."""
    import numpy as np

    scene = load_scene(SCENE)
    navgrid, ray_scene = free_space_of(scene), RayScene(scene)
    source = sample_source(navgrid, np.random.default_rng(0))
    engine = make_engine("emitters", scene, ray_scene, emitters=EMITTERS, hrtf=None)
    engine.set_source(np.asarray(source.position_3), 0)
    for seed in range(4):
        pose = sample_start(navgrid, source, np.random.default_rng(seed))
        assert pose is not None
        engine.impulse_response(pose)
    engine.close()
