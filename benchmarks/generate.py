"""How fast a dataset is made: `python -m benchmarks.generate [--workers 2] [--trajectories 12] [--json]`.

The limit beside it is the simulator alone: the same episodes run in this process, nothing compressed, checked or
committed. CPU seconds include those of the workers and of everything that they start with: imports, scenes, light.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import click

from avw4k.episode import run_episode
from avw4k.generate import generate
from avw4k.spec import DatasetSpec, plan
from benchmarks.rows import Row, present
from sim_bridge.simulator import SimulatorConfig, open_simulator
from sim_bridge.types import STEP_SECONDS


@click.command()
@click.option("--workers", default=2, show_default=True, help="Processes.")
@click.option("--houses", default=4, show_default=True, help="Generated houses.")
@click.option("--trajectories", default=12, show_default=True, help="Trajectories in all.")
@click.option("--steps", default=160, show_default=True, help="Steps of each.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def benchmark(workers: int, houses: int, trajectories: int, steps: int, as_json: bool) -> None:
    """Steps per second of `avw generate`, by the clock and by CPU time, and the size on disk."""
    spec = DatasetSpec(
        scenes=tuple(f"procedural-{number:04d}" for number in range(houses)),
        trajectories=trajectories,
        steps=steps,
        simulator=SimulatorConfig(backend="embedded"),
    )
    with tempfile.TemporaryDirectory() as folder:
        # Kernels that Numba has not cached yet are compiled here, which is paid once a machine.
        generate(Path(folder) / "warm", DatasetSpec(scenes=spec.scenes[:1], trajectories=1, steps=4))
        started, before = time.monotonic(), children_cpu()
        report = generate(Path(folder) / "data", spec, workers=workers)
        clock, cpu = time.monotonic() - started, children_cpu() - before
        simulated = simulator_cpu(spec)
    conditions = f"{houses} houses, {trajectories} x {steps} steps, 128x128, 20000 emitters, {workers} workers"
    rows = [
        Row(
            name="steps of CPU",
            ours=spec.total_steps / cpu,
            peer=spec.total_steps / simulated,
            peer_name="the simulator alone",
            unit="1/s of CPU",
            conditions=conditions,
        ),
        Row(
            name="steps by the clock",
            ours=spec.total_steps / clock,
            peer=1.0 / STEP_SECONDS,
            peer_name="real time",
            unit="1/s",
            conditions=conditions,
        ),
        Row(
            name="size",
            ours=report.bytes / spec.hours / 1e9,
            peer=raw_bytes(spec) / 1e9,
            peer_name="uncompressed",
            unit="GB per hour simulated",
            conditions=conditions,
        ),
    ]
    present("generate", rows, as_json=as_json)


def children_cpu() -> float:
    """CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def simulator_cpu(spec: DatasetSpec) -> float:
    """CPU seconds of the spec's episodes in this process, without opening the scenes."""
    seconds = 0.0
    for shard in plan(spec):
        simulator = open_simulator(shard.scene, spec.simulator)
        for episode in shard.episodes:
            started = time.process_time()
            run_episode(simulator, spec, episode)
            seconds += time.process_time() - started
        simulator.close()
    return seconds


def raw_bytes(spec: DatasetSpec) -> float:
    """Bytes of an hour of RGB, depth and sound as they are in memory."""
    pixels = spec.simulator.size**2
    return 3600.0 / STEP_SECONDS * (5 * pixels + 4 * round(16_000 * STEP_SECONDS))


if __name__ == "__main__":
    benchmark()
