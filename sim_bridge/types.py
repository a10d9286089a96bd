"""Types and constants that all parts of AVW share: actions, poses, sources, observations.

Shape legend, the same in every file:
    B batch · T time steps · H W image · C channels · E ears (0 left, 1 right) · S samples
    N tokens · D width · K candidates · F faces · V vertices · L lights · 3 = (x, y, z)

Frame: metres, +X right, +Y up, -Z forward (as in Habitat and glTF); yaw in radians, counter-clockwise seen from
above. At yaw 0 an agent faces -Z, and a positive turn is a turn to the left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

SAMPLE_RATE = 16_000  # Hz
STEP_SECONDS = 0.15  # duration of one action
STEP_SAMPLES = 2_400  # SAMPLE_RATE * STEP_SECONDS
FORWARD_METRES = 0.15
TURN_RADIANS = math.radians(10.0)
CAMERA_HEIGHT = 1.25  # metres above the floor, as in SoundSpaces
EAR_HEIGHT = 1.5
SOURCE_HEIGHT = 1.5
AGENT_RADIUS = 0.1
AGENT_HEIGHT = 1.5


class Action(IntEnum):
    """The discrete actions, numbered as in Habitat; each lasts one step of 0.15 s."""

    STOP = 0
    FORWARD = 1
    TURN_LEFT = 2
    TURN_RIGHT = 3


@dataclass(frozen=True, slots=True)
class Pose:
    """The pose of the agent: the point on the floor below it (metres) and its yaw (radians)."""

    x: float
    y: float
    z: float
    yaw: float

    @property
    def position_3(self) -> np.ndarray:
        """The floor point, float64 metres."""
        return np.array([self.x, self.y, self.z], dtype=np.float64)

    @property
    def camera_3(self) -> np.ndarray:
        """The position of the camera, float64 metres."""
        return np.array([self.x, self.y + CAMERA_HEIGHT, self.z], dtype=np.float64)

    @property
    def ears_3(self) -> np.ndarray:
        """The centre of the head, between the ears; float64 metres."""
        return np.array([self.x, self.y + EAR_HEIGHT, self.z], dtype=np.float64)

    @property
    def forward_3(self) -> np.ndarray:
        """Unit vector straight ahead."""
        return np.array([-math.sin(self.yaw), 0.0, -math.cos(self.yaw)], dtype=np.float64)

    @property
    def right_3(self) -> np.ndarray:
        """Unit vector to the right."""
        return np.array([math.cos(self.yaw), 0.0, -math.sin(self.yaw)], dtype=np.float64)

    def after(self, action: Action) -> Pose:
        """The *commanded* next pose: the result of the action if nothing is in the way."""
        if action == Action.FORWARD:
            return Pose(
                self.x - FORWARD_METRES * math.sin(self.yaw),
                self.y,
                self.z - FORWARD_METRES * math.cos(self.yaw),
                self.yaw,
            )
        if action == Action.TURN_LEFT:
            return Pose(self.x, self.y, self.z, wrap_angle(self.yaw + TURN_RADIANS))
        if action == Action.TURN_RIGHT:
            return Pose(self.x, self.y, self.z, wrap_angle(self.yaw - TURN_RADIANS))
        return self


def wrap_angle(radians: float) -> float:
    """The equivalent angle in [-pi, pi)."""
    return (radians + math.pi) % (2.0 * math.pi) - math.pi


def relative_motion(origin: Pose, target: Pose) -> np.ndarray:
    """`target` in the frame of `origin`: float64 (3,), metres forward, metres left, turn in radians in [-pi, pi)."""
    dx, dz = target.x - origin.x, target.z - origin.z
    s, c = math.sin(origin.yaw), math.cos(origin.yaw)
    return np.array([-dx * s - dz * c, -dx * c + dz * s, wrap_angle(target.yaw - origin.yaw)])


def moved(pose: Pose, forward: float, left: float, turn: float = 0.0) -> Pose:
    """The pose at metres forward, metres left and radians of turn from `pose`: the inverse of `relative_motion`."""
    s, c = math.sin(pose.yaw), math.cos(pose.yaw)
    return Pose(pose.x - forward * s - left * c, pose.y, pose.z - forward * c + left * s, wrap_angle(pose.yaw + turn))


@dataclass(frozen=True, slots=True)
class Source:
    """A stationary sound source.

    position_3: metres; the point that emits the sound (1.5 m above the floor by convention)
    floor_3: metres; the floor point below it, to which geodesic distances are measured
    sound: name of a shipped sound ("ring") or path to an audio file
    phase: samples into the looped clip at the instant of the first observation
    """

    position_3: tuple[float, float, float]
    floor_3: tuple[float, float, float]
    sound: str = "ring"
    phase: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """What a policy may know at one instant, without privileged information.

    rgb_HWC: uint8 · depth_HW: float32 metres, planar z, 0 = nothing hit
    audio_ES: float32 (2, 2400), the samples that end at this instant, in linear units: the direct sound of a source at
    1 m has the RMS of the clip. The gain is the same for all observations; there is no normalisation per clip.
    """

    rgb_HWC: np.ndarray
    depth_HW: np.ndarray
    audio_ES: np.ndarray
