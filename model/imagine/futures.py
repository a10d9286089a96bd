"""Imagine the futures of an episode: of its actions, of other actions, and with another sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from avw.model.context import observer_at
from avw.model.imagine.drawing import Shown, heard
from avw.model.imagine.request import ImagineConfig, Request
from avw.model.imagine.subject import OtherSound, Subject
from avw.model.imagine.truth import true_future
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import AvwError, UsageError
from avw.sim_bridge.types import Action, Pose


def imagine_futures(
    model: WorldModel,
    subject: Subject,
    request: Request,
    config: ImagineConfig,
    *,
    other_sound: np.ndarray | None = None,
    sound_of: str = "",
    report: Callable[[str], object] = lambda line: None,
) -> list[Shown]:
    """The future of the actions, then those of the swapped actions and of the swapped sound, each with its truth.

    other_sound: float32 (T + 1, 2, 2400), heard instead of the episode's own sound in the last of them
    sound_of: where it comes from, for labels
    report: called with notes for the user
    """
    t = request.step
    if other_sound is not None and len(other_sound) <= t:
        raise UsageError(
            f"the episode of --swap-sound has {len(other_sound) - 1} steps, and the context ends at step {t}: choose a "
            "longer episode, or a smaller --step"
        )
    if t == 0:
        report("Step 0 is the first observation: the model has one frame and one step of sound to go by.")

    own_ES = heard(subject.audio, t)

    def future(name: str, label: str, actions: tuple[Action, ...], seen: Any = subject) -> Shown:
        imagined = model.imagine(
            seen,
            t=t,
            actions=actions,
            every_step=True,
            autoregressive=config.autoregressive,
            denoising_steps=config.denoising_steps,
            seed=config.seed,
        )
        truth, why = None, ""
        if seen is subject:
            try:
                truth = true_future(subject, t, actions)
            except AvwError as error:
                why = f"the true future could not be simulated: {error}"
                report(why)
        else:
            why = "nothing true is known about an episode with another sound"
        return Shown(
            name=name,
            label=label,
            actions=actions,
            imagined=imagined,
            truth=truth,
            heard_ES=own_ES if seen is subject else heard(seen.audio, t),
            what="" if seen is subject else sound_of,
            why=why,
        )

    futures = [future("imagined", "actions", request.actions)]
    if request.others:
        futures.append(future("other-actions", "other actions", request.others))
    if other_sound is not None:
        seen = OtherSound(subject, other_sound)
        futures.append(future("other-sound", "other sound", request.actions, seen))
    return futures


def remembered_obstacles(model: WorldModel, subject: Subject, t: int) -> np.ndarray | None:
    """float64 (N, 2): x and z of the obstacles that the model's memory knows at observation t; None without a memory.

    They are placed as seen from the true pose, so that they can be drawn on a floor plan.
    """
    memory = observer_at(subject, t, model.needs).memory
    if memory is None:
        return None
    points_N2 = memory.obstacles.points() - memory.pose_4[:2]
    turn, now = float(memory.pose_4[3]), Pose(*(float(value) for value in subject.poses[t]))
    ahead_N = points_N2 @ np.array([np.cos(turn), np.sin(turn)])
    left_N = points_N2 @ np.array([-np.sin(turn), np.cos(turn)])
    here_2, forward_2, right_2 = np.array([now.x, now.z]), now.forward_3[[0, 2]], now.right_3[[0, 2]]
    return here_2 + ahead_N[:, None] * forward_2 - left_N[:, None] * right_2
