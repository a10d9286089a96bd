"""What a spatial memory would know at every frame of a recorded episode: pose, motions of the actions to come, frames.

Training reads these instead of running a memory for every window. Only depth images and actions are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avw.model.memory.config import MemoryConfig
from avw.model.memory.odometry import metres, step_pose
from avw.model.memory.poses import compose, wrapped
from avw.model.memory.rolling import Obstacles, commanded_steps


@dataclass(frozen=True, slots=True)
class Tracks:
    """odometry_T4: float64, the estimated pose (forward, left, up, turn) at each frame, in the frame of the first one
    rolled_TN3: float32, motion from each frame after the next 1 … N commanded actions; after the end of the episode,
        the last motion is repeated
    keyframes_TK: int32, the frames that the memory holds at each frame, newest last; -1 where it holds fewer
    """

    odometry_T4: np.ndarray
    rolled_TN3: np.ndarray
    keyframes_TK: np.ndarray


def episode_tracks(
    depth_THW: np.ndarray,
    actions_T: Sequence[int] | np.ndarray,
    hfov: float,
    *,
    horizon: int = 64,
    config: MemoryConfig | None = None,
) -> Tracks:
    """The tracks of an episode.

    depth_THW: uint16 millimetres, one more frame than actions · actions_T: as in `avw.Action` · hfov: degrees
    """
    config = config or MemoryConfig()
    frames, actions = len(depth_THW), [int(action) for action in actions_T]
    steps_N3 = commanded_steps(np.array(actions, np.int64))
    obstacles = Obstacles(hfov, config)
    odometry_T4 = np.zeros((frames, 4))
    rolled_TN3 = np.zeros((frames, horizon, 3), np.float32)
    before = metres(depth_THW[0])
    for t in range(frames):
        if t > 0:
            after = metres(depth_THW[t])
            odometry_T4[t] = compose(odometry_T4[t - 1], np.array(step_pose(before, after, actions[t - 1], hfov)))
            before = after
        obstacles.add(depth_THW[t], odometry_T4[t])
        ahead = obstacles.roll(odometry_T4[t], steps_N3[t : t + horizon])
        if len(ahead):
            rolled_TN3[t, : len(ahead)] = ahead
            rolled_TN3[t, len(ahead) :] = ahead[-1]
    return Tracks(odometry_T4, rolled_TN3, held_frames(odometry_T4, config))


def is_keyframe(last_4: np.ndarray, pose_4: np.ndarray, config: MemoryConfig) -> bool:
    """Whether the agent has moved or turned far enough since the last keyframe."""
    moved = np.linalg.norm(pose_4[:3] - last_4[:3])
    # Commanded steps and turns add up to the thresholds except for rounding.
    return bool(moved > config.key_metres - 1e-3 or abs(wrapped(pose_4[3] - last_4[3])) > config.key_turn - 1e-3)


def held_frames(odometry_T4: np.ndarray, config: MemoryConfig) -> np.ndarray:
    """int32 (T, K): the keyframes and the current frame at each frame, newest last, -1 for none."""
    held_TK = np.full((len(odometry_T4), config.keyframes), -1, np.int32)
    keys: list[int] = []
    for t, pose_4 in enumerate(odometry_T4):
        if not keys or is_keyframe(odometry_T4[keys[-1]], pose_4, config):
            keys = [*keys, t][-config.keyframes :]
        held = (keys if keys[-1] == t else [*keys, t])[-config.keyframes :]
        held_TK[t, config.keyframes - len(held) :] = held
    return held_TK
