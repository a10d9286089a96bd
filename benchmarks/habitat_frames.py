"""Frames of habitat-sim, timed in an interpreter that has it: `python benchmarks/habitat_frames.py REQUEST.json`.

Stands alone: it imports nothing of AVW, for the Python that has habitat-sim is seldom ours. REQUEST.json holds `glb`
(a path, upright by the stage config beside it), `size` (pixels), `hfov` (degrees), `height` (metres) and `poses`
([x, y, z, yaw]). Prints one line of JSON: CPU and wall milliseconds per RGB-D frame, and the version.
"""

import json
import sys
import time

import habitat_sim
import numpy as np


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - old interpreters too
        request = json.load(file)
    backend = habitat_sim.SimulatorConfiguration()
    backend.scene_id = request["glb"]
    backend.enable_physics = False
    agent = habitat_sim.agent.AgentConfiguration()
    agent.sensor_specifications = [
        camera(name, kind, request)
        for name, kind in (("rgb", habitat_sim.SensorType.COLOR), ("depth", habitat_sim.SensorType.DEPTH))
    ]
    simulator = habitat_sim.Simulator(habitat_sim.Configuration(backend, [agent]))
    frames = request["poses"]
    show(simulator, frames[0])  # the first frame uploads the scene
    cpu, wall = time.process_time(), time.perf_counter()
    seen = sum(int(show(simulator, pose)["depth"].max() > 0.0) for pose in frames)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    simulator.close()
    answer = {"cpu_ms": 1e3 * cpu / len(frames), "wall_ms": 1e3 * wall / len(frames), "seen": seen / len(frames)}
    print(json.dumps({**answer, "version": habitat_sim.__version__}))


def camera(name, kind, request):
    """A square camera at the height of AVW's."""
    spec = habitat_sim.CameraSensorSpec()
    spec.uuid, spec.sensor_type = name, kind
    spec.resolution = [request["size"], request["size"]]
    spec.position = np.array([0.0, request["height"], 0.0])
    spec.hfov = request["hfov"]
    return spec


def show(simulator, pose):
    """The observations at [x, y, z, yaw]."""
    x, y, z, yaw = pose
    state = habitat_sim.AgentState()
    state.position = np.array([x, y, z])
    state.rotation = habitat_sim.utils.common.quat_from_angle_axis(yaw, np.array([0.0, 1.0, 0.0]))
    simulator.get_agent(0).set_state(state)
    return simulator.get_sensor_observations()


if __name__ == "__main__":
    main(sys.argv[1])
