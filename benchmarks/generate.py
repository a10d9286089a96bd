"""Speed of dataset generation, by stage: `python -m benchmarks.generate [--trajectories 24] [--json]`.

Three measurements in one run. (1) One process makes shards, with each stage timed separately; the limit is the
simulator alone, which is the first stage. (2) `avw generate` with 1 and 2 workers in wall-clock time, compared with its
own forecast. (3) A forecast for the preset avw-4k, compared with RLR (SoundSpaces 2.0's engine, with 500 and 5,000
rays) computing the same number of impulse responses and nothing else, if it is installed.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from avw.avw4k.plan.episode import run_episode
from avw.avw4k.plan.presets import PRESETS, preset_scenes
from avw.avw4k.plan.spec import DatasetSpec, plan
from avw.avw4k.shards.shard import shard_bytes
from avw.avw4k.writing.forecast import Forecast, forecast
from avw.avw4k.writing.generate import commit_shard, generate
from avw.sim_bridge.errors import BackendError
from avw.sim_bridge.simulators.embedded import EmbeddedSimulator
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.types import STEP_SECONDS, Pose
from benchmarks.rows import Row, present

RESPONSES = 12  # impulse responses for which RLR is timed, per number of rays
PUBLISHED = "quoted for SoundSpaces 2.0: 26 to 222 core-hours"


@click.command()
@click.option("--houses", default=6, show_default=True, help="Number of generated houses.")
@click.option("--trajectories", default=24, show_default=True, help="Total number of trajectories.")
@click.option("--steps", default=160, show_default=True, help="Steps per trajectory.")
@click.option("--workers", default="1,2", show_default=True, help="Numbers of worker processes, separated by commas.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def benchmark(houses: int, trajectories: int, steps: int, workers: str, as_json: bool) -> None:
    """Time per stage, steps per second by number of workers, forecasts and results, and the whole preset."""
    spec = DatasetSpec(
        scenes=tuple(f"procedural-{number:04d}" for number in range(houses)),
        trajectories=trajectories,
        steps=steps,
        simulator=SimulatorConfig(backend="embedded"),
    )
    conditions = f"{houses} houses, {trajectories} x {steps} steps, 128x128, {spec.simulator.emitters} emitters"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = stage_rows(folder, spec, f"one process, CPU time, {spec.steps} steps in each of 2 houses")
        for count in (int(word) for word in workers.split(",")):
            rows += run_rows(folder / f"with-{count}", spec, count, f"{conditions}, {count} workers, wall-clock time")
        rows += preset_rows(folder)
    present("generate", rows, as_json=as_json)


class Stopwatch:
    """CPU seconds of this process per stage. `wrap` counts a method of an object as a stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, stage: str, work: Callable[[], Any]) -> Any:
        started = time.process_time()
        try:
            return work()
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - started

    def wrap(self, stage: str, owner: Any, method: str) -> None:
        real = getattr(owner, method)
        setattr(owner, method, lambda *args, **kwargs: self.time(stage, lambda: real(*args, **kwargs)))


def stage_rows(folder: Path, spec: DatasetSpec, conditions: str) -> list[Row]:
    """Share of a worker's time per stage, and its steps/s compared with the simulator alone, with open scenes."""
    watch = Stopwatch()
    steps = 0
    folder.mkdir(exist_ok=True)
    for shard in plan(spec)[:2]:
        simulator = EmbeddedSimulator(shard.scene, spec.simulator)
        run_episode(simulator, spec, shard.episodes[0])  # compiles the kernels and traces the source
        watch.wrap("render", simulator.renderer, "render")
        watch.wrap("acoustics", simulator.engine, "impulse_response")
        watch.wrap("acoustics", simulator.engine, "set_source")
        episodes = [
            watch.time("simulate", partial(run_episode, simulator, spec, episode)) for episode in shard.episodes
        ]
        image = watch.time("compress", partial(shard_bytes, spec, shard, episodes))
        watch.time("write", partial(commit_shard, folder, spec, shard, image))
        steps += shard.steps
        simulator.close()
    seconds = watch.seconds
    whole = seconds["simulate"] + seconds["compress"] + seconds["write"]
    seconds["motion, sound stream, labels"] = seconds["simulate"] - seconds["render"] - seconds["acoustics"]
    efficiency = Row(
        name="efficiency: steps",
        ours=steps / whole,
        peer=steps / seconds["simulate"],
        peer_name="the simulator alone",
        unit="1/s of CPU",
        conditions=conditions,
    )
    names = ("render", "acoustics", "motion, sound stream, labels", "compress", "write")
    shares = [
        Row(name=f"share: {name}", ours=100 * seconds[name] / whole, unit="% of CPU time", conditions=conditions)
        for name in names
    ]
    return [efficiency, *shares]


