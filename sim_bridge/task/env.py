"""The task as a Gymnasium environment: `gymnasium.make("avw:avw/AudioNav-v0", scenes="procedural:12")`.

`avw/_gymnasium.py` registers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator, SimulatorConfig
from avw.sim_bridge.task.task import AudioNavTask, TaskConfig, sample_episode
from avw.sim_bridge.types import STEP_SAMPLES, STEP_SECONDS, Action, Observation

MAX_DEPTH = 1_000.0  # metres; no scene is that large
MAX_AUDIO = 1_000.0  # linear units; a source one centimetre from the ear stays below


class AudioNavEnv(gymnasium.Env[dict[str, Any], np.int64]):
    """Find the sound source by sight and hearing.

    scenes: what `avw generate --scenes` takes (`procedural:12`, FILE.glb, ...); `reset` draws one of them.
    simulator, task: configurations · min_distance: smallest geodesic distance from start to source, metres.

    Observation: {rgb: uint8 (H, W, 3), depth: float32 (H, W) metres, audio: float32 (2, 2400)}, as in
    `avw.sim_bridge.types.Observation`. Actions: STOP 0, FORWARD 1, TURN_LEFT 2, TURN_RIGHT 3.
    `info` holds scene, geodesic (metres), collided and success: privileged, not an input for a policy.
    `reset(options={"scene": NAME, "episode": N})` selects a scene, an episode, or both. The environment can be pickled
    and copied at any time; a copy starts with `reset`.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": round(1.0 / STEP_SECONDS)}  # noqa: RUF012 (so Gymnasium declares it)

    def __init__(
        self,
        scenes: str | Sequence[str] = "procedural:12",
        simulator: SimulatorConfig | None = None,
        task: TaskConfig | None = None,
        min_distance: float = 3.0,
        render_mode: str | None = None,
    ) -> None:
        from avw.sim_bridge.scenes.catalogue import resolve_scenes

        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UsageError(f"unknown render_mode {render_mode!r}: expected None or 'rgb_array'")
        self.simulator_config = simulator or SimulatorConfig()
        self.task_config = task or TaskConfig()
        self._refs = {scene.scene_id: scene for scene in resolve_scenes(scenes)}
        self.scenes = tuple(self._refs)
        self.min_distance = min_distance
        self.render_mode = render_mode
        size = self.simulator_config.size
        self.action_space = spaces.Discrete(len(Action))
        self.observation_space = spaces.Dict(
            {
                "rgb": spaces.Box(0, 255, (size, size, 3), np.uint8),
                "depth": spaces.Box(0.0, MAX_DEPTH, (size, size), np.float32),
                "audio": spaces.Box(-MAX_AUDIO, MAX_AUDIO, (2, STEP_SAMPLES), np.float32),
            }
        )
        self._simulator: Simulator | None = None
        self._scene = ""
        self._task: AudioNavTask | None = None
        self._rgb_HWC: np.ndarray | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        super().reset(seed=seed)
        options = options or {}
        # Both are always drawn, so that choosing one does not change the other.
        scene = self.scenes[int(self.np_random.integers(len(self.scenes)))]
        episode = int(self.np_random.integers(2**31))
        scene, episode = str(options.get("scene", scene)), int(options.get("episode", episode))
        simulator = self._open(scene)
        start, source = sample_episode(simulator, episode, self.min_distance)
        self._task = AudioNavTask(simulator, self.task_config)
        observation = self._task.reset(start, source, seed=episode)
        return self._observe(observation), self._info(self._task, collided=False, success=False)

    def step(self, action: int | np.integer) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        if self._task is None:
            raise UsageError("call `reset` before the first `step`")
        result = self._task.step(int(action))
        info = self._info(self._task, collided=result.collided, success=result.success)
        return self._observe(result.observation), float(result.reward), result.terminated, result.truncated, info

    def render(self) -> np.ndarray | None:
        """The last frame, uint8 (H, W, 3); None without a render mode or before the first `reset`."""
        if self.render_mode is None or self._rgb_HWC is None:
            return None
        return self._rgb_HWC.copy()

    def close(self) -> None:
        if self._simulator is not None:
            self._simulator.close()
        self._simulator = self._task = None

    def __getstate__(self) -> dict[str, Any]:
        """A copy, e.g. in a worker process, has no open scene: it starts with `reset`."""
        return self.__dict__ | {"_simulator": None, "_scene": "", "_task": None, "_rgb_HWC": None}

    def _open(self, scene: str) -> Simulator:
        if self._simulator is None or self._scene != scene:
            self.close()
            self._simulator, self._scene = open_simulator(self._refs.get(scene, scene), self.simulator_config), scene
        return self._simulator

    def _observe(self, observation: Observation) -> dict[str, np.ndarray]:
        self._rgb_HWC = observation.rgb_HWC
        return {
            "rgb": observation.rgb_HWC.copy(),
            "depth": observation.depth_HW.copy(),
            "audio": observation.audio_ES.copy(),
        }

    def _info(self, task: AudioNavTask, *, collided: bool, success: bool) -> dict[str, Any]:
        return {
            "scene": task.simulator.scene_id,
            "geodesic": float(task.geodesic),
            "collided": collided,
            "success": success,
        }


def make_env(
    scenes: str = "procedural:12",
    *,
    simulator: SimulatorConfig | None = None,
    task: TaskConfig | None = None,
    min_distance: float = 3.0,
    render_mode: str | None = None,
) -> AudioNavEnv:
    """The environment itself, typed and without Gymnasium's wrappers. Arguments as for `AudioNavEnv`.

    `gymnasium.make("avw:avw/AudioNav-v0", scenes=...)` makes the same environment inside Gymnasium's usual wrappers.
    """
    return AudioNavEnv(scenes, simulator, task, min_distance, render_mode)
