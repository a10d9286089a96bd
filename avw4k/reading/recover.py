"""Reopen the simulator of a recorded episode: start where it started, and replay it or act differently.

The spec of the dataset describes the simulator; the shard holds the start and the source of the episode. Replaying the
recorded actions gives the recorded observations, bit for bit, if the backend is reproducible.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from avw.avw4k.reading.dataset import Dataset, EpisodeRef, open_dataset
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators import open_simulator as opening
from avw.sim_bridge.simulators.protocol import Simulator, require_interpreter
from avw.sim_bridge.task.task import AudioNavTask, StepResult
from avw.sim_bridge.types import Action, Observation, Pose, Source


@dataclass(slots=True)
class RecordedEpisode:
    """An open simulator at the start of an episode of a dataset.

    observation: the latest observation, at first that of the start · actions: the recorded actions
    task: rewards and the end of the episode, as the dataset defines them
    """

    ref: EpisodeRef
    simulator: Simulator
    task: AudioNavTask
    start: Pose
    source: Source
    actions: tuple[Action, ...]
    observation: Observation

    def reset(self) -> Observation:
        """Return to the start, with the same sound at the same phase."""
        self.observation = self.task.reset(self.start, self.source, seed=self.ref.spec.source_seed)
        return self.observation

    def step(self, action: Action | int) -> StepResult:
        """Take an action, as recorded or another."""
        result = self.task.step(action)
        self.observation = result.observation
        return result

    def replay(self) -> Iterator[StepResult]:
        """Repeat the recorded actions from the start."""
        self.reset()
        for action in self.actions:
            yield self.step(action)

    def close(self) -> None:
        self.simulator.close()

    def __enter__(self) -> RecordedEpisode:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_simulator(shard: str | Path, demo: int = 0) -> RecordedEpisode:
    """Reopen the simulator of episode `demo` of a shard file, e.g. ("data/avw/train-00000.h5", 3).

    Raises DatasetError for a shard that is damaged or not committed, UsageError for a demo that it does not have,
    SceneError where the scene is not on this machine.
    """
    path = Path(shard)
    dataset = open_dataset(path.parent)
    refs = [ref for ref in dataset.episodes() if ref.shard == path.name]
    if not refs:
        raise UsageError(f"{path.name} is no committed shard of {path.parent}; type: avw info {path.parent}")
    if not 0 <= demo < len(refs):
        raise UsageError(f"{path} has no demo {demo}: it has 0 to {len(refs) - 1}")
    return reopen(dataset, refs[demo])


def reopen(dataset: Dataset, ref: EpisodeRef) -> RecordedEpisode:
    """The same, for an episode of an open dataset."""
    require_interpreter(dataset.spec.simulator, f"the dataset {dataset.path}")
    rows = dataset.read(ref, ["actions", "position", "yaw"])
    x, y, z = (float(value) for value in rows["position"][0])
    start = Pose(x, y, z, float(rows["yaw"][0]))
    source = dataset.source(ref)
    simulator = opening.open_simulator(ref.scene, dataset.spec.simulator)
    task = AudioNavTask(simulator, dataset.spec.task)
    first = task.reset(start, source, seed=ref.spec.source_seed)
    actions = tuple(Action(int(action)) for action in rows["actions"])
    return RecordedEpisode(ref, simulator, task, start, source, actions, first)
