"""The interface of all simulators, and their configuration."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from avw.sim_bridge.acoustics.engine import ENGINES, STREAMS
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.storage.typed_json import from_json

if TYPE_CHECKING:
    import numpy as np

    from avw.sim_bridge.navigation.free_space import FreeSpace
    from avw.sim_bridge.scenes.scene_ref import SceneRef
    from avw.sim_bridge.simulators.sound_events import SoundEvents
    from avw.sim_bridge.types import Action, Observation, Pose, Source

BACKENDS = ("auto", "embedded", "habitat", "soundspaces")
INTERPRETED = ("habitat", "soundspaces")  # backends that run in an interpreter of their own
HABITAT_PYTHON = "AVW_HABITAT_PYTHON"
ACOUSTICS = (*ENGINES, "habitat")
_log = logging.getLogger("avw.simulators")


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatorConfig:
    """How a scene is rendered and heard. One configuration applies to a whole dataset and is stored in its spec.

    size: pixels of the square image · hfov: horizontal field of view, degrees
    acoustics: name of the acoustic engine
    emitters: virtual emitters per source; more is less noisy but slower. With the default, the noise is lower than that
        of SoundSpaces 2.0's engine with its settings for navigation (docs/performance.md)
    hrtf: SOFA file with the head-related transfer function; None: MIT KEMAR
    materials: material map in SoundSpaces' format (`scenes.materials.material_map`); None: AVW's own table
    stream: how impulse responses become continuous sound (`acoustics.stream`): "glide" or "soundspaces"
    habitat_python: interpreter that has habitat-sim, for the backends habitat and soundspaces; None:
        $AVW_HABITAT_PYTHON, else this one, in a supervised child; "in-process": this process. It does not change what
        is simulated, and is never stored
    """

    backend: str = "auto"
    acoustics: str = "emitters"
    size: int = 128
    hfov: float = 90.0
    emitters: int = 10_000
    hrtf: str | None = None
    materials: str | None = None
    stream: str = "glide"
    habitat_python: str | None = None


NEVER_STORED = ("habitat_python", "scene_root")
"""Names of a program and of a folder outside of a dataset. They come from the command line, the environment or the
caller, never from a file: otherwise opening someone else's dataset could run a program of their choice."""


def stored_config(values: Mapping[str, Any]) -> SimulatorConfig:
    """The configuration in a file, e.g. in the spec of a dataset; every reader of such a file must use this function.

    Raises ValueError for an unknown field or a value of another type.
    """
    named = sorted(name for name in NEVER_STORED if values.get(name) is not None)
    if named:
        _log.warning(
            "a stored simulator configuration names %s, which is ignored: type --habitat-python PYTHON or set "
            "$AVW_HABITAT_PYTHON for the interpreter that has habitat-sim, --scene-root DIR or $AVW_SCENES for the "
            "folder of scans",
            " and ".join(f"{name} {values[name]!r}" for name in named),
        )
    kept = {name: value for name, value in values.items() if name not in NEVER_STORED}
    return from_json(SimulatorConfig, kept, "simulator")


def require_interpreter(config: SimulatorConfig, what: str) -> None:
    """Raises UsageError if a stored configuration would start an interpreter that the user did not name.

    what: "the dataset data/mp3d"; the backend in it was chosen by whoever made it.
    """
    if config.backend in INTERPRETED and not (config.habitat_python or os.environ.get(HABITAT_PYTHON)):
        raise UsageError(
            f"{what} names the backend {config.backend}, which starts another Python interpreter. Name the one "
            f"that has habitat-sim: add --habitat-python PYTHON, or set {HABITAT_PYTHON}"
        )


class Simulator(Protocol):
    """One scene, one agent, one source. Poses are floor points; every array follows `avw.sim_bridge.types`."""

    backend: str
    reproducible: bool
    """Whether the same calls give the same bytes in any process; otherwise a dataset cannot be checked by replay."""
    scene_id: str
    ref: SceneRef
    """The scene; `scene_id` is its name."""
    config: SimulatorConfig

    @property
    def materials_named(self) -> float | None:
        """Share of the scene's area, in [0, 1], that the configured material map has labels for; None without a map."""
        ...

    @property
    def navgrid(self) -> FreeSpace:
        """Free space, islands and geodesics. Privileged: for scripts, rewards and the oracle, never for a policy."""
        ...

    def reset(self, start: Pose, source: Source, *, seed: int = 0, events: SoundEvents | None = None) -> Observation:
        """Start an episode at `start`; the source has been sounding for ever. Returns the first observation.

        events: what happens to the sound later; None: nothing.
        """
        ...

    def step(self, action: Action) -> Observation:
        """Act for 0.15 s (STOP: stand still), sliding along walls; returns the observation at the end."""
        ...

    @property
    def pose(self) -> Pose: ...

    @property
    def source(self) -> Source:
        """The source of the episode, where it is now. Privileged, like the pose."""
        ...

    @property
    def collided(self) -> bool:
        """Whether the last step met an obstacle."""
        ...

    def distance_to_source(self, position_3: np.ndarray | None = None) -> float:
        """Geodesic metres from a floor point (default: the agent's) to the source's; inf if there is no path."""
        ...

    def in_sight(self, position_3: np.ndarray | tuple[float, float, float]) -> bool:
        """Whether nothing is between the ears of the agent and a point. Privileged, like the pose."""
        ...

    def close(self) -> None: ...


def check_config(config: SimulatorConfig) -> None:
    """Raises UsageError for an unknown backend, engine or stream, an impossible image, and settings that exclude each
    other.
    """
    for name, value, known in (
        ("backend", config.backend, BACKENDS),
        ("acoustics", config.acoustics, ACOUSTICS),
        ("stream", config.stream, STREAMS),
    ):
        if value not in known:
            raise UsageError(f"unknown {name} {value!r}: expected one of {', '.join(known)}")
    for name, least, most in (("size", 1, 4096), ("emitters", 1, 10_000_000)):
        value = getattr(config, name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            what = f"images of {value} pixels" if name == "size" else f"{value} {name}"
            raise UsageError(f"{what}: expected a whole number of at least {least} and at most {most:,}, such as 128")
    if not 1.0 <= config.hfov <= 170.0:
        raise UsageError(
            f"a field of view of {config.hfov:g} degrees: expected 1 to 170, because images are perspective views and "
            "not panoramas"
        )
    if config.backend == "soundspaces":
        for option, is_default in (
            ("--acoustics", config.acoustics == "habitat"),
            ("--stream", config.stream == "soundspaces"),
            ("--hrtf", config.hrtf is None),
            ("--materials", config.materials is None),
        ):
            if not is_default:
                raise UsageError(
                    f"--backend soundspaces always uses SoundSpaces' own sound, so {option} has no effect: leave "
                    "it out, or use --backend habitat"
                )
    if config.acoustics == "habitat" and config.backend not in ("habitat", "soundspaces"):
        raise UsageError(
            "--acoustics habitat is the audio sensor of Habitat-Sim, which other backends do not have: add --backend "
            "habitat, or use --acoustics emitters or rlr"
        )
    if config.acoustics != "emitters" and config.hrtf is not None:
        raise UsageError(
            f"--acoustics {config.acoustics} has its own head-related transfer function: leave out "
            "--hrtf, or use --acoustics emitters"
        )


def resolved(config: SimulatorConfig) -> SimulatorConfig:
    """The configuration with every choice made: "auto" is the embedded simulator, and SoundSpaces has its own sound."""
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
    """Whether an episode has the same bytes on all machines of one kind: only if AVW renders images and sound."""
    return config.backend in ("auto", "embedded") and config.acoustics == "emitters"
