"""The context of a prediction: what an agent has seen and heard so far, in NumPy.

Shapes: T context frames · M steps of the sound memory · H W image · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from avw.model.imagination import Observed
from avw.model.memory.poses import seen_from
from avw.model.memory.spatial_memory import SpatialMemory
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action, Observation, Pose, relative_motion


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextNeeds:
    """What a model reads. ages: of the detailed frames, oldest first, ending in 0 · sound_memory: steps, 0 for none
    memory: whether it needs a `SpatialMemory` · hfov: degrees · size: pixels"""

    ages: tuple[int, ...]
    sound_memory: int
    memory: bool
    hfov: float
    size: int


@dataclass(frozen=True, slots=True)
class Context:
    """rgb_THWC, depth_THW, audio_TES: the frames of each age, oldest first · past_T3: where each was made, from now
    sound_MES, sound_past_M3, sound_age_M: past steps, newest first; age -1 where there is none
    memory: the posed RGB-D frames; None if the model needs none
    """

    rgb_THWC: np.ndarray
    depth_THW: np.ndarray
    audio_TES: np.ndarray
    past_T3: np.ndarray
    sound_MES: np.ndarray
    sound_past_M3: np.ndarray
    sound_age_M: np.ndarray
    memory: SpatialMemory | None


class Observer:
    """Collects the observations of an episode as they are made, and gives the context of a prediction.

    Call `observe` after the reset of an episode and after every step. Poses come from depth and the agent's own
    actions; without a memory, from the actions alone.
    """

    def __init__(self, needs: ContextNeeds) -> None:
        self.needs = needs
        self.reset()

    def reset(self) -> None:
        kept = max(max(self.needs.ages) + 1, self.needs.sound_memory)
        self._observations: deque[Observation] = deque(maxlen=kept)
        self._poses: deque[np.ndarray] = deque(maxlen=kept)
        self.memory = SpatialMemory(self.needs.hfov) if self.needs.memory else None
        self._pose = Pose(0.0, 0.0, 0.0, 0.0)

    @property
    def pose_4(self) -> np.ndarray:
        """(forward, left, up, turn) of the last observation, in a fixed frame."""
        return self._poses[-1]

    @property
    def last(self) -> Observation:
        """The last observation."""
        return self._observations[-1]

    def copy(self) -> Observer:
        """An observer that continues from here on its own."""
        other = Observer(self.needs)
        other._observations, other._poses = self._observations.copy(), self._poses.copy()
        other.memory = None if self.memory is None else self.memory.copy()
        other._pose = self._pose
        return other

    def observe(
        self,
        observation: Observation,
        action: Action | None = None,
        pose_4: np.ndarray | None = None,
        *,
        imagined: bool = False,
    ) -> None:
        """Add an observation.

        action: what the agent did since the last one · pose_4: where it was made, (forward, left, up, turn) in any
        fixed frame, if the caller has an odometry of its own
        imagined: in the memory, it does not hide what was really seen; only with pose_4
        """
        size = self.needs.size
        if observation.rgb_HWC.shape != (size, size, 3):
            height, width = observation.rgb_HWC.shape[:2]
            raise UsageError(
                f"the episode has images of {width} x {height} pixels, and the model was trained on {size} x {size}: "
                f"use SimulatorConfig(size={size})"
            )
        if self.memory is None:
            if action is not None:
                self._pose = self._pose.after(action)
            forward, left, turn = relative_motion(Pose(0.0, 0.0, 0.0, 0.0), self._pose)
            own = np.array([forward, left, 0.0, turn])
        elif pose_4 is None:
            self.memory.observe(observation, action)
            own = self.memory.pose_4
        else:
            self.memory.add(observation.rgb_HWC, observation.depth_HW, pose_4, imagined=imagined)
            self.memory.pose_4 = pose_4  # an imagined frame alone does not move the agent of a memory
            own = pose_4
        self._observations.append(observation)
        self._poses.append(own if pose_4 is None else pose_4)

    def context(self) -> Context:
        """The context that ends at the last observation. Before the first frame, that frame repeats."""
        if not self._observations:
            raise UsageError("there are no observations yet: call observe after the reset of an episode")
        newest = len(self._observations) - 1
        poses_N4 = np.stack(self._poses)
        past_N3 = seen_from(poses_N4[-1], poses_N4)[:, [0, 1, 3]].astype(np.float32)
        frames = [max(0, newest - age) for age in self.needs.ages]
        shown = [self._observations[frame] for frame in frames]
        M = self.needs.sound_memory
        heard = [max(0, newest - age) for age in range(M)]
        known = min(M, newest + 1)
        sounds = [self._observations[frame].audio_ES for frame in heard]
        samples = self._observations[0].audio_ES.shape
        return Context(
            np.stack([observation.rgb_HWC for observation in shown]),
            np.stack([observation.depth_HW for observation in shown]),
            np.stack([observation.audio_ES for observation in shown]),
            past_N3[frames],
            np.stack(sounds) if M else np.zeros((0, *samples), np.float32),
            past_N3[heard].reshape(M, 3),
            np.array([age if age < known else -1 for age in range(M)], np.float32),
            self.memory,
        )


def context_at(episode: Observed, t: int, needs: ContextNeeds) -> Context:
    """The context that ends at observation t of a recorded episode, see `observer_at`."""
    return observer_at(episode, t, needs).context()


def observer_at(episode: Observed, t: int, needs: ContextNeeds) -> Observer:
    """What has observed a recorded episode up to observation t (negative: from the end).

    Raises UsageError for a t that the episode does not have, and for images of another size.
    """
    odometry_N4 = episode.odometry
    length = len(odometry_N4)
    if not -length <= t < length:
        has = f"observations 0 to {length - 1}" if length else "no observations yet"
        raise UsageError(f"t={t}: the episode has {has}")
    now = t % length
    actions = getattr(episode, "actions", None)
    observer = Observer(needs)
    # A memory needs the way from the start; without one, only the frames of the context.
    first = 0 if needs.memory else max(0, now - max(max(needs.ages), needs.sound_memory - 1))
    rgb, audio, depth = episode.rgb, episode.audio, episode.depth
    for n in range(first, now + 1):
        observation = Observation(rgb[n], depth[n], audio[n])
        if actions is not None and needs.memory:
            observer.observe(observation, Action(int(actions[n - 1])) if n else None)
        else:
            x, y, z, yaw = odometry_N4[n]
            observer.observe(observation, pose_4=np.array([-z, -x, y, yaw]))
    return observer


def stacked(contexts: Sequence[Context], name: str) -> np.ndarray:
    """One array of all contexts, with a batch axis in front."""
    return np.stack([getattr(context, name) for context in contexts])
