"""Where the source was when it was last heard, for an agent that hears nothing any more.

The network was trained on sources that never stop. Reverberation that dies away and silence mislead its belief, so the
planner keeps the one from the moment at which the sound fell, and goes to the place from which most of it is within
reach. Nothing more can be learned there, so it stops. Places that turn out to be closed are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.model.memory.poses import seen_from
from avw.model.planning.outlook import Outlook


@dataclass(frozen=True, kw_only=True, slots=True)
class LastHeardConfig:
    """fall: share of the highest RMS of the last `hold` steps; below, the sound may have ended
    quiet: RMS below which a step has no sound · after: such steps in a row after which the sound has ended
    reach: metres, the success distance · near: metres from the chosen place at which the agent stops
    """

    fall: float = 0.3
    hold: int = 7
    quiet: float = 1e-5
    after: int = 3
    reach: float = 1.0
    near: float = 0.5


class LastHeard:
    """The belief when the sound fell. Call `hear` after every observation, and `remember` when it returns True."""

    def __init__(self, config: LastHeardConfig | None = None) -> None:
        self.config = config or LastHeardConfig()
        self._rms: list[float] = []  # of the last steps
        self._quiet_steps, self._fallen = 0, False
        self._belief: tuple[np.ndarray, np.ndarray] | None = None  # (G, 2) places, (G,) mass within reach of each
        self._place_2 = np.zeros(2)

    @property
    def silent(self) -> bool:
        """Whether the sound has ended, and the agent knows where it came from."""
        return self._belief is not None and self._quiet_steps >= self.config.after

    @property
    def places_G2(self) -> np.ndarray:
        """Where the source may be. Only if `silent`."""
        assert self._belief is not None
        return self._belief[0]

    def hear(self, audio_ES: np.ndarray) -> bool:
        """Whether the sound fell just now. Forgets the belief if it rises again."""
        c = self.config
        rms = float(np.sqrt(np.square(audio_ES, dtype=np.float64).mean()))
        self._quiet_steps = self._quiet_steps + 1 if rms < c.quiet else 0
        loudest = max(self._rms, default=0.0)
        self._rms = [*self._rms, rms][-c.hold :]
        if rms >= max(c.quiet, c.fall * loudest):
            self._belief, self._fallen = None, False
            return False
        fell = loudest >= c.quiet and not self._fallen
        self._fallen = True
        return fell

    def remember(self, source_G2: np.ndarray, p_G: np.ndarray) -> None:
        """source_G2, p_G: possible places of the source, metres in a fixed frame, and their probabilities"""
        apart_GG = np.linalg.norm(source_G2[:, None] - source_G2[None], axis=-1)
        self._belief = source_G2, (apart_GG < self.config.reach) @ p_G

    def choose(self, open_G: np.ndarray) -> np.ndarray:
        """(2,): the place to go to, of those that are open as far as the map tells. Only if `silent`."""
        assert self._belief is not None
        place_G2, mass_G = self._belief
        if open_G.any():
            mass_G = np.where(open_G, mass_G, -1.0)
        self._place_2 = place_G2[int(mass_G.argmax())]
        return self._place_2

    def outlook(self, place_K2: np.ndarray, pose_4: np.ndarray) -> Outlook:
        """What to expect at places in the same frame, of which the last one is that of the agent; pose_4: its pose.
        Call `choose` before."""
        distance_K = np.linalg.norm(place_K2 - self._place_2, axis=1)
        success_K = np.where(distance_K < self.config.near, 0.99, 0.01)
        source_12 = seen_from(pose_4, np.append(self._place_2, 0.0))[None, :2]
        return Outlook(distance_K, np.full(len(place_K2), 0.01), success_K, source_12, np.ones(1))
