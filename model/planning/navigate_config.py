"""Configuration of closed-loop navigation."""

from __future__ import annotations

from dataclasses import dataclass, field

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.task import TaskConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class NavigateConfig:
    """Which policies search where.

    scenes: ids or mesh files · episodes: in all, dealt round the scenes · min_distance: metres of geodesic between
    start and source · sound: what the source plays, looped; None: what each episode of the file names
    model_dir, device: for policies that plan with a model · video_dir: where recordings go
    episode_file: episodes as others wrote them; then `scenes` are those of its first `episodes`
    sound_root: the folder of the sounds that it names
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
    device: str = "cpu"
    video_dir: str | None = None
    episode_file: str | None = None
    sound_root: str | None = None

    def __post_init__(self) -> None:
        if not self.policies or not self.scenes:
            raise UsageError("navigation needs at least one policy and one scene")
        if self.episodes < 1 or self.workers < 1:
            raise UsageError(f"episodes and workers must be at least 1, got {self.episodes} and {self.workers}")
        if self.sound is None and self.episode_file is None:
            raise UsageError("without an episode file nothing names the sound; type e.g. --sound ring")
