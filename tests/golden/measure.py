"""What is recorded of houses, an episode and a plan: SHA-256 hashes, and figures that survive another last bit."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from avw.avw4k.plan.counterfactual import CounterfactualPoses
from avw.avw4k.plan.spec import DatasetSpec, plan
from avw.sim_bridge.navigation.open_free_space import free_space_of
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.catalogue import scene_sha256
from avw.sim_bridge.scenes.houses.procedural import generate_house
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.types import Pose
from tests.sim_bridge.backends import digest, play

FILE = Path(__file__).with_name("golden.json")
HOUSES = (0, 7, 1001, 4242)
EPISODES = (("procedural-0002", 0), ("procedural-0031", 1))
LIBRARIES = ("numpy", "scipy", "numba", "embreex", "trimesh")


def measure() -> dict[str, Any]:
    """Everything that `golden.json` holds, measured now."""
    return {
        "machine": machine(),
        "draws": [float(keyed_rng("golden", 3).random()), int(keyed_rng(0, "scene", 7).integers(2**31))],
        "plan": _plan(),
        "houses": {str(seed): _house(seed) for seed in HOUSES},
        "counterfactual": _counterfactual("procedural-0002"),
        "episodes": {f"{scene} {number}": _episode(scene, number) for scene, number in EPISODES},
    }


def machine() -> dict[str, str]:
    """Where hashes of floating-point results can be compared: the processor's vector units and the libraries."""
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    units = " ".join(unit for unit in ("avx2", "avx512f", "fma") if unit in flags)
    return {"processor": f"{platform.machine()} {units}", **{name: version(name) for name in LIBRARIES}}


def _plan() -> dict[str, str]:
    spec = DatasetSpec(scenes=tuple(f"procedural-{seed:04d}" for seed in range(6)), trajectories=24, steps=40, seed=3)
    shards = [(s.name, s.scene, [(e.index, e.mode, e.source_seed) for e in s.episodes]) for s in plan(spec)]
    return {"spec": spec.sha256, "shards": hashlib.sha256(repr(shards).encode()).hexdigest()}


def _house(seed: int) -> dict[str, Any]:
    scene = generate_house(seed)
    edges_F23 = np.diff(scene.triangles_F33.astype(np.float64), axis=1)
    areas_F = np.linalg.norm(np.cross(edges_F23[:, 0], edges_F23[:, 1]), axis=1) / 2.0
    colours = [float(surface.texture_HWC.mean()) for surface in scene.surfaces]
    return {
        "sha256": scene_sha256(scene),
        "faces": len(scene.faces_F3),
        "surfaces": len(scene.surfaces),
        "rooms": [room.kind for room in scene.rooms],
        "area": float(areas_F.sum()),
        "centre": [float(value) for value in scene.vertices_V3.mean(axis=0)],
        "colour": float(np.mean(colours)),
        "absorption": float(np.mean([np.mean(surface.material.absorption_6) for surface in scene.surfaces])),
    }


def _counterfactual(scene: str) -> dict[str, Any]:
    """The poses of some observations around a random place."""
    navgrid, rng = free_space_of(generate_house(int(scene[-4:]))), keyed_rng("golden", "counterfactual")
    field, (x, y, z) = navgrid.geodesic(navgrid.sample(rng)), navgrid.sample(rng)
    pose = Pose(float(x), float(y), float(z), 1.0)
    drawer = CounterfactualPoses(field, 0, scene, 4)
    poses_TN5 = np.stack([drawer.draw(t, pose, field.distance(pose.position_3)) for t in range(4)])
    return {
        "sha256": hashlib.sha256(poses_TN5.tobytes()).hexdigest(),
        "means": [float(value) for value in poses_TN5.mean(axis=(0, 1), dtype=np.float64)],
    }


def _episode(scene: str, number: int) -> dict[str, Any]:
    simulator = open_simulator(scene, SimulatorConfig(size=32, emitters=2_000))
    observations = play(simulator, number)
    simulator.close()
    audio_TES = np.stack([observation.audio_ES for observation in observations]).astype(np.float64)
    return {
        "sha256": digest(observations),
        "colour": float(np.mean([observation.rgb_HWC.mean() for observation in observations])),
        "depth": float(np.mean([observation.depth_HW.mean() for observation in observations])),
        "loudness": [float(value) for value in np.sqrt(np.square(audio_TES).mean(axis=(0, 2)))],
    }
