"""What happens: the true future after some actions, recorded or simulated.

Shapes: N steps · H W image · C channels · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avw.model.imagine.subject import Subject, pose_rows
from avw.sim_bridge.task.task import TaskConfig, step_reward, succeeded
from avw.sim_bridge.types import Action


@dataclass(frozen=True, kw_only=True, slots=True)
class Future:
    """One entry per action. recorded: from the dataset; otherwise simulated

    rgb_NHWC: uint8 · depth_NHW: float32 metres · audio_NES: float32, linear units · poses_N4: x, y, z, yaw
    distance_N: geodesic metres to the source · reward_N: sum of the rewards so far · progress_N: metres gained so far
    """

    recorded: bool
    rgb_NHWC: np.ndarray
    depth_NHW: np.ndarray
    audio_NES: np.ndarray
    poses_N4: np.ndarray
    distance_N: np.ndarray
    reward_N: np.ndarray
    progress_N: np.ndarray


def true_future(subject: Subject, t: int, actions: Sequence[Action]) -> Future:
    """What follows observation t. Recorded actions need no simulator; for others the episode is replayed up to t.

    Raises an AvwError if the scene of the episode cannot be opened here.
    """
    taken = [int(action) for action in actions]
    ahead = slice(t + 1, t + 1 + len(taken))
    if subject.actions[t : t + len(taken)].tolist() == taken:
        arrays = subject.rgb[ahead], subject.depth[ahead], subject.audio[ahead], subject.poses[ahead]
        return _future(True, *arrays, subject.geodesic[ahead], float(subject.geodesic[t]), actions)
    session = subject.reopen()
    try:
        for action in subject.actions[:t]:
            session.step(int(action))
        results, poses = [], []
        for action in actions:
            results.append(session.step(action))
            poses.append(session.simulator.pose)
    finally:
        session.close()
    return _future(
        False,
        np.stack([result.observation.rgb_HWC for result in results]),
        np.stack([result.observation.depth_HW for result in results]),
        np.stack([result.observation.audio_ES for result in results]),
        pose_rows(poses),
        np.array([result.geodesic for result in results], np.float32),
        float(subject.geodesic[t]),
        actions,
    )


def _future(
    recorded: bool,
    rgb: np.ndarray,
    depth: np.ndarray,
    audio: np.ndarray,
    poses: np.ndarray,
    distance_N: np.ndarray,
    before: float,
    actions: Sequence[Action],
) -> Future:
    task, rewards, last = TaskConfig(), [], before
    for action, distance in zip(actions, distance_N.tolist(), strict=True):
        rewards.append(step_reward(task, last, distance, succeeded(task, action, distance)))
        last = distance
    return Future(
        recorded=recorded,
        rgb_NHWC=rgb,
        depth_NHW=depth,
        audio_NES=audio,
        poses_N4=poses,
        distance_N=distance_N,
        reward_N=np.cumsum(rewards),
        progress_N=before - distance_N,
    )
