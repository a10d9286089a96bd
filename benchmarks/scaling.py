"""Memory and time of a response by number of triangles and emitters, each point measured in a fresh process.

The number of triangles is increased by splitting every face of a furnished house into four: the geometry and its
acoustics stay the same, but the ray-tracing tree grows.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.scene import Scene
from benchmarks.fine_mesh import quarters
from benchmarks.places import Places
from benchmarks.resident_memory import resident_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """One point to measure. splits: how often faces are split · emitters: virtual emitters kept per source"""

    splits: int
    emitters: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """The cost of a load.

    tree, once, response: CPU milliseconds to build the tree, per source, and per response at a new position
    memory: of the tree, the engine and its emitters (MiB)
    """

    triangles: int
    emitters: int
    tree: float
    once: float
    response: float
    memory: float


def points(scene: Scene, places: Places, loads: Iterable[Load]) -> list[Point]:
    """Measure every load in a new process, one after another."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1, maxtasksperchild=1) as pool:
        return [pool.apply(_measure, (scene, places, load)) for load in loads]


def split_faces(scene: Scene, times: int) -> Scene:
    """Split every triangle into four at the middles of its edges, `times` times."""
    for _ in range(times):
        corners_F33 = _quartered(scene.triangles_F33)
        scene = replace(
            scene,
            vertices_V3=corners_F33.reshape(-1, 3),
            faces_F3=np.arange(3 * len(corners_F33), dtype=np.int32).reshape(-1, 3),
            uv_F32=_quartered(scene.uv_F32),
            surface_F=np.repeat(scene.surface_F, 4),
        )
    return scene


def _quartered(corner_F3: np.ndarray) -> np.ndarray:
    """float32: the corners of four faces for each face, split at the middles of its edges."""
    return quarters(corner_F3, 0.5 * (corner_F3 + np.roll(corner_F3, -1, axis=1))).astype(np.float32)


def _measure(scene: Scene, places: Places, load: Load) -> Point:
    warm = make_engine(
        "emitters", scene, RayScene(scene), emitters=100
    )  # compiles, and loads shared libraries and data
    warm.set_source(places.source_3)
    warm.impulse_response(places.walk[0])
    warm.close()
    split = split_faces(scene, load.splits)
    before, start = _resident_mib(), time.process_time()
    rays = RayScene(split)
    tree = time.process_time() - start
    engine = make_engine("emitters", split, rays, emitters=load.emitters)
    start = time.process_time()
    engine.set_source(places.source_3)
    once = time.process_time() - start
    poses = list({(pose.x, pose.z): pose for pose in places.walk}.values())[:40]
    start = time.process_time()
    for pose in poses:
        engine.impulse_response(pose)
    response = (time.process_time() - start) / len(poses)
    return Point(
        triangles=len(split.faces_F3),
        emitters=load.emitters,
        tree=1e3 * tree,
        once=1e3 * once,
        response=1e3 * response,
        memory=_resident_mib() - before,
    )


def _resident_mib() -> float:
    """Resident memory of this process in MiB, or its peak if the system does not report the present value."""
    resident = resident_bytes()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10 if resident is None else resident / 2**20
