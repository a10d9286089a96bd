"""What an agent has seen so far: posed RGB-D frames, from its own odometry.

Shapes: K poses · N steps · H W image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from avw.model.memory.config import MemoryConfig
from avw.model.memory.odometry import metres, step_pose
from avw.model.memory.poses import compose, seen_from, with_height
from avw.model.memory.reprojection import Reprojection, reproject_frames
from avw.model.memory.rolling import Obstacles, commanded_steps
from avw.model.memory.tracks import is_keyframe
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action, Observation

MILLIMETRES = 1000.0


@dataclass(frozen=True, slots=True)
class Keyframe:
    """rgb_HWC: uint8 · depth_HW: uint16 millimetres · pose_4: where it was seen · step: when · imagined: by a model."""

    rgb_HWC: np.ndarray
    depth_HW: np.ndarray
    pose_4: np.ndarray
    step: int
    imagined: bool = False


class SpatialMemory:
    """Posed RGB-D keyframes, and what follows from them without learning.

        memory = SpatialMemory(hfov=90.0)
        memory.observe(observation)                     # after the reset of an episode
        memory.observe(observation, Action.FORWARD)     # after every step
        ahead = memory.roll([Action.FORWARD] * 8)       # (8, 3): where the actions lead
        seen = memory.reproject(ahead[-1:])             # what is known of the view there

    Poses are (forward, left, up, turn), metres and radians, in the frame of the first observation; motions are relative
    to the current pose.
    """

    def __init__(self, hfov: float, config: MemoryConfig | None = None) -> None:
        self.hfov, self.config = hfov, config or MemoryConfig()
        self.obstacles = Obstacles(hfov, self.config)
        self.pose_4 = np.zeros(4)
        self.step = -1
        self._keys: list[Keyframe] = []
        self._imagined: list[Keyframe] = []
        self._now: Keyframe | None = None

    def observe(self, observation: Observation, action: Action | int | None = None) -> None:
        """Add an observation. action: what the agent did since the last one; the pose follows from depth."""
        depth_HW = np.rint(observation.depth_HW * MILLIMETRES).clip(0, 65535).astype(np.uint16)
        pose_4 = self.pose_4
        if self._now is not None and action is not None:
            moved = step_pose(metres(self._now.depth_HW), metres(depth_HW), int(action), self.hfov)
            pose_4 = compose(pose_4, np.array(moved))
        self._add(observation.rgb_HWC, depth_HW, pose_4)

    def add(self, rgb_HWC: np.ndarray, depth_HW: np.ndarray, pose_4: np.ndarray, *, imagined: bool = False) -> None:
        """Add a frame whose pose the caller knows; depth in metres.

        imagined: a frame that a model made. It never hides an observed one, it is no obstacle, and it does not move the
        agent
        """
        millimetres = np.rint(depth_HW * MILLIMETRES).clip(0, 65535).astype(np.uint16)
        pose_4 = np.asarray(with_height(pose_4), np.float64)
        if not imagined:
            self._add(rgb_HWC, millimetres, pose_4)
            return
        last = self._imagined[-1] if self._imagined else None
        if last is None or is_keyframe(last.pose_4, pose_4, self.config):
            frame = Keyframe(rgb_HWC, millimetres, pose_4, self.step, imagined=True)
            self._imagined = [*self._imagined, frame][-self.config.keyframes :]

    def _add(self, rgb_HWC: np.ndarray, depth_HW: np.ndarray, pose_4: np.ndarray) -> None:
        self.step += 1
        self.pose_4 = pose_4
        self._now = Keyframe(rgb_HWC, depth_HW, pose_4, self.step)
        if not self._keys or is_keyframe(self._keys[-1].pose_4, pose_4, self.config):
            self._keys = [*self._keys, self._now][-self.config.keyframes :]
        self.obstacles.add(depth_HW, pose_4)

    def frames(self) -> list[Keyframe]:
        """The frames that are drawn, the most trusted last: imagined ones, keyframes, and the current frame."""
        if self._now is None:
            raise UsageError("the memory is empty: call observe after the reset of an episode")
        keys = self._keys if self._keys[-1] is self._now else [*self._keys, self._now]
        return [*self._imagined, *keys[-self.config.keyframes :]]

    def reproject(self, motion_K: np.ndarray, size: int | None = None) -> Reprojection:
        """The frames as seen from K poses relative to the current one: (K, 3) or, with height, (K, 4).

        size: pixels of the result; by default that of the frames
        """
        frames = self.frames()
        target_K4 = compose(self.pose_4, np.asarray(motion_K))
        pose_KN4 = seen_from(target_K4[:, None], np.stack([frame.pose_4 for frame in frames])[None])
        order_KN = np.broadcast_to(np.arange(len(frames)), pose_KN4.shape[:2])
        rgb_NHWC = np.stack([frame.rgb_HWC for frame in frames])
        depth_NHW = np.stack([frame.depth_HW for frame in frames])
        seen = reproject_frames(rgb_NHWC, depth_NHW, order_KN, pose_KN4, self.hfov, size=size)
        age_N = np.array([self.step - frame.step for frame in frames], np.int32)
        return replace(seen, age_PHW=np.where(seen.coverage_PHW, age_N[np.maximum(seen.source_PHW, 0)], -1))

    def roll(self, actions: Sequence[Action | int] | np.ndarray) -> np.ndarray:
        """float64 (N, 3): where N actions, or steps (N, 3), lead from the current pose, along what depth has shown."""
        steps_N3 = commanded_steps(np.array([int(a) for a in actions]) if np.ndim(actions) == 1 else actions)
        return self.obstacles.roll(self.pose_4, steps_N3)

    def copy(self) -> SpatialMemory:
        """An independent memory with the same content."""
        other = SpatialMemory(self.hfov, self.config)
        other.obstacles = self.obstacles.copy()
        other.pose_4, other.step, other._now = self.pose_4, self.step, self._now
        other._keys, other._imagined = list(self._keys), list(self._imagined)
        return other
