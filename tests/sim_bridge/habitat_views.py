"""Compares our images of a scan with those of a real habitat-sim that opens the mesh and dataset configuration."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from avw.sim_bridge.simulators.embedded import EmbeddedSimulator

_PROGRAM = """
import ctypes, json, sys
ctypes.CDLL("libstdc++.so.6", mode=ctypes.RTLD_GLOBAL)
import habitat_sim, numpy as np
glb, config, size, poses, out = json.loads(sys.argv[1])
settings = habitat_sim.SimulatorConfiguration()
settings.scene_id, settings.scene_dataset_config_file, settings.gpu_device_id = glb, config, -1
sensors = []
for name, kind in (("depth", "DEPTH"), ("semantic", "SEMANTIC")):
    sensor = habitat_sim.CameraSensorSpec()
    sensor.uuid, sensor.sensor_type = name, getattr(habitat_sim.SensorType, kind)
    sensor.resolution, sensor.position = [size, size], np.zeros(3)
    sensors.append(sensor)
agent = habitat_sim.agent.AgentConfiguration()
agent.sensor_specifications = sensors
sim = habitat_sim.Simulator(habitat_sim.Configuration(settings, [agent]))
box = sim.get_active_scene_graph().get_root_node().cumulative_bb
seen = []
for x, y, z, yaw in poses:
    state = habitat_sim.AgentState()
    state.position = np.array([x, y, z], dtype=np.float32)
    state.rotation = habitat_sim.utils.common.quat_from_angle_axis(yaw, np.array([0.0, 1.0, 0.0]))
    sim.get_agent(0).set_state(state)
    seen.append(sim.get_sensor_observations())
np.savez(out, depth=[s["depth"] for s in seen], semantic=[s["semantic"] for s in seen], low=box.min, high=box.max,
         objects=len(sim.semantic_scene.objects), area=sim.pathfinder.navigable_area if sim.pathfinder.is_loaded else 0)
sim.close()
"""


def compare_with_habitat(python: str, simulator: EmbeddedSimulator, views: int = 8) -> dict[str, Any]:
    """Render depth and semantic images from the same poses in both simulators, and assert that they agree.

    Returns Habitat's images, the corners of its bounding box, its number of objects, and the area of its navmesh.
    """
    files, size = simulator.ref.files, simulator.config.size
    assert files is not None
    rng = np.random.default_rng(0)
    floor = [simulator.navgrid.sample(rng) for _ in range(views)]
    poses = [[float(p[0]), float(p[1]) + 1.25, float(p[2]), float(rng.uniform(-np.pi, np.pi))] for p in floor]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "seen.npz"
        arguments = [str(files.mesh), str(files.dataset_config or "default"), size, poses, str(out)]
        done = subprocess.run(
            [python, "-c", _PROGRAM, json.dumps(arguments)], check=False, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr[-2000:]
        # A mesh used for both colour and semantics, as in Replica, is already loaded when it is requested again.
        errors = [x for x in done.stderr.splitlines() if ":[Error]" in x and "Reloading asset" not in x]
        assert errors == []
        seen = dict(np.load(out))
    object_F = simulator.scene.object_F
    assert object_F is not None
    for index, (x, y, z, yaw) in enumerate(poses):
        _, depth_HW = simulator.renderer.render(np.array([x, y, z]), yaw)
        assert np.quantile(np.abs(depth_HW - seen["depth"][index]), 0.9) < 1e-3
        face_HW = simulator.renderer.view(np.array([x, y, z]), yaw).face_HW
        ours_HW = np.where(face_HW >= 0, object_F[face_HW] - 1, -1)
        assert (ours_HW == seen["semantic"][index]).mean() > 0.95
    return seen
