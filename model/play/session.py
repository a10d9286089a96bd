"""One walk: a simulator that is played step by step, and what a model imagines of the same actions.

Shapes: H W image · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avw.sim_bridge.navigation.free_space import FreeSpace
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator, SimulatorConfig, require_interpreter
from avw.sim_bridge.task.task import TaskConfig, sample_episode
from avw.sim_bridge.types import FORWARD_METRES, TURN_RADIANS, Action, Observation, Pose, Source, moved, wrap_angle

if TYPE_CHECKING:
    from avw.model.play.dream import Dreamed
    from avw.model.world_model import WorldModel

HEADINGS = 36  # turns of the start
MOST_AHEAD = 40  # steps of free floor that are looked for
NEAREST = 1.0  # metres of walking between start and source at least, where the scene has no farther places


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayConfig:
    """scene, simulator, sound: of every walk · seed: of the first walk; the next one has the next seed
    anchor_every: steps after which the imagination begins again from the simulator; 0: never
    denoising_steps: None is the number that belongs to the checkpoint
    """

    scene: str
    simulator: SimulatorConfig
    sound: str = "ring"
    seed: int = 0
    anchor_every: int = 16
    denoising_steps: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """Everything about one instant of a walk. number: steps since its start

    observation, pose, collided, distance: of the simulator; distance in metres of walking
    bearing: direction of the source, radians, positive to the left of where the agent looks
    reward: sum of rewards since the anchor of the imagination
    dreamed: what the model imagines of it; None without a model · dream_pose: where it imagines to be
    seconds: of computation
    """

    number: int
    observation: Observation
    pose: Pose
    collided: bool
    distance: float
    bearing: float
    reward: float
    dreamed: Dreamed | None
    dream_pose: Pose | None
    seconds: float


class Session:
    """A walk. The methods must be called from one thread."""

    def __init__(self, config: PlayConfig, model: WorldModel | None = None) -> None:
        """Raises an AvwError if the scene cannot be opened."""
        self.config, self.seed = config, config.seed
        self.simulator: Simulator = open_simulator(config.scene, config.simulator)
        self._model, self._dream, self._observer = model, None, None
        if model is not None:
            from avw.model.context import Observer
            from avw.model.play.dream import Dream

            self._observer = Observer(model.needs)
            self._dream = Dream(model, denoising_steps=config.denoising_steps)
        self.anchor_every = config.anchor_every
        self._anchor_pose, self._anchor_distance = Pose(0.0, 0.0, 0.0, 0.0), 0.0
        self.number = 0

    @property
    def source(self) -> Source:
        return self.simulator.source

    def reset(self, seed: int) -> Moment:
        """Begin a walk from a random start, looking where there is space to walk, with a random source. Depends on the
        scene and the seed only."""
        began = time.perf_counter()
        self.seed, self.number = seed, 0
        start, source = self._placed(seed)
        observation = self.simulator.reset(start, source, seed=seed)
        if self._observer is not None:
            self._observer.reset()
            self._observer.observe(observation)
            if self._dream is not None:
                self._dream.reset()
            self.anchor()
        return self._moment(observation, None, began)

    def step(self, action: Action) -> Moment:
        """Act for 0.15 s in the simulator and in the imagination. STOP stands still, and does not end the walk."""
        began = time.perf_counter()
        self.number += 1
        observation = self.simulator.step(action)
        dreamed = None
        if self._dream is not None and self._observer is not None:
            dreamed = self._dream.step(action)
            self._observer.observe(observation, action)
        moment = self._moment(observation, dreamed, began)
        if dreamed is not None and self.anchor_every and dreamed.steps >= self.anchor_every:
            self.anchor()
        return moment

    def anchor(self) -> None:
        """Let the imagination begin again from what was observed."""
        if self._dream is not None and self._observer is not None:
            self._dream.anchor(self._observer)
            self._anchor_pose, self._anchor_distance = self.simulator.pose, self.simulator.distance_to_source()

    def close(self) -> None:
        self.simulator.close()

    def _placed(self, seed: int) -> tuple[Pose, Source]:
        from avw.sim_bridge.errors import UsageError

        try:
            start, source = sample_episode(self.simulator, seed, sound=self.config.sound)
        except UsageError:  # a small scene
            start, source = sample_episode(self.simulator, seed, min_distance=NEAREST, sound=self.config.sound)
        return _facing_space(self.simulator.navgrid, start), source

    def _moment(self, observation: Observation, dreamed: Dreamed | None, began: float) -> Moment:
        pose, source = self.simulator.pose, self.source
        dx, dz = source.position_3[0] - pose.x, source.position_3[2] - pose.z
        distance, steps = self.simulator.distance_to_source(), 0 if dreamed is None else dreamed.steps
        return Moment(
            number=self.number,
            observation=observation,
            pose=pose,
            collided=self.simulator.collided,
            distance=distance,
            bearing=wrap_angle(math.atan2(-dx, -dz) - pose.yaw),
            reward=self._anchor_distance - distance + TaskConfig().slack * steps if steps else 0.0,
            dreamed=dreamed,
            dream_pose=None if dreamed is None else moved(self._anchor_pose, *dreamed.motion_3.tolist()),
            seconds=time.perf_counter() - began,
        )


def _facing_space(space: FreeSpace, pose: Pose) -> Pose:
    """The pose, turned to where one can walk farthest: a person who begins in front of a wall sees nothing."""
    turned = [replace(pose, yaw=wrap_angle(pose.yaw + k * TURN_RADIANS)) for k in range(HEADINGS)]
    return max(turned, key=lambda one: _steps_ahead(space, one))


def _steps_ahead(space: FreeSpace, pose: Pose) -> int:
    for steps in range(1, MOST_AHEAD + 1):
        ahead = moved(pose, steps * FORWARD_METRES, 0.0, 0.0)
        if not space.is_free(np.array([ahead.x, ahead.y, ahead.z])):
            return steps - 1
    return MOST_AHEAD


def default_config(run: Path | None, scene: str | None) -> tuple[str, SimulatorConfig, str]:
    """(scene, simulator configuration, sound): those of the dataset of a run, unless a scene is named."""
    if run is None:
        return scene or DEFAULT_SCENE, SimulatorConfig(), "ring"
    from avw.model.navigation.plan_navigation import dataset_defaults

    scenes, simulator, sound = dataset_defaults(run, needed=False)
    require_interpreter(simulator, f"the dataset of the run {run}")
    return scene or (scenes[0] if scenes else DEFAULT_SCENE), simulator, sound


DEFAULT_SCENE = "procedural-0007"