def run_rows(folder: Path, spec: DatasetSpec, workers: int, conditions: str) -> list[Row]:
    """A forecast, then the run: steps/s, and forecast and result for time, size and memory."""
    ahead = forecast(folder, spec, workers, pilot=True)
    started = time.monotonic()
    report = generate(folder, spec, workers=workers)
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 * workers
    return [
        Row(
            name=f"steps, {workers} workers",
            ours=spec.total_steps / seconds,
            peer=1.0 / STEP_SECONDS,
            peer_name="real time",
            unit="1/s",
            conditions=f"{conditions}, everything included",
        ),
        _forecast_row("time", ahead.seconds, seconds, "s", conditions),
        _forecast_row("size", ahead.bytes / 1e6, report.bytes / 1e6, "MB", conditions),
        _forecast_row(
            "memory", ahead.memory_bytes / 1e6, peak / 1e6, "MB", f"{conditions}; the largest worker x workers"
        ),
    ]


def _forecast_row(name: str, predicted: float, actual: float, unit: str, conditions: str) -> Row:
    return Row(
        name=f"forecast of {name}", ours=predicted, peer=actual, peer_name="result", unit=unit, conditions=conditions
    )


def preset_rows(folder: Path) -> list[Row]:
    """AVW-4k on generated houses on one core: hours, GB, and the cost compared with RLR's."""
    preset = PRESETS["avw-4k"]
    scenes, splits = preset_scenes("avw-4k")
    names = tuple(scene.scene_id for scene in scenes)
    spec = DatasetSpec(
        scenes=names,
        scene_splits=splits,
        trajectories=preset.trajectories,
        steps=preset.steps,
        sources_per_scene=preset.sources_per_scene,
        simulator=SimulatorConfig(backend="embedded"),
    )
    ahead: Forecast = forecast(folder / "avw-4k", spec, 1, pilot=True)
    conditions = f"forecast for {spec.total_steps} steps from {names[0]} and others, one worker"
    rows = [
        Row(name="avw-4k: size", ours=ahead.bytes / 1e9, unit="GB", conditions=conditions),
        Row(name="avw-4k: two workers", ours=ahead.seconds / 7200, unit="h", conditions=f"{conditions}, halved"),
    ]
    responses = spec.total_steps + spec.trajectories
    for rays in (500, 5000):
        seconds = rlr_seconds(names[0], rays)
        rows.append(
            Row(
                name=f"avw-4k: whole dataset, RLR with {rays} rays",
                ours=ahead.seconds / 3600,
                peer=None if seconds is None else seconds * responses / 3600,
                peer_name="RLR's impulse responses only",
                unit="core-hours",
                conditions=f"{responses} responses; {PUBLISHED}"
                if seconds is None
                else f"RLR {1000 * seconds:.0f} ms per response here; {responses} responses; {PUBLISHED}",
            )
        )
    return rows


def rlr_seconds(scene: str, rays: int) -> float | None:
    """Median seconds per impulse response of SoundSpaces 2.0's engine in a house; None if it is not installed."""
    from avw.sim_bridge.acoustics.rlr import RlrConfig, RlrEngine
    from avw.sim_bridge.randomness import keyed_rng
    from avw.sim_bridge.task.task import sample_source

    simulator = EmbeddedSimulator(scene, SimulatorConfig(backend="embedded"))
    try:
        engine = RlrEngine(simulator.scene, RlrConfig(rays=rays))
        rng = keyed_rng("benchmark", "rlr")
        source = sample_source(simulator.navgrid, rng)
        seconds = []
        engine.set_source(np.asarray(source.position_3), 0)
        for _ in range(RESPONSES):
            pose = Pose(*(float(value) for value in simulator.navgrid.sample(rng)), 0.0)  # type: ignore[call-arg]
            started = time.perf_counter()
            engine.impulse_response(pose)
            seconds.append(time.perf_counter() - started)
        engine.close()
        return statistics.median(seconds)
    except BackendError:
        return None
    finally:
        simulator.close()


if __name__ == "__main__":
    benchmark()
