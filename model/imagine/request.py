"""What `avw imagine` is asked, and the checks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from avw.model.imagine.action_list import check_actions, mirrored
from avw.model.imagine.subject import Subject
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action

DEFAULT_HORIZON = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagineConfig:
    """step: the last observation of the context; None: a third of the way through the episode
    actions: None imagines the next `horizon` recorded actions · horizon: None is 16, or what is left of the episode
    swap_action: other actions for the same context, or "mirror": left and right exchanged; None for none
    autoregressive: feed back what was imagined, so that more than `max_offset` actions are possible
    denoising_steps: None is the number that belongs to the checkpoint
    """

    step: int | None = None
    actions: tuple[Action, ...] | None = None
    horizon: int | None = None
    swap_action: tuple[Action, ...] | Literal["mirror"] | None = None
    autoregressive: bool = False
    denoising_steps: int | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What will be imagined, after all defaults. step: of the last observation · others: the swapped actions, or ()"""

    step: int
    actions: tuple[Action, ...]
    others: tuple[Action, ...] = ()


def resolve(model: WorldModel, subject: Subject, config: ImagineConfig) -> Request:
    """Fill in the defaults, and check that the model can be asked this. Raises UsageError."""
    steps = len(subject.actions)
    wanted = config.horizon or (len(config.actions) if config.actions else DEFAULT_HORIZON)
    t = max(0, min(steps // 3, steps - wanted)) if config.step is None else config.step
    if not 0 <= t <= steps:
        raise UsageError(f"step {t}: the episode has observations 0 to {steps}")
    actions = config.actions
    if actions is None:
        left = steps - t
        count = min(DEFAULT_HORIZON, left) if config.horizon is None else config.horizon
        if count > left or not count:
            raise UsageError(
                f"the episode has {steps} actions, so {left} are left after step {t}, fewer than {max(1, count)}: "
                f"choose a smaller --step or --horizon, or name actions, e.g. --actions forward*8,left*3"
            )
        actions = tuple(Action(int(action)) for action in subject.actions[t : t + count])
    others: tuple[Action, ...] = ()
    if isinstance(config.swap_action, str):
        others = mirrored(actions)
    elif config.swap_action is not None:
        others = config.swap_action
    for listed in (actions, others) if others else (actions,):
        check_actions(listed)
        if len(listed) > model.max_offset and not config.autoregressive:
            raise UsageError(
                f"{len(listed)} actions: this model was trained to look at most {model.max_offset} steps ahead in one "
                "jump. Add --autoregressive to imagine step by step, or name fewer actions"
            )
    if others and len(others) != len(actions):
        raise UsageError(f"{len(actions)} actions and {len(others)} other actions: both need the same number")
    _check_frames(model, subject)
    return Request(step=t, actions=actions, others=others)


def _check_frames(model: WorldModel, subject: Subject) -> None:
    size = model.image.config.size
    height, width = subject.rgb.shape[1:3]
    if (height, width) != (size, size):
        raise UsageError(
            f"the episode has images of {width} x {height} pixels, and the model was trained on {size} x {size}: "
            f"use a dataset that was generated with --size {size}"
        )
    if model.prior == "memory" and not subject.depth.any():
        raise UsageError(
            "the episode has no depth, and this model builds its spatial memory from depth: use a dataset with depth, "
            "or a model that was trained without a memory"
        )
