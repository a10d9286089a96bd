"""Lists of actions as text: "forward*8,left*3" and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action

NAMES = {"forward": Action.FORWARD, "left": Action.TURN_LEFT, "right": Action.TURN_RIGHT, "stop": Action.STOP}
MIRROR = "mirror"
LONGEST = 1000  # actions in one request, so that a typing error does not fill the memory
_EXAMPLE = "e.g. --actions forward*8,left*3"
_WORDS = {action: word for word, action in NAMES.items()}
_SIDES = {Action.TURN_LEFT: Action.TURN_RIGHT, Action.TURN_RIGHT: Action.TURN_LEFT}


def parse_actions(text: str) -> tuple[Action, ...]:
    """The actions that `text` stands for. Raises UsageError with an example."""
    actions: list[Action] = []
    for part in text.replace(" ", "").lower().split(","):
        match = re.fullmatch(r"([a-z]+)(?:[*x](\d{1,4}))?", part)
        if match is None or match[1] not in NAMES:
            raise UsageError(
                f"{part!r} is not an action: expected {', '.join(NAMES)}, with a number of times; {_EXAMPLE}"
            )
        actions += [NAMES[match[1]]] * int(match[2] or 1)
    check_actions(actions)
    return tuple(actions)


def check_actions(actions: Sequence[Action]) -> None:
    """Raises UsageError for no actions, too many, and actions after a STOP."""
    if not actions:
        raise UsageError(f"there are no actions to imagine: name at least one, {_EXAMPLE}")
    if len(actions) > LONGEST:
        raise UsageError(f"{len(actions)} actions: at most {LONGEST} can be imagined at once")
    if Action.STOP in actions[:-1]:
        raise UsageError("STOP ends the episode, so it can only be the last action")


def mirrored(actions: Sequence[Action]) -> tuple[Action, ...]:
    """Left and right exchanged. Raises UsageError if the actions have no turn, because nothing would change."""
    other = tuple(_SIDES.get(action, action) for action in actions)
    if other == tuple(actions):
        raise UsageError(
            "the actions have no turn, so their mirror image is the same. Name other actions, e.g. --swap-action left*9"
        )
    return other


def described(actions: Sequence[Action]) -> str:
    """The actions in words, e.g. "8 forward, 3 left"."""
    return ", ".join(f"{sum(1 for _ in run)} {_WORDS[action]}" for action, run in groupby(actions))
