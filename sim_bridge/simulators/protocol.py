"""The Simulator protocol, and its configuration."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from avw.sim_bridge.acoustics.engine import ENGINES, STREAMS
from avw.sim_bridge.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from avw.sim_bridge.navigation.free_space import FreeSpace
    from avw.sim_bridge.types import Action, Observation, Pose, Source

BACKENDS = ("auto", "embedded", "habitat", "soundspaces")
ACOUSTICS = (*ENGINES, "habitat")


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatorConfig:
    """How a scene is seen and heard. The same for a whole dataset, and stored in its spec.

    size: pixels, square image · hfov: horizontal field of view, degrees
    acoustics: the engine's name · emitters: virtual emitters kept per source: noise against time. The default is
        quieter than SoundSpaces 2.0's engine as that is run for navigation (docs/performance.md)
    hrtf: a SOFA file, the head to hear with; None: MIT KEMAR
    materials: a material map as SoundSpaces has it (`scenes.materials.material_map`); None: our own table
    stream: how responses become an episode's sound (`acoustics.stream`): "glide", or "soundspaces"
    scene_root: folder of scanned collections; None: $AVW_SCENES, else data/scene_datasets
    habitat_python: for the backend habitat, the interpreter that has habitat-sim; None: $AVW_HABITAT_PYTHON, else this
        one, in a supervised child; "in-process": this very process. Of no consequence for what is simulated
    """

    backend: str = "auto"
    acoustics: str = "emitters"
    size: int = 128
    hfov: float = 90.0
    emitters: int = 10_000
    hrtf: str | None = None
    materials: str | None = None
    stream: str = "glide"
    scene_root: str | None = None
    habitat_python: str | None = None


class Simulator(Protocol):
    """One scene, one agent, one source. Poses are floor points; every array follows `avw.sim_bridge.types`."""

    backend: str
    reproducible: bool
    """True when the same calls give the same bytes in any process; else the dataset makes no hash promise."""
    scene_id: str
    config: SimulatorConfig

    @property
    def materials_named(self) -> float | None:
        """Share of the scene's area, in [0, 1], that the configured material map has a label for; None without one."""
        ...

    @property
    def navgrid(self) -> FreeSpace:
        """Free space, islands and geodesics. Privileged: for scripts, rewards and the oracle, never for a policy."""
        ...

    def reset(self, start: Pose, source: Source, *, seed: int = 0) -> Observation:
        """Stand at `start` with `source` sounding since ever; returns the first observation."""
        ...

    def step(self, action: Action) -> Observation:
        """Act for 0.15 s (STOP: stand still for a step), sliding along walls; returns the observation after it."""
        ...

    @property
    def pose(self) -> Pose: ...

    @property
    def source(self) -> Source:
        """The episode's source. Privileged, as the pose is."""
        ...

    @property
    def collided(self) -> bool:
        """Whether the last step met an obstacle."""
        ...

    def distance_to_source(self, position_3: np.ndarray | None = None) -> float:
        """Geodesic metres from a floor point (default: the agent's) to the source's floor point; inf if apart."""
        ...

    def close(self) -> None: ...


def check_config(config: SimulatorConfig) -> None:
    """Raises UsageError for a backend, engine or stream that is unknown, or that does not go with the others."""
    for name, value, known in (
        ("backend", config.backend, BACKENDS),
        ("acoustics", config.acoustics, ACOUSTICS),
        ("stream", config.stream, STREAMS),
    ):
        if value not in known:
            raise UsageError(f"unknown {name} {value!r}: expected one of {', '.join(known)}")
    if config.backend == "soundspaces":
        for option, is_its_own in (
            ("--acoustics", config.acoustics == "habitat"),
            ("--stream", config.stream == "soundspaces"),
            ("--hrtf", config.hrtf is None),
            ("--materials", config.materials is None),
        ):
            if not is_its_own:
                raise UsageError(
                    f"--backend soundspaces sounds as SoundSpaces does, whatever {option} says: leave that out, or use "
                    "--backend habitat"
                )
    if config.acoustics == "habitat" and config.backend not in ("habitat", "soundspaces"):
        raise UsageError(
            "--acoustics habitat is the audio sensor of a habitat-sim, and no other backend has it: add --backend "
            "habitat, or use --acoustics emitters or rlr"
        )
    if config.acoustics != "emitters" and config.hrtf is not None:
        raise UsageError(
            f"--acoustics {config.acoustics} hears with a head of its own: leave out the SOFA file, or use --acoustics "
            "emitters"
        )


def resolved(config: SimulatorConfig) -> SimulatorConfig:
    """What is simulated, said in full: "auto" is the embedded simulator, and SoundSpaces has its own sound."""
    if config.backend == "auto":
        return dataclasses.replace(config, backend="embedded")
    if config.backend != "soundspaces":
        return config
    return dataclasses.replace(
        config,
        acoustics="habitat" if config.acoustics == "emitters" else config.acoustics,
        stream="soundspaces",
    )


def is_reproducible(config: SimulatorConfig) -> bool:
    """Whether the same episode has the same bytes on every machine of a kind: only where everything in it is ours."""
    return config.backend in ("auto", "embedded") and config.acoustics == "emitters"
