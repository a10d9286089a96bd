"""The evidence for STOP, accumulated over decisions."""

from __future__ import annotations

import math

CERTAIN = 3.0  # log-odds beyond which a single decision counts no more


class Arrival:
    """P(the source is within the success distance), from the predictions of the last decisions.

    The log-odds of decisions are averaged; a decision keeps `memory` of its weight per later decision. One prediction
    that is wrong does not end an episode, and a walk past the source from far away is not a reason to stop.
    """

    def __init__(self, memory: float = 0.5) -> None:
        self.memory = memory
        self._evidence = self._weight = 0.0

    def add(self, success: float) -> float:
        """Add P(success) as predicted now, and return P(success) over all decisions."""
        log_odds = math.log(max(success, 1e-9)) - math.log(max(1.0 - success, 1e-9))
        self._evidence = self.memory * self._evidence + min(max(log_odds, -CERTAIN), CERTAIN)
        self._weight = self.memory * self._weight + 1.0
        return 1.0 / (1.0 + math.exp(-self._evidence / self._weight))
