"""Where the source was when it was last heard, for an agent that hears nothing any more.

The network was trained on sources that never stop. Without sound its belief means nothing, so the planner keeps the one
from the moment at which the sound ended, and goes to the place from which most of it is within reach. Nothing more can
be learned there, so it stops.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.model.planning.outlook import Outlook


@dataclass(frozen=True, kw_only=True, slots=True)
class LastHeardConfig:
    """quiet: RMS below which a step has no sound · after: such steps in a row after which the sound has ended
    reach: metres, the success distance · near: metres from the chosen place at which the agent stops
    """

    quiet: float = 1e-5
    after: int = 3
    reach: float = 1.0
    near: float = 0.5


class LastHeard:
    """The belief at the end of the sound. Call `hear` after every observation, and `remember` when it returns True."""

    def __init__(self, config: LastHeardConfig | None = None) -> None:
        self.config = config or LastHeardConfig()
        self._quiet_steps = 0
        self._heard = False
        self._place_2: np.ndarray | None = None

    @property
    def silent(self) -> bool:
        """Whether the sound has ended, and the agent knows where it came from."""
        return self._place_2 is not None

    def hear(self, audio_ES: np.ndarray) -> bool:
        """Whether the sound has ended just now. Forgets the place if there is sound again."""
        if float(np.sqrt(np.square(audio_ES, dtype=np.float64).mean())) >= self.config.quiet:
            self._quiet_steps, self._heard, self._place_2 = 0, True, None
            return False
        self._quiet_steps += 1
        return self._heard and self._quiet_steps == self.config.after

    def remember(self, source_G2: np.ndarray, p_G: np.ndarray) -> None:
        """source_G2, p_G: possible places of the source, metres in a fixed frame, and their probabilities"""
        apart_GG = np.linalg.norm(source_G2[:, None] - source_G2[None], axis=-1)
        self._place_2 = source_G2[int(((apart_GG < self.config.reach) @ p_G).argmax())]

    def outlook(self, place_K2: np.ndarray) -> Outlook:
        """What to expect at places in the same frame; the last one is that of the agent. Only if `silent`."""
        assert self._place_2 is not None
        distance_K = np.linalg.norm(place_K2 - self._place_2, axis=1)
        success_K = np.where(distance_K < self.config.near, 0.99, 0.01)
        return Outlook(distance_K, np.full(len(place_K2), 0.01), success_K)

    @property
    def place_12(self) -> np.ndarray:
        """(1, 2): the place that the agent goes to. Only if `silent`."""
        assert self._place_2 is not None
        return self._place_2[None]
