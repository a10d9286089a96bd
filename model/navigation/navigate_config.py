"""Configuration of closed-loop navigation."""

from __future__ import annotations

from dataclasses import dataclass, field

from avw.model.policies.policy_file import policy_label
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import TaskConfig
from avw.sim_bridge.task.variants import VARIANTS


@dataclass(frozen=True, kw_only=True, slots=True)
class NavigateConfig:
    """Policies, and the episodes that each of them runs.

    policies: names of `policies.POLICIES`, FILE.py:NAME (see `policy_file`), or names of the caller's own factories
    scenes: ids or mesh files · episodes: per policy; episode i is in scenes[i mod n]
    min_distance: metres of geodesic between start and source
    sound: the source plays it in a loop; None: the sound that each episode of the file names
    model_dir, device: for policies that plan with a model · denoising_steps: of mpc; None: as many as the model was
        trained for · video_dir: folder for recordings
    episode_file: run the first `episodes` of this file instead; then `scenes` are the scenes of those
    sound_root: folder of the sounds that the episode file names
    record_dir: folder for recordings that the viewer plays, of the first `record` episodes of each policy
    variant: of the task (`sim_bridge.task.variants`); with an episode file, for the episodes whose file does not say
    """

    policies: tuple[str, ...]
    scenes: tuple[str, ...]
    episodes: int = 40
    seed: int = 0
    workers: int = 1
    min_distance: float = 3.0
    sound: str | None = "ring"
    simulator: SimulatorConfig = field(default_factory=SimulatorConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    model_dir: str | None = None
    denoising_steps: int | None = None
    device: str = "cpu"
    video_dir: str | None = None
    episode_file: str | None = None
    sound_root: str | None = None
    variant: str = "standard"
    record_dir: str | None = None
    record: int = 0

    def __post_init__(self) -> None:
        if not self.policies or not self.scenes:
            raise UsageError("navigation needs at least one policy and one scene")
        labels = [policy_label(policy) for policy in self.policies]
        if len(set(labels)) < len(labels):
            raise UsageError(f"each policy needs a name of its own, got {', '.join(labels)}")
        if self.episodes < 1 or self.workers < 1:
            raise UsageError(f"episodes and workers must be at least 1, got {self.episodes} and {self.workers}")
        if self.variant not in VARIANTS:
            raise UsageError(f"unknown task {self.variant!r}: expected one of {', '.join(VARIANTS)}")
        if self.sound is None and self.episode_file is None:
            raise UsageError("a sound is needed, because no episode file names one; type e.g. --sound ring")
