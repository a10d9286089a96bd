"""The navigation task: find the sound source and stop there. The reward is that of SoundSpaces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.simulators.sound_events import SoundEvents
from avw.sim_bridge.types import SAMPLE_RATE, SOURCE_HEIGHT, Action, Observation, Pose, Source

SOURCE_CLEARANCE = 0.5  # metres between a source and the nearest obstacle, where the scene has such a place
FAR = 1e6  # metres, or units of reward: no task has more
MOST_STEPS = 100_000  # of an episode: more than four hours
TRY_SOURCES = 16
TRY_STARTS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskConfig:
    """Reward and termination.

    success_distance: geodesic metres to the source's floor point below which STOP succeeds
    slack: reward of every step · success_reward: added on success · max_steps: actions before truncation
    """

    success_distance: float = 1.0
    slack: float = -0.01
    success_reward: float = 10.0
    max_steps: int = 500

    def __post_init__(self) -> None:
        for name in ("success_distance", "slack", "success_reward"):
            if not abs(value := getattr(self, name)) <= FAR or (name == "success_distance" and value <= 0):
                raise UsageError(f"{name} of the task is {value!r}: expected a number of a few metres, such as 1.0")
        if not 1 <= self.max_steps <= MOST_STEPS:
            raise UsageError(f"max_steps of the task is {self.max_steps!r}: expected 1 to {MOST_STEPS:,}")


@dataclass(frozen=True, kw_only=True, slots=True)
class StepResult:
    """The result of one action. `geodesic` (metres to the source after it) and `collided` are privileged."""

    observation: Observation
    reward: float
    terminated: bool
    truncated: bool
    success: bool
    geodesic: float
    collided: bool

    @property
    def done(self) -> bool:
        return self.terminated or self.truncated


def succeeded(config: TaskConfig, action: Action | int, geodesic: float) -> bool:
    """Success is a STOP less than the success distance away from the source."""
    return action == Action.STOP and geodesic < config.success_distance


def step_reward(config: TaskConfig, before: float, after: float, success: bool) -> float:
    """r = slack + (geodesic before - geodesic after) + success_reward * success."""
    return config.slack + (before - after) + (config.success_reward if success else 0.0)


class AudioNavTask:
    """Episodes of the task on one simulator: `reset`, then `step` until `terminated` or `truncated`."""

    def __init__(self, simulator: Simulator, config: TaskConfig | None = None) -> None:
        self.simulator = simulator
        self.config = config or TaskConfig()
        self.steps = 0
        self.geodesic = math.inf
        self._over = True

    def reset(self, start: Pose, source: Source, seed: int = 0, events: SoundEvents | None = None) -> Observation:
        """Begin an episode. events: what happens to the sound later; None: nothing.

        Raises UsageError if the source cannot be reached from `start`.
        """
        observation = self.simulator.reset(start, source, seed=seed, events=events)
        self.geodesic = self.simulator.distance_to_source()
        if not math.isfinite(self.geodesic):
            raise UsageError(
                f"no path leads from ({start.x:.2f}, {start.z:.2f}) to the source at {source.floor_3} in scene "
                f"{self.simulator.scene_id!r}, so progress cannot be rewarded. Draw both with `sample_episode`"
            )
        self.steps = 0
        self._over = False
        return observation

    def step(self, action: Action | int) -> StepResult:
        """Take one action. Raises UsageError before `reset` and after the end of the episode."""
        if self._over:
            raise UsageError("the episode is over, or was not started: call `reset` before the next `step`")
        action = Action(action)
        observation = self.simulator.step(action)
        before, self.geodesic = self.geodesic, self.simulator.distance_to_source()  # a moving source counts too
        self.steps += 1
        success = succeeded(self.config, action, self.geodesic)
        terminated = action == Action.STOP
        truncated = not terminated and self.steps >= self.config.max_steps
        self._over = terminated or truncated
        return StepResult(
            observation=observation,
            reward=step_reward(self.config, before, self.geodesic, success),
            terminated=terminated,
            truncated=truncated,
            success=success,
            geodesic=self.geodesic,
            collided=self.simulator.collided,
        )


def sample_source(navgrid: FreeSpace, rng: np.random.Generator, *, sound: str = "ring") -> Source:
    """A source 1.5 m above free floor, away from walls where the scene allows it, at a random phase of its loop."""
    floor_3 = navgrid.sample(rng, clearance=SOURCE_CLEARANCE)
    x, y, z = (float(value) for value in floor_3)
    # An hour of samples: the stream takes the phase modulo the length of the clip.
    phase = int(rng.integers(3600 * SAMPLE_RATE))
    return Source(position_3=(x, y + SOURCE_HEIGHT, z), floor_3=(x, y, z), sound=sound, phase=phase)


def sample_start(
    navgrid: FreeSpace, source: Source, rng: np.random.Generator, *, min_distance: float = 0.0
) -> Pose | None:
    """A random free pose at least `min_distance` geodesic metres from the source; None if it finds none."""
    field = navgrid.geodesic(source.floor_3)
    for _ in range(TRY_STARTS):
        x, y, z = (float(value) for value in navgrid.sample(rng))
        yaw = float(rng.uniform(-math.pi, math.pi))
        if min_distance <= field.distance(np.array([x, y, z])) < math.inf:
            return Pose(x, y, z, yaw)
    return None


class Ground(Protocol):
    """A scene in which episodes are drawn, such as a simulator."""

    @property
    def scene_id(self) -> str: ...
    @property
    def navgrid(self) -> FreeSpace: ...


def sample_episode(
    simulator: Ground, seed: int, min_distance: float = 3.0, *, sound: str = "ring"
) -> tuple[Pose, Source]:
    """A start and a source at least `min_distance` geodesic metres apart, which depend only on (scene, seed).

    Raises UsageError if the scene is too small for that distance.
    """
    rng = keyed_rng("episode", simulator.scene_id, seed)
    for _ in range(TRY_SOURCES):
        source = sample_source(simulator.navgrid, rng, sound=sound)
        start = sample_start(simulator.navgrid, source, rng, min_distance=min_distance)
        if start is not None:
            return start, source
    raise UsageError(
        f"no start at least {min_distance} m of walking from a source was found in scene {simulator.scene_id!r} in "
        f"{TRY_SOURCES * TRY_STARTS} draws (free floor: {simulator.navgrid.area:.1f} m²): choose a smaller "
        "min_distance or a larger scene"
    )
