"""What a planner considered in one decision, for recordings and analysis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.model.memory.free_space import FreeSpace, ReachablePoses


@dataclass(frozen=True, slots=True)
class Decision:
    """space: the map · poses: the candidates · place_K2: their (forward, left) metres in the frame of the memory
    distance_K: expected metres to the source · score_K: the agent walks to the candidate with the highest
    """

    space: FreeSpace
    poses: ReachablePoses
    place_K2: np.ndarray
    distance_K: np.ndarray
    score_K: np.ndarray

    @property
    def ranked(self) -> np.ndarray:
        """Indices of the candidates, the best one first."""
        return np.argsort(-self.score_K, kind="stable")
