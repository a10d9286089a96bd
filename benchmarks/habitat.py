"""The bridge to Habitat-Sim: `python -m benchmarks.habitat --habitat-python PATH [--scene procedural-0002] [--json]`.

One house on both backends, from the same poses: differences of depth, unlit colours and geodesic distances. Then the
time of Habitat's frames in a child process and in this process (if this interpreter has habitat_sim), and of whole
steps: ours, and Habitat's with our sound, with RLR (500 rays), and with habitat-sim's own audio sensor (500 rays).
Rounds alternate. Times are CPU time of all processes, or wall-clock time in the rows that say so.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import statistics
from collections.abc import Callable
from functools import partial

import click
import numpy as np

from avw.sim_bridge.acoustics.engine import AcousticEngine
from avw.sim_bridge.acoustics.rlr import RlrEngine
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.rendering.renderer import RenderConfig, Renderer
from avw.sim_bridge.simulators.embedded import EmbeddedSimulator
from avw.sim_bridge.simulators.habitat.audio_sensor import AudioSensorConfig, AudioSensorEngine
from avw.sim_bridge.simulators.habitat.session import IN_PROCESS
from avw.sim_bridge.simulators.habitat.simulator import HabitatSimulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.simulators.scene_simulator import SceneSimulator
from avw.sim_bridge.task.task import sample_episode
from avw.sim_bridge.types import Pose
from benchmarks.cpu_time import Spent, measured
from benchmarks.habitat_peer import PEER_RLR, RAYS
from benchmarks.rows import Row, present
from benchmarks.walks import half_turns, random_pose

JUMP = 0.1  # relative difference of depth between neighbouring pixels at a silhouette
ROUNDS = 5


@click.command()
@click.option("--scene", default="procedural-0002", show_default=True, help="Scene, as for `avw generate --scenes`.")
@click.option("--habitat-python", default=None, help="Python with habitat-sim. [default: $AVW_HABITAT_PYTHON]")
@click.option("--size", default=128, show_default=True, help="Image width and height in pixels.")
@click.option("--views", default=60, show_default=True, help="Poses from which both render.")
@click.option("--pairs", default=300, show_default=True, help="Pairs of floor points for geodesic distances.")
@click.option("--steps", default=100, show_default=True, help="Steps per round.")
@click.option("--quick", is_flag=True, help="Only compare results, without timing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def habitat(
    scene: str, habitat_python: str | None, size: int, views: int, pairs: int, steps: int, quick: bool, as_json: bool
) -> None:
    """Differences between the Habitat backend and the embedded one, and its cost."""
    config = SimulatorConfig(size=size)
    ours = EmbeddedSimulator(scene, config)
    theirs = HabitatSimulator(scene, dataclasses.replace(config, backend="habitat", habitat_python=habitat_python))
    version = theirs.session.hello["version"]
    where = f"{scene}, {len(ours.scene.faces_F3):,} triangles, habitat-sim {version}"
    rng = keyed_rng("benchmark", "habitat")
    poses = [random_pose(ours.navgrid, rng) for _ in range(views)]
    rows = _image_rows(ours, theirs, poses, f"{views} views of {size}x{size}, {where}")
    rows += _geodesics(ours.navgrid, theirs.navgrid, pairs, rng, where)
    if not quick:
        rows += _frames(theirs, scene, config, poses, where)
        rows += _steps(ours, theirs, steps, f"{size}x{size}, {where}")
    present("habitat", rows, as_json=as_json)


def _image_rows(ours: EmbeddedSimulator, theirs: HabitatSimulator, poses: list[Pose], conditions: str) -> list[Row]:
    unlit = Renderer(
        RayScene(ours.scene), ours.config.size, ours.config.hfov, config=RenderConfig(lit=False)
    )  # Habitat has no lamps
    off, edge, error = [], [], []
    for pose in poses:
        mine, yours = unlit.view(pose.camera_3, pose.yaw), theirs.session.look(theirs.stage, pose.position_3, pose.yaw)
        off.append(np.abs(mine.depth_HW - yours[1]))
        edge.append(silhouettes(mine.depth_HW))
        error.append(((mine.rgb_HWC.astype(np.float64) - yours[0]) ** 2).mean(axis=2)[mine.face_HW >= 0])
    off_N, edge_N = 1e3 * np.array(off).ravel(), np.array(edge).ravel()
    away_N = off_N[~edge_N]
    apart = f"{conditions}; without silhouettes ({edge_N.mean():.1%} of the pixels)"
    psnr = 10 * math.log10(255**2 / max(float(np.concatenate(error).mean()), 1e-9))
    p99, p50, all_p99 = (float(np.quantile(of, q)) for of, q in ((away_N, 0.99), (away_N, 0.5), (off_N, 0.99)))
    return [
        Row(name="depth, p99 of the difference", ours=p99, peer=1.0, peer_name="required: at most", unit="mm",
            conditions=apart),
        Row(name="depth, p50 of the difference", ours=p50, unit="mm", conditions=apart),
        Row(name="depth, p99 of all pixels", ours=all_p99, unit="mm", conditions=conditions),
        Row(name="colour, unlit, PSNR", ours=psnr, peer=30.0, peer_name="required: at least", unit="dB",
            conditions=conditions),
    ]  # fmt: skip


def silhouettes(depth_HW: np.ndarray) -> np.ndarray:
    """bool (H, W): pixels with a neighbour at a different depth or without a hit."""
    padded = np.pad(depth_HW, 1, mode="edge")
    height, width = depth_HW.shape
    around = np.stack([padded[i : i + height, j : j + width] for i in range(3) for j in range(3)])
    return np.asarray((around.max(axis=0) - around.min(axis=0) > JUMP * depth_HW) | (around.min(axis=0) == 0.0))


def _geodesics(ours: FreeSpace, theirs: FreeSpace, pairs: int, rng: np.random.Generator, conditions: str) -> list[Row]:
    relative: list[float] = []
    apart = 0
    while len(relative) + apart < pairs:
        start_3, goal_3 = ours.sample(rng), ours.sample(rng)
        if not (theirs.is_free(start_3) and theirs.is_free(goal_3)):
            continue  # within a centimetre of a wall the backends may differ
        mine, yours = ours.geodesic(goal_3).distance(start_3), theirs.geodesic(goal_3).distance(start_3)
        if not (math.isfinite(mine) and math.isfinite(yours)):
            apart += 1
        elif mine > 0.5:
            relative.append(yours / mine - 1.0)
    percent = 100.0 * np.array(relative)
    conditions = f"{len(relative)} pairs more than 0.5 m apart, {apart} with a path in only one backend, {conditions}"
    return [
        Row(name="geodesics, p95 of the difference", ours=float(np.quantile(np.abs(percent), 0.95)), peer=2.5,
            peer_name="required: at most", unit="%", conditions=conditions),
        Row(name="geodesics, mean difference", ours=float(percent.mean()), unit="%", conditions=conditions),
        Row(name="free floor", ours=ours.area, peer=theirs.area, peer_name="Habitat's", unit="m²",
            conditions=conditions),
    ]  # fmt: skip


def _frames(
    theirs: HabitatSimulator, scene: str, config: SimulatorConfig, poses: list[Pose], conditions: str
) -> list[Row]:
    if importlib.util.find_spec("habitat_sim") is None:
        why = "this interpreter has no habitat_sim: add its site-packages to PYTHONPATH, or run in its environment"
        return [Row(name="frames in-process did not run", ours=0.0, unit="-", conditions=why)]
    here = HabitatSimulator(scene, dataclasses.replace(config, backend="habitat", habitat_python=IN_PROCESS))
    poses = poses * 4  # the CPU time of a child has a resolution of 0.01 s
    found = _alternate({
        "child": partial(_look, theirs, poses),
        "here": partial(_look, here, poses),
    })  # fmt: skip
    rows = [
        Row(name=f"frames in a child, {what}", ours=1e3 * getattr(found["child"], kind) / len(poses),
            peer=1e3 * getattr(found["here"], kind) / len(poses), peer_name="in-process", unit="ms per frame",
            conditions=f"required: a ratio of at most 1.10; {config.size}x{config.size}, {conditions}")
        for what, kind in (("CPU", "cpu"), ("clock", "wall"))
    ]  # fmt: skip
    here.session.close()
    return rows


def _look(simulator: HabitatSimulator, poses: list[Pose]) -> None:
    for pose in poses:
        simulator.session.look(simulator.stage, pose.position_3, pose.yaw)


def _steps(ours: EmbeddedSimulator, theirs: HabitatSimulator, steps: int, conditions: str) -> list[Row]:
    """Whole steps; every round also places the source once."""
    sounds: dict[str, tuple[SceneSimulator, AcousticEngine]] = {
        "embedded, emitters": (ours, ours.engine),
        "Habitat, emitters": (theirs, theirs.engine),
    }
    if importlib.util.find_spec("rlr_audio_propagation") is not None:
        sounds[f"Habitat, rlr, {RAYS} rays"] = (theirs, RlrEngine(theirs.scene, PEER_RLR))
    if theirs.session.hello["audio"]:
        sensor = AudioSensorEngine(theirs.session, theirs.scene, AudioSensorConfig(rays=RAYS, bands=PEER_RLR.bands))
        sounds[f"Habitat, its own sensor, {RAYS} rays"] = (theirs, sensor)
    tasks = {name: _walk(simulator, engine, steps) for name, (simulator, engine) in sounds.items()}
    found = _alternate(tasks, rounds=3)
    peer_name = list(tasks)[-1]
    rows = [
        Row(name=f"steps, {name}, {what}", ours=steps / getattr(found[name], kind),
            peer=None if name == peer_name else steps / getattr(found[peer_name], kind),
            peer_name="" if name == peer_name else peer_name, unit="1/s",
            conditions=f"{steps} steps, half turns, {conditions}")
        for name in tasks for what, kind in (("CPU", "cpu"), ("clock", "wall"))
    ]  # fmt: skip
    if len(tasks) < 4:
        missing = "RLR (pip install 'avw[rlr]') and a habitat-sim built with audio"
        rows.append(Row(name="steps of some engines did not run", ours=0.0, unit="-", conditions=f"needs {missing}"))
    return rows


def _walk(simulator: SceneSimulator, engine: AcousticEngine, steps: int) -> Callable[[], None]:
    start, source = sample_episode(simulator, 0)
    actions = half_turns(steps)

    def walk() -> None:
        simulator.engine = engine
        simulator.reset(start, source)
        for action in actions:
            simulator.step(action)

    return walk


def _alternate(tasks: dict[str, Callable[[], None]], rounds: int = ROUNDS) -> dict[str, Spent]:
    """Median CPU and wall-clock seconds per task; the first round is a warm-up."""
    found: dict[str, list[Spent]] = {name: [] for name in tasks}
    for _ in range(rounds + 1):
        for name, task in tasks.items():
            found[name].append(measured(task))
    return {
        name: Spent(statistics.median(s.cpu for s in spent[1:]), statistics.median(s.wall for s in spent[1:]))
        for name, spent in found.items()
    }


if __name__ == "__main__":
    habitat()
