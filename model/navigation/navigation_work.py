"""What a navigation worker does: one episode of one policy at a time, with the scene and the policies kept open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from avw.avw4k.execution.protocol import Report
from avw.model.navigation.episode_run import EpisodeRecord, SkippedEpisode, run_episode
from avw.model.navigation.navigate_config import NavigateConfig
from avw.model.policies.policy_file import policy_label
from avw.model.policies.registry import PRIVILEGED, Policy, make_policy, make_privileged
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.process.threads import one_torch_thread
from avw.sim_bridge.scenes.scene_ref import SceneRef
from avw.sim_bridge.simulators.open_simulator import open_simulator
from avw.sim_bridge.simulators.protocol import Simulator, SimulatorConfig
from avw.sim_bridge.task.episode_file import FiledEpisode

PolicyFactory = Callable[[], Policy]


@dataclass(frozen=True, kw_only=True, slots=True)
class NavigationTask:
    """One episode of one policy. filed: the episode as its file has it; None: drawn from the seed"""

    policy: str
    scene: str
    episode: int
    filed: FiledEpisode | None = None

    def __str__(self) -> str:
        return f"episode {self.episode} of {self.scene} with the policy {policy_label(self.policy)}"


@dataclass(slots=True)
class NavigationWork:
    """Runs a task in a worker; picklable before it has run one.

    scenes: the scenes of the tasks, by name · factories: the caller's own policies, by name
    """

    config: NavigateConfig
    scenes: Mapping[str, SceneRef]
    factories: Mapping[str, PolicyFactory] = field(default_factory=dict)
    _open: tuple[str, Simulator] | None = None
    _policies: dict[str, Policy] = field(default_factory=dict)

    def __call__(self, task: NavigationTask, report: Report) -> EpisodeRecord | SkippedEpisode:
        simulator = self._simulator(task.scene)
        policy = self._policy(task.policy, simulator)
        with one_torch_thread():
            return run_episode(
                simulator, policy, task.episode, self.config, task.filed,
                name=policy_label(task.policy), on_step=report,
            )  # fmt: skip

    def _simulator(self, scene: str) -> Simulator:
        """The scene's simulator, kept open for the next task. One at a time, because scenes are large."""
        if self._open is None or self._open[0] != scene:
            if self._open is not None:
                self._open[1].close()
                self._open = None
            self._open = (scene, open_simulator(self.scenes[scene], self.config.simulator))
        return self._open[1]

    def _policy(self, name: str, simulator: Simulator) -> Policy:
        if name in self.factories:
            return self._policies.setdefault(name, self._policies.get(name) or self.factories[name]())
        if name in PRIVILEGED:  # the only policies that are given the simulator
            return self._privileged(name, simulator)
        if name not in self._policies:
            self._policies[name] = make_policy(
                name,
                model_dir=self._model_dir(),
                denoising_steps=self.config.denoising_steps,
                device=self.config.device,
                hfov=self.config.simulator.hfov,
                max_steps=self.config.task.max_steps,
            )
            check_camera(name, self._policies[name], self.config.simulator)
        return self._policies[name]

    def _privileged(self, name: str, simulator: Simulator) -> Policy:
        policy: Any = self._policies.get(name)
        if policy is None or name == "oracle":
            policy = make_privileged(
                name,
                simulator,
                model_dir=self._model_dir(),
                denoising_steps=self.config.denoising_steps,
                device=self.config.device,
                success_distance=self.config.task.success_distance,
            )
            self._policies[name] = policy
            check_camera(name, policy, simulator.config)
        policy.simulator = simulator  # a loaded model is kept for the next scene
        return cast("Policy", policy)

    def _model_dir(self) -> Path | None:
        return None if self.config.model_dir is None else Path(self.config.model_dir)


def check_camera(name: str, policy: Any, simulator: SimulatorConfig) -> None:
    """Raises UsageError for a policy whose model was trained with another camera than the simulator has."""
    model = getattr(policy, "model", None)
    hfov, size = getattr(model, "hfov", None), getattr(model, "size", None)
    if None not in (hfov, size) and (hfov, size) != (simulator.hfov, simulator.size):
        raise UsageError(
            f"the policy {name}: its model was trained on images of {size} pixels over {hfov:g}°, and the simulator "
            f"has {simulator.size} pixels over {simulator.hfov:g}°: use SimulatorConfig(size={size}, hfov={hfov:g}) or "
            "leave the camera to the dataset of the run"
        )
