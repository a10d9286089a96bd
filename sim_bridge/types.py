"""The words that every part of AVW shares: actions, poses, sources, observations.

Shape legend, the same in every file:
    B batch · T time steps · H W image · C channels · E ears (0 left, 1 right) · S samples
    N tokens · D width · K candidates · F faces · V vertices · L lights · 3 = (x, y, z)

Frame: metres, +X right, +Y up, -Z forward (Habitat's and glTF's); yaw in radians, counter-clockwise seen
from above, so at yaw 0 an agent looks along -Z and a positive turn is a turn to the left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

SAMPLE_RATE = 16_000  # Hz
STEP_SECONDS = 0.15  # one action
STEP_SAMPLES = 2_400  # SAMPLE_RATE * STEP_SECONDS
FORWARD_METRES = 0.15
TURN_RADIANS = math.radians(10.0)
CAMERA_HEIGHT = 1.25  # metres above the floor, SoundSpaces' values
EAR_HEIGHT = 1.5
SOURCE_HEIGHT = 1.5
AGENT_RADIUS = 0.1
AGENT_HEIGHT = 1.5


class Action(IntEnum):
    """The discrete actions in Habitat's order; each lasts one step of 0.15 s."""

    STOP = 0
    FORWARD = 1
    TURN_LEFT = 2
    TURN_RIGHT = 3


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the agent stands: the point on the floor under it (metres) and its yaw (radians)."""

    x: float
    y: float
    z: float
    yaw: float

    @property
    def position_3(self) -> np.ndarray:
        return np.array([self.x, self.y, self.z], dtype=np.float64)

    @property
    def camera_3(self) -> np.ndarray:
        return np.array([self.x, self.y + CAMERA_HEIGHT, self.z], dtype=np.float64)

    @property
    def ears_3(self) -> np.ndarray:
        """The centre of the head, between the ears."""
        return np.array([self.x, self.y + EAR_HEIGHT, self.z], dtype=np.float64)

    @property
    def forward_3(self) -> np.ndarray:
        return np.array([-math.sin(self.yaw), 0.0, -math.cos(self.yaw)], dtype=np.float64)

    @property
    def right_3(self) -> np.ndarray:
        return np.array([math.cos(self.yaw), 0.0, -math.sin(self.yaw)], dtype=np.float64)

    def after(self, action: Action) -> Pose:
        """The *commanded* next pose: what the action would do with nothing in the way."""
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
    """The same angle in [-pi, pi)."""
    return (radians + math.pi) % (2.0 * math.pi) - math.pi


def relative_motion(origin: Pose, target: Pose) -> np.ndarray:
    """`target` seen from `origin`'s heading frame: float64 (forward m, left m, net turn rad in [-pi, pi))."""
    dx, dz = target.x - origin.x, target.z - origin.z
    s, c = math.sin(origin.yaw), math.cos(origin.yaw)
    return np.array([-dx * s - dz * c, -dx * c + dz * s, wrap_angle(target.yaw - origin.yaw)])


@dataclass(frozen=True, slots=True)
class Source:
    """A standing sound source.

    position_3: metres; the point that sounds (1.5 m above the floor by convention).
    floor_3: the floor point under it, to which geodesic distances are measured.
    sound: name of a shipped sound ("ring") or a path to an audio file.
    phase: samples into the looped clip at the instant of the first observation.
    """

    position_3: tuple[float, float, float]
    floor_3: tuple[float, float, float]
    sound: str = "ring"
    phase: int = 0


@dataclass(frozen=True, slots=True)
class Observation:
    """What a policy may know of an instant. Nothing privileged stands here.

    rgb_HWC: uint8 · depth_HW: float32 metres, planar z, 0 = nothing hit
    audio_ES: float32 (2, 2400), the samples that end at this instant; linear units: a source's direct sound
    at 1 m has the clip's own RMS (one gain for everything, never per-clip normalisation).
    """

    rgb_HWC: np.ndarray
    depth_HW: np.ndarray
    audio_ES: np.ndarray
