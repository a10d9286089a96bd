"""Cost of a simulator step and its parts: `python -m benchmarks.simulate [--scene procedural-0003] [--quick] [--json]`.

Half of the steps walk and half turn, as in the scripts of a dataset. Whole steps are compared with real time (a step
lasts 0.15 s) and with habitat-sim plus RLR at 500 rays on the same scene and poses. Frames of habitat-sim are measured
if a Python with habitat-sim is found (`--habitat-python`, $AVW_HABITAT_PYTHON); otherwise our frames are used instead,
and the row says so. The same run measures whether our setting has reference quality, which means no more noise than RLR
at 500 rays (`benchmarks.envelopes`). The parts are measured separately, on the poses of the same walk.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
from functools import partial

import click
import numpy as np

from avw.sim_bridge.acoustics.open_engine import make_engine
from avw.sim_bridge.acoustics.rlr import RlrConfig, RlrEngine
from avw.sim_bridge.acoustics.sounds import load_sound
from avw.sim_bridge.acoustics.stream import BinauralStream
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.simulators.embedded import EmbeddedSimulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.follower import greedy_action
from avw.sim_bridge.task.task import AudioNavTask, TaskConfig, sample_episode
from avw.sim_bridge.types import STEP_SECONDS, Action, Pose
from benchmarks import habitat_peer
from benchmarks.noise_and_cost import Setting, noises
from benchmarks.places import find_places
from benchmarks.rows import Row, alternate, present
from benchmarks.walks import half_turns

AIM = 120.0  # target, steps per second of one core


@click.command()
@click.option("--scene", default="procedural-0003", show_default=True, help="A scene, as for `avw generate`.")
@click.option("--size", default=128, show_default=True, help="Image width and height, in pixels.")
@click.option("--emitters", default=SimulatorConfig().emitters, show_default=True, help="Virtual emitters per source.")
@click.option("--steps", default=200, show_default=True, help="Steps per round.")
@click.option("--habitat-python", default=None, help="Python with habitat-sim. [default: $AVW_HABITAT_PYTHON]")
@click.option("--quick", is_flag=True, help="Skip the noise measurement and the other simulators.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def simulate(
    scene: str, size: int, emitters: int, steps: int, habitat_python: str | None, quick: bool, as_json: bool
) -> None:
    """Measure steps per second of the embedded simulator on one core, by part, compared with habitat-sim and RLR."""
    config = SimulatorConfig(size=size, emitters=emitters)
    simulator = EmbeddedSimulator(scene, config)
    task = AudioNavTask(simulator, TaskConfig(max_steps=steps + 1))
    start, source = sample_episode(simulator, seed=0)
    actions = half_turns(steps)
    poses = [start]
    for action in actions:
        poses.append(simulator.navgrid.move(poses[-1], poses[-1].after(action))[0])

    def whole() -> None:
        task.reset(start, source)
        for action in actions:
            task.step(action)

    whole()  # places the source; the parts below use the engine in this state
    source_3, floor_3 = np.array(source.position_3), np.array(source.floor_3)
    field = simulator.navgrid.geodesic(source.floor_3)
    stream = BinauralStream(load_sound(source.sound), source.phase)
    responses = [simulator.engine.impulse_response(pose) for pose in poses]
    stream.reset(responses[0])
    seconds = alternate(
        {
            "whole step": whole,
            "sight (RGB-D)": lambda: [simulator.renderer.render(pose.camera_3, pose.yaw) for pose in poses[1:]],
            "sound: impulse response": lambda: [simulator.engine.impulse_response(pose) for pose in poses[1:]],
            "sound: stream": lambda: [stream.step(response_ES) for response_ES in responses[1:]],
            "motion": lambda: [simulator.navgrid.move(pose, pose.after(Action.FORWARD)) for pose in poses[1:]],
            "geodesic": lambda: [field.distance(pose.position_3) for pose in poses[1:]],
            "follower (scripts only)": lambda: [greedy_action(field, pose) for pose in poses[1:]],
        },
        rounds=5,
    )
    conditions = (
        f"{size}x{size}, {emitters} emitters, {len(simulator.scene.faces_F3)} triangles, "
        f"{_share_of_turns(poses):.0%} turns, one core"
    )
    seeds = itertools.count(1)  # a source that was traced before is not traced again
    once = alternate(
        {
            "once per source: trace": lambda: simulator.engine.set_source(source_3, next(seeds)),
            "once per source: geodesic field": lambda: simulator.navgrid.build_geodesic(floor_3),
        },
        rounds=3,
    )
    # `whole` reuses its source; a dataset places a new one every 160 steps.
    per_step = seconds["whole step"] / steps + once["once per source: trace"] / 160
    rows = [
        Row(
            name="steps, the source's trace shared among 160",
            ours=1.0 / per_step,
            peer=1.0 / STEP_SECONDS,
            peer_name="real time",
            unit="1/s of CPU",
            conditions=f"{conditions}; aim: {AIM:g}",
        )
    ]
    if not quick:
        milliseconds = {name: 1e3 * value / steps for name, value in seconds.items()}
        rows += _peer_rows(simulator, source_3, poses, 1.0 / per_step, milliseconds, habitat_python, conditions)
        rows += _quality_rows(simulator, emitters)
    rows += [
        Row(name=name, ours=1000 * value / steps, unit="ms of CPU per step", conditions=conditions)
        for name, value in seconds.items()
    ]
    rows += [Row(name=name, ours=1000 * value, unit="ms of CPU", conditions=conditions) for name, value in once.items()]
    present("simulate", rows, as_json=as_json)


def _peer_rows(
    simulator: EmbeddedSimulator,
    source_3: np.ndarray,
    poses: list[Pose],
    ours: float,
    milliseconds: dict[str, float],
    python: str | None,
    conditions: str,
) -> list[Row]:
    """Whole steps compared with frames of habitat-sim (without it, our own) plus RLR responses on the same walk."""
    if importlib.util.find_spec("rlr_audio_propagation") is None:
        return [_absent("habitat-sim + RLR did not run", "RLR is not installed; type: pip install 'avw[rlr]'")]
    every = poses[1::4]
    sound = habitat_peer.rlr_milliseconds(simulator.scene, source_3, every)
    config = dataclasses.replace(simulator.config, backend="habitat", habitat_python=python)
    theirs = habitat_peer.open_habitat(simulator.scene_id, config)
    if theirs is not None:
        frames = habitat_peer.habitat_frames(theirs, every)
        sight, peer_name = min(frames.cpu, frames.wall), f"habitat-sim {frames.version} + RLR, 500 rays"
        note = f"frame {frames.cpu:.2f} ms of CPU, {frames.wall:.2f} by the clock: the smaller counts"
    else:
        sight, peer_name = milliseconds["sight (RGB-D)"], "OUR frames + RLR, 500 rays"
        note = "habitat-sim is not installed, so its frames are missing: ours stand in for them"
    peer = 1e3 / (sight + sound + milliseconds["sound: stream"])
    return [
        Row(
            name="steps beside habitat-sim + RLR",
            ours=ours,
            peer=peer,
            peer_name=peer_name,
            unit="1/s of CPU",
            conditions=f"{conditions}; RLR {sound:.1f} ms a step; {note}",
        )
    ]


def _quality_rows(simulator: EmbeddedSimulator, emitters: int) -> list[Row]:
    """Noise of our setting compared with RLR at 500 rays, in the room of the source and two rooms away."""
    scene = simulator.scene
    places = find_places(scene, simulator.navgrid, listeners=2)
    rays = RayScene(scene)
    ours, best = (
        Setting(name=name, make=partial(make_engine, "emitters", scene, rays, emitters=count))
        for name, count in (("ours", emitters), ("best", 10 * emitters))
    )
    mine = noises([ours], best, places, 12)["ours"]
    theirs = None
    if importlib.util.find_spec("rlr_audio_propagation") is not None:
        peer, dear = (
            Setting(name=name, make=partial(RlrEngine, scene, RlrConfig(rays=count, bands=4)))
            for name, count in (("peer", habitat_peer.RAYS), ("dear", 5_000))
        )
        theirs = noises([peer], dear, places, 10)["peer"]
    return [
        Row(
            name=f"noise, {where}",
            ours=getattr(mine, where.replace(" ", "_")),
            peer=getattr(theirs, where.replace(" ", "_")) if theirs else None,
            peer_name="RLR, 500 rays" if theirs else "",
            unit="dB",
            conditions="reference quality: a ratio of at most 1",
        )
        for where in ("same room", "two rooms away")
    ]


def _absent(name: str, why: str) -> Row:
    return Row(name=name, ours=0.0, unit="-", conditions=why)


def _share_of_turns(poses: list[Pose]) -> float:
    return sum(one.yaw != other.yaw for one, other in itertools.pairwise(poses)) / (len(poses) - 1)


if __name__ == "__main__":
    simulate()
