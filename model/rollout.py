"""Roll-outs: far futures, imagined piece by piece. What was imagined is observed, and the next piece starts there.

Images and depth are fed back: imagined frames enter a copy of the memory, where they never hide frames that were really
seen. Sound and reward are not fed back as long as one jump from the real context reaches them, because their errors
would add up; after that they are.

Shapes: N steps · H W image · C channels · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from avw.model.context import Context, Observer
from avw.model.imagination import Imagination
from avw.model.memory.poses import compose, seen_from
from avw.sim_bridge.types import Action, Observation

Jump = Callable[[Context, Sequence[Action]], Imagination]
"""From a context and actions to the future after each action, all predicted directly from the context."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutConfig:
    """chunk: actions per jump · reach: the most actions per jump that the model was trained for"""

    chunk: int = 8
    reach: int = 32


def roll_out(jump: Jump, observer: Observer, actions: Sequence[Action], config: RolloutConfig) -> Imagination:
    """The future after each of any number of actions. The observer is not changed.

    `coverage` says which pixels were really seen, not which were imagined before.
    """
    start_4, real = observer.pose_4, observer.context()
    heard = jump(real, actions[: config.reach])
    dream, parts = observer.copy(), []
    here_4, chunk = start_4, min(config.chunk, config.reach)
    for first in range(0, len(actions), chunk):
        ahead = actions[first : first + chunk]
        part = _first(heard, len(ahead)) if first == 0 else jump(dream.context(), ahead)
        poses_N4 = compose(here_4, part.motion)
        for number, pose_4 in enumerate(poses_N4):
            step = first + number
            sound_ES = heard.audio[step] if step < config.reach else part.audio[number]
            depth_HW = np.zeros(part.rgb.shape[1:3], np.float32) if part.depth is None else part.depth[number]
            dream.observe(Observation(part.rgb[number], depth_HW, sound_ES), pose_4=pose_4, imagined=True)
        parts.append((part, poses_N4))
        here_4 = poses_N4[-1]
    return _joined(heard, parts, observer, start_4)


def _joined(
    heard: Imagination, parts: Sequence[tuple[Imagination, np.ndarray]], observer: Observer, start_4: np.ndarray
) -> Imagination:
    """One future from its pieces: sight from the pieces; sound and reward from `heard`, as far as it reaches."""
    pieces = [part for part, _ in parts]
    motion_N3 = seen_from(start_4, np.concatenate([poses_N4 for _, poses_N4 in parts]))[:, [0, 1, 3]]
    depths = [part.depth for part in pieces if part.depth is not None]
    return Imagination(
        rgb=np.concatenate([part.rgb for part in pieces]),
        depth=np.concatenate(depths) if depths else None,
        audio=_continued(heard.audio, [part.audio for part in pieces]),
        reward=_summed(heard.reward, [part.reward for part in pieces]),
        progress=_summed(heard.progress, [part.progress for part in pieces]),
        success=_continued(heard.success, [part.success for part in pieces]),
        distance=_continued(heard.distance, [part.distance for part in pieces]),
        motion=motion_N3.astype(np.float32),
        coverage=None if observer.memory is None else observer.memory.reproject(motion_N3).coverage_PHW,
    )


Values = float | np.ndarray


def _first(future: Imagination, count: int) -> Imagination:
    """Its first steps."""
    arrays: dict[str, Any] = {field.name: getattr(future, field.name) for field in fields(future)}
    cut: dict[str, Any] = {name: None if array is None else array[:count] for name, array in arrays.items()}
    return Imagination(**cut)


def _continued(heard: Values, pieces: Sequence[Values]) -> np.ndarray:
    """`heard` as far as it reaches, then the pieces."""
    whole_N = np.concatenate([np.asarray(piece) for piece in pieces])
    return np.concatenate([np.asarray(heard), whole_N[len(np.asarray(heard)) :]])


def _summed(heard: Values, pieces: Sequence[Values]) -> np.ndarray:
    """The same for sums since the start: a piece counts from its own start."""
    known_N = np.asarray(heard)
    before, sums = 0.0, []
    for piece in pieces:
        sums.append(before + np.asarray(piece))
        before = float(sums[-1][-1])
    whole_N = np.concatenate(sums)
    beyond_N = whole_N[len(known_N) :] - whole_N[len(known_N) - 1] + known_N[-1]
    return np.concatenate([known_N, beyond_N]).astype(known_N.dtype)
