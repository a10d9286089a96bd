"""What a future is imagined of: an episode of a dataset, or a short walk through a scene.

Shapes: T steps · H W image · E ears · S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from avw.avw4k.plan.motion import MotionConfig, unrelated
from avw.avw4k.reading.episodes import DatasetEpisode, EpisodeDataset
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator, SimulatorConfig
from avw.sim_bridge.task.task import AudioNavTask, StepResult, TaskConfig, sample_episode
from avw.sim_bridge.types import Action, Observation, Pose, Source


class Session(Protocol):
    """A simulator at the start of an episode."""

    simulator: Simulator
    observation: Observation

    def step(self, action: Action | int) -> StepResult: ...

    def close(self) -> None: ...


class Subject(Protocol):
    """An episode with everything that `avw imagine` shows of it. The attributes are those of `DatasetEpisode`."""

    scene: str

    @property
    def rgb(self) -> np.ndarray: ...

    @property
    def depth(self) -> np.ndarray: ...

    @property
    def audio(self) -> np.ndarray: ...

    @property
    def odometry(self) -> np.ndarray: ...

    @property
    def actions(self) -> np.ndarray: ...

    @property
    def poses(self) -> np.ndarray: ...

    @property
    def geodesic(self) -> np.ndarray: ...

    @property
    def source(self) -> Source: ...

    def reopen(self) -> Session: ...


@dataclass
class Walk:
    """An episode that was simulated just now. Arrays as in `DatasetEpisode`.

    start, task, seed: with which `reopen` begins the episode again
    """

    scene: str
    simulator: Simulator
    start: Pose
    source: Source
    seed: int
    rgb: np.ndarray
    depth: np.ndarray
    audio: np.ndarray
    actions: np.ndarray
    poses: np.ndarray
    geodesic: np.ndarray
    odometry: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        pose = self.start
        poses = [pose, *(pose := pose.after(Action(int(action))) for action in self.actions)]
        self.odometry = np.array([(pose.x, pose.y, pose.z, pose.yaw) for pose in poses])

    def reopen(self) -> WalkSession:
        return WalkSession(self.simulator, self.start, self.source, self.seed)


class WalkSession:
    """The simulator of a walk, at its start."""

    def __init__(self, simulator: Simulator, start: Pose, source: Source, seed: int) -> None:
        self.simulator = simulator
        self._task = AudioNavTask(simulator, TaskConfig(max_steps=10_000))  # longer than any walk
        self.observation = self._task.reset(start, source, seed=seed)

    def step(self, action: Action | int) -> StepResult:
        return self._task.step(action)

    def close(self) -> None:
        """The simulator stays open: the walk can be reopened again."""


def walk(scene: str | Path, config: SimulatorConfig, *, seed: int, steps: int, sound: str) -> Walk:
    """Walk `steps` scripted steps from one random place of a scene towards another. Depends on scene and seed only."""
    simulator = open_simulator(scene, config)
    start, source = sample_episode(simulator, seed, min_distance=1.0, sound=sound)
    rng = keyed_rng("imagine", simulator.scene_id, seed)
    actions = unrelated(simulator.navgrid, start, steps, MotionConfig(stop_rate=0.0), rng)
    session = WalkSession(simulator, start, source, seed)
    seen, poses, distances = [session.observation], [start], [simulator.distance_to_source()]
    for action in actions:
        result = session.step(action)
        seen.append(result.observation)
        poses.append(simulator.pose)
        distances.append(result.geodesic)
    return Walk(
        scene=simulator.scene_id,
        simulator=simulator,
        start=start,
        source=source,
        seed=seed,
        rgb=np.stack([observation.rgb_HWC for observation in seen]),
        depth=np.stack([observation.depth_HW for observation in seen]),
        audio=np.stack([observation.audio_ES for observation in seen]),
        actions=np.array(actions, np.uint8),
        poses=pose_rows(poses),
        geodesic=np.array(distances, np.float32),
    )


@dataclass(frozen=True)
class OtherSound:
    """The same episode as another sounds: the agent saw this one and heard that one."""

    subject: Subject
    audio: np.ndarray

    @property
    def rgb(self) -> np.ndarray:
        return self.subject.rgb

    @property
    def depth(self) -> np.ndarray:
        return self.subject.depth

    @property
    def odometry(self) -> np.ndarray:
        return self.subject.odometry

    @property
    def actions(self) -> np.ndarray:
        return self.subject.actions


def chosen_episode(dataset: EpisodeDataset, index: int | None) -> DatasetEpisode:
    """Episode `index`; None is the first episode of the test split, or of all where it is empty."""
    if index is None:
        tests = dataset.split("test")
        if tests:
            return tests[0]
        index = 0
    if not 0 <= index < len(dataset):
        raise UsageError(f"{dataset.path} has episodes 0 to {len(dataset) - 1}; there is no episode {index}")
    return dataset[index]


def pose_rows(poses: Sequence[Pose]) -> np.ndarray:
    """float64 (N, 4): x, y, z, yaw."""
    return np.array([(pose.x, pose.y, pose.z, pose.yaw) for pose in poses]).reshape(-1, 4)
