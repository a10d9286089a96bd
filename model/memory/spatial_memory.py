"""`SpatialMemory`: the posed RGB-D frames that an agent has seen, and what their geometry tells without learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from avw.model.memory.config import MemoryConfig
from avw.model.memory.free_space import FreeSpace, ReachablePoses, carve, reachable_poses, space_around
from avw.model.memory.odometry import metres, step_pose
from avw.model.memory.poses import compose, seen_from, with_height
from avw.model.memory.reprojection import Reprojection, reproject_frames
from avw.model.memory.rolling import Obstacles, commanded_steps
from avw.model.memory.tracks import is_keyframe
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Observation

DEPTH_UNITS = 1000  # millimetres per metre


@dataclass(frozen=True, slots=True)
class Frame:
    """rgb_HWC: uint8 · depth_HW: uint16 millimetres · pose_4: in the frame of the memory
    step: number of the last observation when it was added · key: whether it stays when the next frame is added
    """

    rgb_HWC: np.ndarray
    depth_HW: np.ndarray
    pose_4: np.ndarray
    step: int
    key: bool


class SpatialMemory:
    """What an agent has seen and where.

    Poses and motions are (forward, left, turn) or (forward, left, up, turn): metres and radians, left positive. The
    frame of the memory is the pose of the first observation; motions are relative to the current pose. The camera is
    level, 1.25 m above the floor; images are square with a field of view of `hfov` degrees.

        memory = SpatialMemory(hfov=90.0)
        memory.observe(observation)                    # the first frame
        memory.observe(observation, action)            # after every action; the pose follows from the depth images
        motion_N3 = memory.roll([Action.FORWARD] * 8)  # where the actions would lead
        seen = memory.reproject(motion_N3[-1:])        # what is known of the view from there

    Frames that were imagined may be added too: they draw only where no observed frame does, and they are neither
    obstacles nor free space. Raises UsageError for panoramas, images that are not square, and frames that differ in
    size.
    """

    def __init__(self, hfov: float, config: MemoryConfig | None = None) -> None:
        self.hfov = hfov
        self.config = config or MemoryConfig()
        self.obstacles = Obstacles(hfov, self.config)
        self.pose_4 = np.zeros(4)
        self.step = -1  # number of the last observation
        self._observed: list[Frame] = []  # keyframes, and the current frame as the last one
        self._imagined: list[Frame] = []
        self._arrays: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None

    def observe(self, observation: Observation, action: int | None = None) -> None:
        """Add an observation and the action that led to it (None for the first one, or without any action)."""
        depth_HW = millimetres(observation.depth_HW)
        pose_4 = self.pose_4
        if action is not None and self._observed:
            before, after = metres(self._observed[-1].depth_HW), metres(depth_HW)
            pose_4 = compose(pose_4, np.array(step_pose(before, after, int(action), self.hfov)))
        self.add(observation.rgb_HWC, depth_HW, pose_4)

    def add(self, rgb_HWC: np.ndarray, depth_HW: np.ndarray, pose: np.ndarray, *, imagined: bool = False) -> None:
        """Add a frame with a known pose in the frame of the memory, (3,) or (4,).

        rgb_HWC: uint8 · depth_HW: uint16 millimetres or float32 metres, 0 = nothing hit
        imagined: whether a model predicted the frame; the current pose then stays what it is
        """
        depth_HW = millimetres(depth_HW)
        self._check(rgb_HWC, depth_HW)
        pose_4 = with_height(np.asarray(pose)).copy()
        self.step += not imagined
        frames = self._imagined if imagined else self._observed
        if frames and not frames[-1].key:
            frames.pop()
        # The rule is that of `tracks.held_frames`.
        key = not frames or is_keyframe(frames[-1].pose_4, pose_4, self.config)
        frames.append(Frame(np.array(rgb_HWC, np.uint8), depth_HW, pose_4, self.step, key))
        del frames[: -self.config.keyframes]
        if not imagined:
            self.pose_4 = pose_4
            self.obstacles.add(depth_HW, pose_4)
            carve(self.obstacles, depth_HW, pose_4)
        self._arrays = None

    def frames(self) -> tuple[Frame, ...]:
        """The frames in the order of `Reprojection.source_PHW`: imagined ones, then observed ones, newest last."""
        return (*self._imagined, *self._observed)

    @property
    def imagined(self) -> int:
        """Number of imagined frames: sources below it are imagined."""
        return len(self._imagined)

    def reproject(self, motion: np.ndarray, size: int | None = None) -> Reprojection:
        """What the memory shows from K poses, (K, 3) or (K, 4), relative to the current pose.

        size: pixels per side of the images; by default that of the frames

        `age_PHW` of the answer is the number of steps since the frame of each pixel was seen: 0 for imagined frames
        that were added since the last observation, -1 where nothing is known.
        """
        motion_K4 = with_height(np.atleast_2d(np.asarray(motion, np.float64)))
        frames = self.frames()
        if not frames:
            raise UsageError("the memory is empty: call observe() or add() before reproject()")
        if self._arrays is None:
            self._arrays = (
                np.stack([frame.rgb_HWC for frame in frames]),
                np.stack([frame.depth_HW for frame in frames]),
                np.stack([frame.pose_4 for frame in frames]),
                np.array([frame.step for frame in frames]),
            )
        rgb_NHWC, depth_NHW, pose_N4, step_N = self._arrays
        target_K4 = compose(self.pose_4, motion_K4)
        frames_KN = np.broadcast_to(np.arange(len(pose_N4)), (len(target_K4), len(pose_N4)))
        drawn = reproject_frames(
            rgb_NHWC, depth_NHW, frames_KN, seen_from(target_K4[:, None], pose_N4[None]), self.hfov, size=size
        )
        age_N = np.append(self.step - step_N, -1).astype(np.int32)  # source -1 is the last entry
        return replace(drawn, age_PHW=age_N[drawn.source_PHW])

    def roll(self, actions: Sequence[int] | np.ndarray) -> np.ndarray:
        """float64 (N, 3): the motion from the current pose after each of N actions, sliding along known obstacles.

        actions: (N,) actions, or commanded steps (N, 3) (forward, left, turn)
        """
        return self.obstacles.roll(self.pose_4, commanded_steps(actions))

    def free_space(self, *, radius: float = 7.0, cell: float = 0.1) -> FreeSpace:
        """Free, occupied and unknown cells within `radius` metres of the agent."""
        return space_around(self.obstacles, self.pose_4, radius=radius, cell=cell)

    def reachable(self, *, nearest: float = 0.6, farthest: float = 6.0, through_unknown: bool = True) -> ReachablePoses:
        """Poses at the ends of cheapest paths of `nearest` to `farthest` metres through free and unknown space."""
        space = self.free_space(radius=farthest + 0.5)
        return reachable_poses(space, nearest=nearest, farthest=farthest, through_unknown=through_unknown)

    def copy(self) -> SpatialMemory:
        """An independent memory with the same contents, for example to add imagined frames to it."""
        other = object.__new__(SpatialMemory)
        other.__dict__.update(self.__dict__)
        other.obstacles = self.obstacles.copy()
        other.pose_4 = self.pose_4.copy()
        other._observed, other._imagined = list(self._observed), list(self._imagined)
        return other

    def _check(self, rgb_HWC: np.ndarray, depth_HW: np.ndarray) -> None:
        height, width = depth_HW.shape
        if height != width:
            raise UsageError(f"a spatial memory needs square images, not {width} x {height} pixels, and no panoramas")
        if rgb_HWC.shape != (height, width, 3):
            raise UsageError(f"colour and depth differ in shape: {rgb_HWC.shape} and {depth_HW.shape}")
        held = self.frames()
        if held and held[0].depth_HW.shape != depth_HW.shape:
            size = len(held[0].depth_HW)
            raise UsageError(f"the frames of the memory have {size} pixels per side, the new one has {height}")


def millimetres(depth_HW: np.ndarray) -> np.ndarray:
    """A depth image as uint16 millimetres; floats are metres. Farther than 65 m, or not finite, is no depth."""
    if depth_HW.dtype == np.uint16:
        return depth_HW.copy()
    scaled = np.round(np.asarray(depth_HW, np.float64) * DEPTH_UNITS)
    return np.where((scaled > 0) & (scaled < 65_535), scaled, 0).astype(np.uint16)
