"""AVW's simulators as habitat-lab's simulator `AVW-v0`, for its tasks, measures and `habitat.Env`, with any backend.

The frame, the actions and their order are the same in both, so only poses are converted, to quaternions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import quaternion
from gym import spaces
from habitat.core.registry import registry
from habitat.core.simulator import AgentState, Observations, SensorSuite
from habitat.core.simulator import Simulator as LabSimulator
from omegaconf import DictConfig, OmegaConf

from avw.sim_bridge.acoustics.sounds import SOUNDS
from avw.sim_bridge.errors import SceneError, UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.scenes.catalogue import scene_ref
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator
from avw.sim_bridge.task.follower import ShortestPathFollower
from avw.sim_bridge.task.habitat_lab.configs import SCENE_ROOT, SIMULATOR
from avw.sim_bridge.task.habitat_lab.episodes import Played, played, pose_of, rotation_of
from avw.sim_bridge.task.habitat_lab.sensors import observe, sensors_of, settings_of
from avw.sim_bridge.types import Action, Observation, Pose

if TYPE_CHECKING:
    from habitat.core.dataset import Episode


@registry.register_simulator(name=SIMULATOR)
class AvwLabSimulator(LabSimulator):
    """habitat-lab's `Simulator` on any backend of AVW.

    An episode needs a goal, which is the position of its source (`episodes.played`). Sensors: square RGB and depth
    cameras at 1.25 m that look straight ahead, and `AVWAudioSensor`. STOP takes one step, like the other actions.
    Raises UsageError for a configuration with another body, camera or step.
    """

    def __init__(self, config: DictConfig) -> None:
        super().__init__()
        self.habitat_config = config
        self._sensor_suite = sensors_of(config)
        self._settings = settings_of(config, self._sensor_suite)
        self._scene = ""
        self._simulator: Simulator | None = None
        self._elsewhere: Simulator | None = None
        self._episode: Episode | None = None
        self._played: Played | None = None
        self._observation: Observation | None = None
        self.seed(config.seed)

    @property
    def sensor_suite(self) -> SensorSuite:
        return self._sensor_suite

    @property
    def action_space(self) -> spaces.Discrete:
        return spaces.Discrete(len(Action))

    @property
    def simulator(self) -> Simulator:
        """AVW's own simulator of the current scene, opened on first use. Privileged."""
        if self._simulator is None:
            self._scene = self.habitat_config.scene
            self._simulator = self._open()
        return self._simulator

    def _open(self) -> Simulator:
        root = (self.habitat_config.get("avw") or {}).get(SCENE_ROOT)
        return open_simulator(scene_ref(self._scene, root), self._settings)

    def seed(self, seed: int) -> None:
        """Seed the phases, acoustics and random points of the following episodes."""
        self._seed = int(seed)
        self._rng = keyed_rng("habitat-lab points", self._seed)

    def reconfigure(self, config: DictConfig, episode: Episode | None = None) -> None:
        """Prepare an episode; `reset` begins it."""
        self.habitat_config = config
        self._episode = episode
        self._played = self._observation = None
        if config.scene != self._scene:
            self.close()

    def reset(self) -> Observations:
        """Put the agent at the episode's start. The source has been sounding for a long time."""
        return self._stand(self._play().start)

    def step(self, action: int | np.integer | None, *args: Any, **kwargs: Any) -> Observations:
        """Take one action of 0.15 s; None, which habitat-lab passes for STOP, stands still for the same time."""
        self._observation = self.simulator.step(Action.STOP if action is None else Action(int(action)))
        return self._observe(self._observation)

    def step_physics(self, seconds: float) -> None:
        """Does nothing: no object moves by itself."""

    def render(self, mode: str = "rgb") -> np.ndarray:
        """The last observation of the sensor called `mode`."""
        observations = self._observe(self._last())
        if mode not in observations:
            raise UsageError(f"there is no sensor {mode!r}: expected one of {', '.join(observations)}")
        picture: np.ndarray = observations[mode]
        return picture

    def close(self, destroy: bool = True) -> None:
        for simulator in (self._simulator, self._elsewhere):
            if simulator is not None:
                simulator.close()
        self._simulator = self._elsewhere = self._observation = None
        self._scene = ""

    @property
    def previous_step_collided(self) -> bool:
        return self.simulator.collided

    def get_agent_state(self, agent_id: int = 0) -> AgentState:
        """Floor point in float64 (float32 could move a point at a wall into it) and yaw as a quaternion."""
        pose = self._play().start if self._observation is None else self.simulator.pose
        x, y, z, w = rotation_of(pose.yaw)
        return AgentState(position=pose.position_3, rotation=quaternion.quaternion(w, x, y, z))

    def set_agent_state(
        self,
        position: Sequence[float],
        rotation: Sequence[float] | quaternion.quaternion,
        agent_id: int = 0,
        reset_sensors: bool = True,
    ) -> bool:
        """Put the agent elsewhere, with the sound it would have had there all along; False where it cannot stand."""
        pose = pose_of(position, _coefficients(rotation))
        if not self.is_navigable(pose.position_3):
            return False
        self._stand(pose)
        return True

    def get_observations_at(
        self,
        position: Sequence[float] | None = None,
        rotation: Sequence[float] | quaternion.quaternion | None = None,
        keep_agent_at_new_pose: bool = False,
    ) -> Observations | None:
        """The observation at a pose; None where the agent cannot stand. The episode is not affected."""
        if position is None or rotation is None:
            return self._observe(self._last())
        pose = pose_of(position, _coefficients(rotation))
        if not self.is_navigable(pose.position_3):
            return None
        if keep_agent_at_new_pose:
            return self._stand(pose)
        if self._elsewhere is None:  # a second simulator, because a sound stream cannot be rewound
            self._elsewhere = self._open()
        episode = self._play()
        return self._observe(self._elsewhere.reset(pose, episode.source, seed=episode.seed))

    def geodesic_distance(
        self,
        position_a: Sequence[float] | np.ndarray,
        position_b: Sequence[float] | Sequence[Sequence[float]] | np.ndarray,
        episode: Episode | None = None,
    ) -> float:
        """Metres of the shortest walk to the nearest of one or more goals; inf if none can be reached."""
        goals_N3 = np.atleast_2d(np.asarray(position_b, dtype=np.float64))
        position_3 = np.asarray(position_a, dtype=np.float64)
        return min((self._distance(position_3, goal_3) for goal_3 in goals_N3), default=math.inf)

    def get_straight_shortest_path_points(
        self, position_a: Sequence[float], position_b: Sequence[float]
    ) -> list[np.ndarray]:
        """Corners of the shortest path; empty if there is no path."""
        try:
            geodesic = self.simulator.navgrid.geodesic(np.asarray(position_b, dtype=np.float64))
        except SceneError:
            return []
        return list(geodesic.path(np.asarray(position_a, dtype=np.float64)))

    def make_greedy_follower(
        self,
        agent_id: int = 0,
        goal_radius: float = 1.0,
        *,
        stop_key: int = Action.STOP,
        forward_key: int = Action.FORWARD,
        left_key: int = Action.TURN_LEFT,
        right_key: int = Action.TURN_RIGHT,
    ) -> GreedyFollower:
        """The follower behind habitat-lab's `ShortestPathFollower`. Privileged."""
        keys = dict(zip(Action, (stop_key, forward_key, left_key, right_key), strict=True))
        return GreedyFollower(self, goal_radius, keys)

    def sample_navigable_point(self) -> list[float]:
        return [float(value) for value in self.simulator.navgrid.sample(self._rng)]

    def is_navigable(self, point: Sequence[float] | np.ndarray) -> bool:
        return self.simulator.navgrid.is_free(np.asarray(point, dtype=np.float64))

    def distance_to_closest_obstacle(self, position: np.ndarray, max_search_radius: float = 2.0) -> float:
        return min(max_search_radius, self.simulator.navgrid.clearance(np.asarray(position, dtype=np.float64)))

    @property
    def up_vector(self) -> np.ndarray:
        return np.array([0.0, 1.0, 0.0])

    @property
    def forward_vector(self) -> np.ndarray:
        return np.array([0.0, 0.0, -1.0])

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"AVW-v0 has no {name!r}: a sensor, measure or action of this configuration (such as top_down_map or "
            "look_up) needs a part of habitat-sim's simulator that AVW does not have. Remove it from the configuration"
        )

    def _play(self) -> Played:
        if self._episode is None:
            raise UsageError("AVW-v0 has no episode: call `reconfigure(config, episode)` first, as habitat.Env does")
        if self._played is None:
            sound, root = (OmegaConf.select(self.habitat_config, name) for name in ("sound", "sound_root"))
            self._played = played(self._episode, self.simulator.navgrid, sound or SOUNDS[0], root, self._seed)
        return self._played

    def _stand(self, pose: Pose) -> Observations:
        episode = self._play()
        self._observation = self.simulator.reset(pose, episode.source, seed=episode.seed)
        return self._observe(self._observation)

    def _last(self) -> Observation:
        if self._observation is None:
            raise UsageError("AVW-v0 has no observation yet: call `reset` first")
        return self._observation

    def _observe(self, observation: Observation) -> Observations:
        return observe(self._sensor_suite, observation)

    def _distance(self, position_3: np.ndarray, goal_3: np.ndarray) -> float:
        try:
            return self.simulator.navgrid.geodesic(goal_3).distance(position_3)
        except SceneError:
            return math.inf


class GreedyFollower:
    """The next action along the shortest path to a goal, as the caller's action key.

    goal_radius: geodesic metres from the goal below which it stops.
    """

    def __init__(self, lab: AvwLabSimulator, goal_radius: float, keys: dict[Action, int]) -> None:
        self.lab = lab
        self.goal_radius = goal_radius
        self.keys = keys

    def next_action_along(self, goal_pos: Sequence[float]) -> int:
        follower = ShortestPathFollower(self.lab.simulator, goal_pos, self.goal_radius)
        return self.keys[follower.next_action()]

    def reset(self) -> None:
        """Does nothing: no state is kept."""


def _coefficients(rotation: Sequence[float] | quaternion.quaternion) -> Sequence[float]:
    if isinstance(rotation, quaternion.quaternion):
        return [rotation.x, rotation.y, rotation.z, rotation.w]
    return rotation
