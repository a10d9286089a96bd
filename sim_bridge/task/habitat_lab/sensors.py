"""The sensors of `AVW-v0`: which of habitat-lab's sensors are supported, and with which settings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gym import spaces
from habitat.config.default import get_agent_config
from habitat.core.registry import registry
from habitat.core.simulator import DepthSensor, Observations, RGBSensor, Sensor, SensorSuite, SensorTypes
from omegaconf import DictConfig, OmegaConf

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from avw.sim_bridge.task.habitat_lab.configs import AUDIO_SENSOR, simulator_config
from avw.sim_bridge.types import (
    AGENT_HEIGHT,
    AGENT_RADIUS,
    CAMERA_HEIGHT,
    FORWARD_METRES,
    STEP_SAMPLES,
    TURN_RADIANS,
    Observation,
)

MAX_AUDIO = 1_000.0  # linear units; a source one centimetre from the ear stays below


@registry.register_sensor(name=AUDIO_SENSOR)
class AudioSensor(Sensor):
    """Binaural audio: float32 (2, 2400), as in `Observation`; its name is `config.uuid`."""

    def _get_uuid(self, *args: Any, **kwargs: Any) -> str:
        return "audiogoal"

    def _get_sensor_type(self, *args: Any, **kwargs: Any) -> SensorTypes:
        return SensorTypes.TENSOR

    def _get_observation_space(self, *args: Any, **kwargs: Any) -> spaces.Box:
        return spaces.Box(-MAX_AUDIO, MAX_AUDIO, (2, STEP_SAMPLES), np.float32)

    def get_observation(self, sim_obs: dict[str, np.ndarray]) -> np.ndarray:
        return sim_obs[self.uuid]


def sensors_of(config: DictConfig) -> SensorSuite:
    """The default agent's sensors. Raises UsageError for a sensor that AVW does not have."""
    sensors = []
    for name, sensor_config in get_agent_config(config).sim_sensors.items():
        sensor_class = registry.get_sensor(sensor_config.type)
        if sensor_class is None or not issubclass(sensor_class, RGBSensor | DepthSensor | AudioSensor):
            raise UsageError(
                f"AVW-v0 has no sensor {sensor_config.type!r} ({name}): use HabitatSimRGBSensor, HabitatSimDepthSensor "
                f"and {AUDIO_SENSOR}"
            )
        sensors.append(sensor_class(config=sensor_config))
    return SensorSuite(sensors)


def observe(suite: SensorSuite, observation: Observation) -> Observations:
    """The observation of each sensor, by its name."""
    return suite.get_observations({uuid: _part(observation, sensor) for uuid, sensor in suite.sensors.items()})


def _part(observation: Observation, sensor: Sensor) -> np.ndarray:
    if isinstance(sensor, AudioSensor):
        return observation.audio_ES
    return observation.depth_HW if isinstance(sensor, DepthSensor) else observation.rgb_HWC


def settings_of(config: DictConfig, suite: SensorSuite) -> SimulatorConfig:
    """AVW's configuration from habitat-lab's. Raises UsageError for settings that AVW does not support."""
    if len(config.agents) != 1:
        raise UsageError(f"AVW-v0 simulates one agent; habitat.simulator.agents names {len(config.agents)}")
    agent = get_agent_config(config)
    _require("habitat.simulator.forward_step_size", config.forward_step_size, FORWARD_METRES)
    _require("habitat.simulator.turn_angle", config.turn_angle, math.degrees(TURN_RADIANS))
    _require("the agent's radius", agent.radius, AGENT_RADIUS)
    _require("the agent's height", agent.height, AGENT_HEIGHT)
    cameras = {uuid: sensor.config for uuid, sensor in suite.sensors.items() if not isinstance(sensor, AudioSensor)}
    views = {(camera.width, camera.height, camera.hfov) for camera in cameras.values()}
    if len(views) > 1 or any(width != height for width, height, _ in views):
        raise UsageError(
            f"AVW-v0's cameras share one square image; the sensors {', '.join(cameras)} ask for "
            f"{', '.join(f'{width}x{height} at {hfov} degrees' for width, height, hfov in sorted(views))}: set "
            "the same width = height and the same hfov for all"
        )
    for uuid, camera in cameras.items():
        _require(f"the position of sensor {uuid!r}", list(camera.position), [0.0, CAMERA_HEIGHT, 0.0])
        _require(f"the orientation of sensor {uuid!r}", list(camera.orientation), [0.0, 0.0, 0.0])
    view = [{"size": int(size), "hfov": float(hfov)} for size, _, hfov in views]
    return simulator_config(OmegaConf.select(config, "avw"), **(view[0] if view else {}))


def _require(what: str, requested: Any, supported: Any) -> None:
    if not np.allclose(requested, supported, atol=1e-6):
        raise UsageError(
            f"AVW-v0 does not support {what} = {requested}: it is {supported} in every backend, so set that value"
        )
