"""What a world model is asked and what it answers, in NumPy: the context of a prediction, and the predicted future.

Shapes: T steps · C context frames · N steps ahead · H W image · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action, Observation, Pose, relative_motion

if TYPE_CHECKING:
    from avw.model.memory.spatial_memory import SpatialMemory


@dataclass(frozen=True, kw_only=True, slots=True)
class Imagination:
    """The future that a world model predicts for a sequence of actions.

    rgb: uint8 (H, W, 3), sRGB, after the last action
    depth: float32 (H, W), metres along the view axis; None from a model that predicts no depth
    audio: float32 (2, 2400), the 0.15 s of sound that end after the last action, 16 kHz, in the dataset's linear units
    reward: float, the predicted sum of rewards of the actions, as the task defines them
    progress: float, the part of `reward` that is geodesic metres gained towards the source
    success: float, P(the agent is then within the success distance of the source)
    distance: float, the expected geodesic distance to the source, metres
    motion: float32 (3,), where the actions lead: forward m, left m, turn rad. With a memory, along what it shows
    coverage: bool (H, W), which pixels were seen before; None from a model without a memory

    With `every_step=True` every value has one more axis in front: one entry per action. The sounds of the steps then
    continue each other without clicks, see `waveform`.
    """

    rgb: np.ndarray
    depth: np.ndarray | None
    audio: np.ndarray
    reward: float | np.ndarray
    progress: float | np.ndarray
    success: float | np.ndarray
    distance: float | np.ndarray
    motion: np.ndarray
    coverage: np.ndarray | None

    @property
    def waveform(self) -> np.ndarray:
        """float32 (2, N · 2400): `audio` as one continuous sound; (2, 2400) for a single step."""
        return self.audio if self.audio.ndim == 2 else np.concatenate(self.audio, axis=-1)

    def last(self) -> Imagination:
        """Only the future after the last action, without the axis of the steps."""
        return Imagination(
            rgb=self.rgb[-1],
            depth=None if self.depth is None else self.depth[-1],
            audio=self.audio[-1],
            reward=float(np.asarray(self.reward)[-1]),
            progress=float(np.asarray(self.progress)[-1]),
            success=float(np.asarray(self.success)[-1]),
            distance=float(np.asarray(self.distance)[-1]),
            motion=self.motion[-1],
            coverage=None if self.coverage is None else self.coverage[-1],
        )


class Observed(Protocol):
    """What a context is built from: an episode of a dataset, or a `Recording`."""

    @property
    def rgb(self) -> np.ndarray:
        """uint8 (T + 1, H, W, 3)."""
        ...

    @property
    def depth(self) -> np.ndarray:
        """float32 (T + 1, H, W): metres along the view axis; 0 where nothing was hit."""
        ...

    @property
    def audio(self) -> np.ndarray:
        """float32 (T + 1, 2, 2400)."""
        ...

    @property
    def odometry(self) -> np.ndarray:
        """float64 (T + 1, 4): x, y, z, yaw of each observation, in any fixed frame."""
        ...


class Recording:
    """What an agent has observed so far, recorded live: call `add` after `reset` and after every `step`."""

    def __init__(self) -> None:
        self._observations: list[Observation] = []
        self._poses: list[Pose] = []

    def add(self, observation: Observation, pose: Pose) -> None:
        """Append an observation and where it was made.

        Only relative poses matter, so a policy may count its own actions from any start: `pose = pose.after(action)`.
        """
        if not isinstance(observation, Observation) or not isinstance(pose, Pose):
            raise UsageError(
                f"Recording.add takes an avw.Observation and an avw.Pose, got a {type(observation).__name__} and a "
                f"{type(pose).__name__}; after a step of a task, the observation is `result.observation`"
            )
        self._observations.append(observation)
        self._poses.append(pose)

    def __len__(self) -> int:
        return len(self._observations)

    @property
    def rgb(self) -> np.ndarray:
        """uint8 (T + 1, H, W, 3)."""
        return np.stack([observation.rgb_HWC for observation in self._observations])

    @property
    def depth(self) -> np.ndarray:
        """float32 (T + 1, H, W)."""
        return np.stack([observation.depth_HW for observation in self._observations])

    @property
    def audio(self) -> np.ndarray:
        """float32 (T + 1, 2, 2400)."""
        return np.stack([observation.audio_ES for observation in self._observations])

    @property
    def odometry(self) -> np.ndarray:
        """float64 (T + 1, 4)."""
        return np.array([(pose.x, pose.y, pose.z, pose.yaw) for pose in self._poses]).reshape(-1, 4)


def checked_actions(actions: Sequence[Action | int], longest: int | None) -> list[Action]:
    """The actions, or UsageError for none, for more than `longest` (None: any number), and for actions after a STOP."""
    if not len(actions):
        raise UsageError("actions is empty: name at least one, e.g. actions=[avw.Action.FORWARD] * 8")
    if longest is not None and len(actions) > longest:
        raise UsageError(
            f"{len(actions)} actions: this model was trained to look at most {longest} steps ahead. Pass fewer "
            "actions or autoregressive=True, or train a model with a larger max_offset"
        )
    try:
        taken = [Action(int(action)) for action in actions]
    except ValueError as error:
        raise UsageError(f"{error}: expected actions from {[a.name for a in Action]} or 0 to {max(Action)}") from error
    if Action.STOP in taken[:-1]:
        raise UsageError("STOP ends the episode: it can only be the last action")
    return taken


def expected_motion(memory: SpatialMemory | None, actions: Sequence[Action]) -> np.ndarray:
    """(N, 3): where the actions lead as far as the agent can know: along what its memory shows, or as commanded."""
    return commanded_motion(actions) if memory is None else memory.roll(actions)


def commanded_motion(actions: Sequence[Action | int]) -> np.ndarray:
    """float32 (N, 3): where the agent is after 1 … N actions with nothing in the way: forward m, left m, turn rad."""
    origin = pose = Pose(0.0, 0.0, 0.0, 0.0)
    rows = []
    for action in actions:
        pose = pose.after(Action(int(action)))
        rows.append(relative_motion(origin, pose))
    return np.array(rows, dtype=np.float32)
