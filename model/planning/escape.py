"""Out of a place where steps forward keep failing.

What stops an agent is not always in its map: it may be lower than the camera sees, or thinner than a cell. A planner
that trusts its map then pushes against it for the rest of the episode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.types import Action


@dataclass(frozen=True, kw_only=True, slots=True)
class EscapeConfig:
    """most: blocked steps at one place after which the agent tries other headings · metres: size of a place
    forget: actions after which a blocked step no longer counts
    """

    most: int = 4
    metres: float = 0.1
    forget: int = 100


class Escape:
    """Turns by 20° and a step forward, until a step succeeds.

    Call `arrived` after every observation; `next_action` comes before what the planner wants.
    """

    def __init__(self, config: EscapeConfig | None = None) -> None:
        self.config = config or EscapeConfig()
        self._blocks: list[tuple[int, np.ndarray]] = []  # when and where a step was blocked
        self._actions: list[Action] = []  # that are left
        self._now = 0

    def arrived(self, place_2: np.ndarray, blocked: bool) -> None:
        """place_2: where the agent is, metres in any fixed frame · blocked: whether its last step led nowhere"""
        c = self.config
        self._now += 1
        if not blocked:
            return
        self._blocks = [(when, where_2) for when, where_2 in self._blocks if self._now - when < c.forget]
        self._blocks.append((self._now, np.array(place_2, np.float64)))
        if sum(bool(np.linalg.norm(where_2 - place_2) <= c.metres) for _, where_2 in self._blocks) >= c.most:
            self._actions = [Action.TURN_LEFT, Action.TURN_LEFT, Action.FORWARD]

    def next_action(self) -> Action | None:
        """The next action of the escape; None if the agent is free."""
        return self._actions.pop(0) if self._actions else None
