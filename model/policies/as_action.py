"""A policy's answer as an action."""

from __future__ import annotations

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Action


def as_action(value: object) -> Action:
    """A policy's answer as an Action. Raises UsageError if it is not a valid action."""
    try:
        number = np.asarray(value).item()
        if int(number) != number:
            raise ValueError(f"{number} is not a whole number")
        return Action(int(number))
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(f"a policy must return one of {[a.name for a in Action]}, got {value!r}") from error
