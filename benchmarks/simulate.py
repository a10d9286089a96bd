"""What a step costs and where: `python -m benchmarks.simulate [--scene procedural-0003] [--steps 200] [--json]`.

Half of the steps walk and half turn, as in the scripts of a dataset. The limit beside the whole is real time: the
0.15 s that a step lasts. The parts are called apart from each other, on the poses of the same walk.
"""

from __future__ import annotations

import itertools

import click
import numpy as np

from benchmarks.rows import Row, alternate, present
from sim_bridge.acoustics.sounds import load_sound
from sim_bridge.acoustics.stream import BinauralStream
from sim_bridge.embedded import EmbeddedSimulator
from sim_bridge.follower import greedy_action
from sim_bridge.navigation.geodesic import GeodesicField
from sim_bridge.randomness import keyed_rng
from sim_bridge.simulator import SimulatorConfig
from sim_bridge.task import AudioNavTask, TaskConfig, sample_episode
from sim_bridge.types import STEP_SECONDS, Action, Pose


@click.command()
@click.option("--scene", default="procedural-0003", show_default=True, help="A scene, as for `avw generate`.")
@click.option("--size", default=128, show_default=True, help="Pixels along each side.")
@click.option("--emitters", default=10_000, show_default=True, help="Virtual emitters per source.")
@click.option("--steps", default=200, show_default=True, help="Steps in a round.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def simulate(scene: str, size: int, emitters: int, steps: int, as_json: bool) -> None:
    """Steps per second of the embedded simulator on one core, whole and by part."""
    simulator = EmbeddedSimulator(scene, SimulatorConfig(size=size, emitters=emitters))
    task = AudioNavTask(simulator, TaskConfig(max_steps=steps + 1))
    start, source = sample_episode(simulator, seed=0)
    actions = _half_turns(steps)
    poses = [start]
    for action in actions:
        poses.append(simulator.navgrid.move(poses[-1], poses[-1].after(action))[0])

    def whole() -> None:
        task.reset(start, source)
        for action in actions:
            task.step(action)

    whole()  # places the source; the parts below use the engine as it stands then
    source_3, floor_3 = np.array(source.position_3), np.array(source.floor_3)
    field = GeodesicField.to(simulator.navgrid, source.floor_3)
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
    rows = [
        Row(
            name="steps",
            ours=steps / seconds["whole step"],
            peer=1.0 / STEP_SECONDS,
            peer_name="real time",
            unit="1/s of CPU",
            conditions=conditions,
        )
    ]
    rows += [
        Row(name=name, ours=1000 * value / steps, unit="ms of CPU per step", conditions=conditions)
        for name, value in seconds.items()
    ]
    once = alternate(
        {
            "once per source: trace": lambda: simulator.engine.set_source(source_3, 1),
            "once per source: geodesic field": lambda: GeodesicField(simulator.navgrid, floor_3),
        },
        rounds=3,
    )
    rows += [Row(name=name, ours=1000 * value, unit="ms of CPU", conditions=conditions) for name, value in once.items()]
    present("simulate", rows, as_json=as_json)


def _half_turns(steps: int) -> list[Action]:
    """Walks of a few steps and turns of a few steps, half of each, the same every time."""
    rng = keyed_rng("benchmark", "simulate")
    actions: list[Action] = []
    while len(actions) < steps:
        turn = Action.TURN_LEFT if rng.random() < 0.5 else Action.TURN_RIGHT
        count = int(rng.integers(2, 7))
        actions += [Action.FORWARD] * count + [turn] * count
    return actions[:steps]


def _share_of_turns(poses: list[Pose]) -> float:
    return sum(one.yaw != other.yaw for one, other in itertools.pairwise(poses)) / (len(poses) - 1)


if __name__ == "__main__":
    simulate()
