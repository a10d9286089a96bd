"""What is evaluated: predictions for windows of a split, behind a small protocol.

Shapes: B contexts · K targets per context · P = B·K rows, the targets of a context in a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from avw.avw4k.reading.windows import WindowBatch, Windows
from avw.model.evaluation.futures import Future
from avw.model.memory.reprojection import Reprojection


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidate poses of B states: predicted and true geodesic distances, and metres from the agent, (B, N) each."""

    predicted_BN: np.ndarray
    true_BN: np.ndarray
    metres_BN: np.ndarray


class Source(Protocol):
    """What is evaluated."""

    @property
    def windows(self) -> Windows:
        """The split, with the contexts that the model reads."""
        ...

    def predict(self, window: WindowBatch) -> Future:
        """The predicted futures of all targets, P rows."""
        ...

    def round_trip(self, true: Future) -> Future:
        """True observations, encoded and decoded by the tokenizers."""
        ...

    def rolled(self, window: WindowBatch) -> np.ndarray:
        """float32 (B, K, 3): where the actions lead, as far as the agent can know."""
        ...

    def reproject(self, t_B: np.ndarray, motion_BK3: np.ndarray) -> Reprojection:
        """What was seen up to frames t, from the poses that the motions lead to; P rows."""
        ...

    def recall(self, window: WindowBatch) -> np.ndarray:
        """float32 (P, E, S): the sound heard at the same phase of the source; P rows."""
        ...

    def rank(self, t_B: np.ndarray) -> Candidates | None:
        """The candidate poses of states; None if the dataset has none, or the model predicts no distance."""
        ...
