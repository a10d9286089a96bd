"""Cost of a decision of the planner: `python -m benchmarks.plan [--quick] [--json]`.

A decision of `mpc` draws the map, chooses candidates on it, encodes what was seen and heard since the last decision,
predicts all candidates in one batch, looks up the field, and searches paths to the likely places of the source. Its
peers have the same network and the same number of predictions: the cross-entropy method (CEM) of NWM (arXiv
2412.03572), and the CEM solver of stable-worldmodel as shipped, if it is installed (`benchmarks.shipped_cem`). CEM
predicts a quarter of the candidates per iteration, because each iteration samples around the best of the last one; it
samples motions freely and needs no map. Weights are random, because they do not change the cost. Decisions per second
of CPU time, one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import click
import numpy as np
import torch

from avw.model.context import Context, Observer
from avw.model.memory.free_space import reachable_poses, walking_cost
from avw.model.memory.poses import compose, places_on, walking_steps
from avw.model.memory.spatial_memory import SpatialMemory
from avw.model.planning.distance_field import DistanceField
from avw.model.planning.outlook import outlook
from avw.model.planning.source_paths import expected_paths
from avw.model.planning.walking import Walker
from avw.model.world_model import WorldModel
from avw.sim_bridge.randomness import keyed_rng
from benchmarks import shipped_cem
from benchmarks.imagine import random_model, walk, with_new_sounds
from benchmarks.rows import Row, alternate, present

ITERATIONS = 4
ELITE_SHARE = 0.2


@click.command()
@click.option("--scene", default="procedural-0217", show_default=True, help="A scene, as for `avw generate`.")
@click.option("--quick", is_flag=True, help="Small images, few candidates and two rounds: seconds, not minutes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def plan(scene: str, quick: bool, as_json: bool) -> None:
    """Measure decisions per second by number of candidates, denoising steps, and whether anything is imagined."""
    torch.set_num_threads(1)
    size, counts, steps = (32, (8,), (0, 1)) if quick else (128, (16, 64, 128), (0, 1, 4))
    walked = walk(scene, size, 8 if quick else 40)
    model = random_model(walked, "memory", context=6)
    observer = Observer(model.needs)
    for observation, action in walked:
        observer.observe(observation, action)
    context = observer.context()
    assert context.memory is not None
    contexts = with_new_sounds(context, model.ages)
    peers: dict[str, Decision] = {"CEM": cem}
    if shipped_cem.solvers() is not None:
        peers["stable-worldmodel"] = shipped
    else:
        click.echo("stable-worldmodel is not installed (pip install --no-deps stable-worldmodel loguru)", err=True)
    rows = []
    for count in counts:
        for passes in steps:
            tasks = {
                name: repeated(decision, model, contexts, count, passes)
                for name, decision in (("mpc", decide), *peers.items())
            }
            seconds = alternate(tasks, rounds=2 if quick else 5)
            what = "nothing imagined" if passes == 0 else f"{passes} denoising step{'s' if passes > 1 else ''}"
            rows += [
                Row(
                    name=f"decisions/s, {count} candidates",
                    ours=1.0 / seconds["mpc"],
                    peer=1.0 / seconds[peer],
                    peer_name=f"{peer}, {ITERATIONS} x {count // ITERATIONS}",
                    unit="1/s",
                    conditions=f"{what}, {size} x {size} pixels, one thread",
                )
                for peer in peers
            ]
    present("plan", rows, as_json=as_json)


Decision = Callable[[WorldModel, Context, int, int], np.ndarray]


class EncodedOnce:
    """A model that encodes the context in the first iteration only, as a planner that is written for it would."""

    def __init__(self, model: WorldModel) -> None:
        self._model: WorldModel = model
        self._history: Any = None

    def encode(self, contexts: list[Context]) -> Any:
        if self._history is None:
            self._history = self._model.encode(contexts)
        return self._history

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def repeated(
    decision: Decision, model: WorldModel, contexts: Iterator[Context], count: int, passes: int
) -> Callable[[], object]:
    """A decision from the next context, each time it is called."""
    return lambda: decision(model, next(contexts), count, passes)


def decide(model: WorldModel, context: Context, count: int, passes: int) -> np.ndarray:
    """A decision of the planner with `count` candidates: the place with the lowest expected distance."""
    memory = context.memory
    assert isinstance(memory, SpatialMemory)
    space = Walker(memory).space()
    cost_HW = walking_cost(space)
    poses = reachable_poses(space, cost_HW=cost_HW)
    chosen = np.linspace(0, len(poses) - 1, count).round().astype(int)
    motion_K3, steps_K = poses.motion_K3[chosen], poses.steps_K[chosen]
    predicted = outlook(model, context, motion_K3, steps_K, denoising_steps=passes, seed=0)
    place_K2 = compose(memory.pose_4, motion_K3)[:, :2]
    field = DistanceField()
    field.add(place_K2, predicted.distance_K[:-1], predicted.variance_K[:-1])
    distance_K = field.at(place_K2)
    if predicted.source_G2 is not None and predicted.p_G is not None:
        source_G2 = places_on(memory.pose_4, predicted.source_G2)
        paths_K = expected_paths(space, cost_HW, place_K2, source_G2, predicted.p_G)
        distance_K = distance_K if paths_K is None else 0.5 * (distance_K + paths_K)
    return np.asarray(place_K2[int(distance_K.argmin())])


def shipped(model: WorldModel, context: Context, count: int, passes: int) -> np.ndarray:
    """The motion with the lowest expected distance, found by the CEM solver of stable-worldmodel."""
    model = cast("WorldModel", EncodedOnce(model))
    samples = max(2, count // ITERATIONS)
    elites = max(2, round(ELITE_SHARE * samples))  # it needs a standard deviation
    return shipped_cem.solve(model, context, samples, ITERATIONS, elites, passes)


def cem(model: WorldModel, context: Context, count: int, passes: int) -> np.ndarray:
    """The motion (forward, left, turn) with the lowest expected distance, found by the cross-entropy method."""
    model = cast("WorldModel", EncodedOnce(model))
    rng = keyed_rng("benchmark", "cem")
    mean_3, deviation_3 = np.zeros(3), np.array([3.0, 3.0, 1.5])
    samples = max(2, count // ITERATIONS)
    elites = max(1, round(ELITE_SHARE * samples))
    for _ in range(ITERATIONS):
        motion_K3 = (mean_3 + deviation_3 * rng.standard_normal((samples, 3))).astype(np.float32)
        steps_K = walking_steps(motion_K3).clip(1, model.max_offset).round().astype(np.int64)
        predicted = outlook(model, context, motion_K3, steps_K, denoising_steps=passes, seed=0)
        best_E3 = motion_K3[np.argsort(predicted.distance_K[:-1], kind="stable")[:elites]]
        mean_3, deviation_3 = best_E3.mean(0), best_E3.std(0) + 1e-3
    return mean_3


if __name__ == "__main__":
    plan()
