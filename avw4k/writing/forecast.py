"""An estimate of the time, size and memory that generating takes, measured on a few episodes of the dataset.

The pilot does the work of the workers, as many at the same time as there will be, and discards the result. If the
scenes are not on this machine, constants are used instead, and the forecast says so.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avw.avw4k.execution.local_processes import run_in_processes
from avw.avw4k.execution.protocol import Report
from avw.avw4k.execution.worker import peak_bytes
from avw.avw4k.plan.episode import run_episode
from avw.avw4k.plan.spec import DatasetSpec, ShardSpec, plan
from avw.avw4k.reading.dataset import open_dataset
from avw.avw4k.shards.shard import shard_bytes
from avw.avw4k.writing.generate import commit_shard, committed
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator

PILOT_SCENES = 4  # at least; as many as there are workers, up to MAX_PILOTS
MAX_PILOTS = 16
IMAGE_COPIES = 2.0  # a shard is in memory twice: as HDF5 builds it, and as the bytes that are written


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """Costs of one worker: seconds to start, per scene, per source and per step; bytes per step; bytes of memory.

    The defaults, used without a pilot, were measured at 128 x 128 with blosc2 on one core of a server of 2021 and
    rounded up.
    """

    start: float = 4.0
    scene: float = 1.0
    source: float = 0.5
    step: float = 1 / 60
    step_bytes: float = 36_000.0
    memory: float = 450e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """seconds, bytes, memory_bytes: estimates for what is not committed yet; memory is for all workers together
    measured: whether a pilot ran; otherwise the estimates are based on constants"""

    shards: int
    shards_left: int
    episodes: int
    steps: int
    steps_left: int
    hours_of_experience: float
    bytes: int
    seconds: float
    memory_bytes: int
    free_bytes: int
    measured: bool
    costs: Costs


def forecast(
    folder: Path, spec: DatasetSpec, workers: int, *, pilot: bool = False, scenes: Sequence[SceneRef] = ()
) -> Forecast:
    """The work that remains in `folder`. With `pilot`, some seconds are spent on measuring.

    Raises UsageError for a folder of another spec, as `generate` does.
    """
    if (folder / "info.json").is_file():
        records = committed(folder, spec)
        spec = open_dataset(folder).spec
    else:
        records = {}
    shards = plan(spec)
    missing = [shard for shard in shards if shard.name not in records]
    steps = sum(shard.steps for shard in missing)
    busy = max(1, min(workers, len(missing)))
    measured = measure(spec, missing, busy, {scene.scene_id: scene for scene in scenes}) if pilot and missing else None
    costs = measured or _constants(spec)
    count = len({shard.scene for shard in missing})
    sources = len({(episode.scene, episode.source) for shard in missing for episode in shard.episodes})
    # With more workers than scenes, some scenes are opened twice.
    work = max(count, busy) * costs.scene + max(sources, busy) * costs.source + steps * costs.step
    uneven = math.ceil(len(missing) / busy) / (len(missing) / busy) if missing else 1.0
    parent = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    status = os.statvfs(parent)
    return Forecast(
        shards=len(shards),
        shards_left=len(missing),
        episodes=spec.trajectories,
        steps=spec.total_steps,
        steps_left=steps,
        hours_of_experience=spec.hours,
        bytes=int(steps * costs.step_bytes),
        seconds=costs.start + work / busy * uneven if missing else 0.0,
        memory_bytes=int(busy * costs.memory),
        free_bytes=status.f_bavail * status.f_frsize,
        measured=measured is not None,
        costs=costs,
    )


def _constants(spec: DatasetSpec) -> Costs:
    pixels = (spec.simulator.size / 128) ** 2
    return dataclasses.replace(Costs(), step_bytes=Costs().step_bytes * pixels)


def measure(spec: DatasetSpec, missing: list[ShardSpec], workers: int, scenes: Mapping[str, SceneRef]) -> Costs | None:
    """Costs, measured on one episode in each of a few scenes of the plan; None if a scene is not available."""
    by_scene = {shard.scene: shard for shard in missing}
    chosen = list(by_scene.values())
    count = min(len(chosen), max(PILOT_SCENES, min(workers, MAX_PILOTS)))
    tasks = [chosen[i * len(chosen) // count] for i in range(count)]
    # The modes in turn: how well images compress depends on how much the agent moves.
    tasks = [dataclasses.replace(t, episodes=(t.episodes[n % len(t.episodes)],)) for n, t in enumerate(tasks)]
    opened = {shard.scene for shard in (*tasks, missing[-1])}
    began = time.time()
    found: list[Costs] = []
    try:
        for _, costs in run_in_processes(
            Pilot(spec, {name: scenes[name] for name in opened if name in scenes}, began, missing[-1]),
            tasks,
            min(workers, count),
            scene_of=id,
            on_steps=lambda steps: None,
        ):
            found.append(costs)
    except UsageError:  # a scene or a sound that is not on this machine
        return None
    mean = {
        f.name: statistics.fmean(getattr(costs, f.name) for costs in found)
        for f in dataclasses.fields(Costs)
        if f.name not in ("start", "memory")
    }
    largest = max(len(shard.episodes) for shard in missing)
    image = (largest - 1) * spec.steps * mean["step_bytes"] * IMAGE_COPIES
    memory = statistics.fmean(costs.memory for costs in found) + image
    # The warm-up opened a scene too, which is counted with the scenes. Workers start one after another: the mean.
    start = max(0.5, statistics.fmean(costs.start for costs in found) - mean["scene"] - mean["source"])
    return Costs(start=start, memory=memory, **mean)


@dataclass(slots=True)
class Pilot:
    """Simulates one episode of a shard as `ShardWork` does, and times the parts. Picklable."""

    spec: DatasetSpec
    scenes: Mapping[str, SceneRef]
    began: float
    warm_up: ShardSpec
    start: float | None = None

    def __call__(self, shard: ShardSpec, report: Report) -> Costs:
        if self.start is None:  # costs per process: imports, kernels
            if self.warm_up.scene != shard.scene:
                simulator = self._open(self.warm_up)
                run_episode(simulator, self.spec, dataclasses.replace(self.warm_up.episodes[0], steps=1))
                simulator.close()
            self.start = time.time() - self.began
        start = self.start
        episode = shard.episodes[0]
        marks = [time.perf_counter()]
        simulator = self._open(shard)
        marks.append(time.perf_counter())
        run_episode(simulator, self.spec, dataclasses.replace(episode, steps=1))
        marks.append(time.perf_counter())
        image = shard_bytes(self.spec, shard, [run_episode(simulator, self.spec, episode)])
        with tempfile.TemporaryDirectory() as folder:
            commit_shard(Path(folder), self.spec, shard, image)
        marks.append(time.perf_counter())
        simulator.close()
        scene, source, steps = (after - before for before, after in itertools.pairwise(marks))
        return Costs(
            start=start,
            scene=scene,
            source=source,
            step=steps / episode.steps,
            step_bytes=len(image) / episode.steps,
            memory=float(peak_bytes()),
        )

    def _open(self, shard: ShardSpec) -> Simulator:
        return open_simulator(self.scenes.get(shard.scene, shard.scene), self.spec.simulator)
