"""AVW in habitat-lab's configurations: Hydra groups for the simulator, its sound and its episodes.

    /habitat/simulator: avw          /habitat/simulator/sim_sensors: avw_audio_sensor          /habitat/dataset: avw

`audionav.yaml` beside this file combines them into the task of `avw.sim_bridge.task.task`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import habitat
from habitat.config.default_structured_configs import DatasetConfig, HabitatBaseConfig
from habitat.config.default_structured_configs import SimulatorConfig as LabSimulatorConfig
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.types import FORWARD_METRES

SIMULATOR = "AVW-v0"
DATASET = "AVW-v0"
AUDIO_SENSOR = "AVWAudioSensor"
SCENE_ROOT = "scene_root"  # in `avw`: the folder of scanned collections; null: $AVW_SCENES, else data/scene_datasets
AUDIONAV = Path(__file__).with_name("audionav.yaml")


def default_settings() -> dict[str, Any]:
    """The fields of `SimulatorConfig` that the sensors of habitat-lab do not define, and the folder of scans."""
    settings = dataclasses.asdict(SimulatorConfig()) | {SCENE_ROOT: None}
    return {name: value for name, value in settings.items() if name not in ("size", "hfov")}


def simulator_config(avw: DictConfig | None, **view: Any) -> SimulatorConfig:
    """AVW's configuration from `habitat.simulator.avw` (None: all defaults) and `view`: size and hfov of the cameras.

    Raises UsageError for an unknown name.
    """
    settings = {} if avw is None else OmegaConf.to_container(avw, resolve=True)
    assert isinstance(settings, dict)
    known = default_settings()
    unknown = sorted(str(name) for name in settings if name not in known)
    if unknown:
        raise UsageError(f"unknown habitat.simulator.avw {', '.join(unknown)}: expected {', '.join(sorted(known))}")
    return SimulatorConfig(**{str(name): value for name, value in settings.items() if name != SCENE_ROOT}, **view)


@dataclass
class AvwSimulatorConfig(LabSimulatorConfig):
    """habitat.simulator for AVW.

    avw: backend, acoustics, emitters and the other fields of `avw.sim_bridge.simulators.protocol.SimulatorConfig`
    sound: "ring" or a file, for episodes that do not name a sound
    sound_root: the folder of SoundSpaces' sounds, for episodes that name a sound; None: $AVW_SOUNDS, else data/sounds
    """

    type: str = SIMULATOR
    forward_step_size: float = FORWARD_METRES
    turn_angle: int = 10
    avw: dict[str, Any] = field(default_factory=default_settings)
    sound: str = "ring"
    sound_root: str | None = None


@dataclass
class AvwAudioSensorConfig(HabitatBaseConfig):
    """Binaural audio: (2, 2400) float32, the 0.15 s that end at the observation. `uuid` names the observation."""

    type: str = AUDIO_SENSOR
    uuid: str = "audiogoal"


@dataclass
class AvwDatasetConfig(DatasetConfig):
    """Randomly drawn episodes, as `avw.sim_bridge.task.task.sample_episode` does.

    scenes: what `avw generate --scenes` takes · episodes_per_scene · first_episode: the seed of the first one
    min_distance: smallest geodesic distance from start to source, metres
    """

    type: str = DATASET
    scenes: str = "procedural:4"
    episodes_per_scene: int = 10
    first_episode: int = 0
    min_distance: float = 3.0
    avw: Any = "${habitat.simulator.avw}"
    sound: str = "${habitat.simulator.sound}"


def audionav_config(*overrides: str) -> DictConfig:
    """`audionav.yaml`, composed; overrides are Hydra's, e.g. "habitat.simulator.avw.backend=habitat"."""
    config: DictConfig = habitat.get_config(str(AUDIONAV), list(overrides))
    return config


_store = ConfigStore.instance()
_store.store(group="habitat/simulator", package="habitat.simulator", name="avw", node=AvwSimulatorConfig)
_store.store(group="habitat/simulator/sim_sensors", name="avw_audio_sensor", node=AvwAudioSensorConfig)
_store.store(group="habitat/dataset", package="habitat.dataset", name="avw", node=AvwDatasetConfig)
