"""The protocol of an acoustic engine: one scene, one stationary source, any number of listener poses."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import Pose

ENGINES = ("emitters", "rlr")
STREAMS = ("glide", "soundspaces")  # modes that turn responses into continuous sound: see `acoustics/stream.py`


class AcousticEngine(Protocol):
    """Binaural room impulse responses (BRIRs) in one scene.

    Units: the omnidirectional mono response to a source in the free field at r metres is a single impulse of height
    1/r at time r/c. For a frontal source, the mean of the two ears of a BRIR has the same level.
    """

    name: str
    reproducible: bool
    """True if `impulse_response` is a pure function of (scene, source, seed, pose), regardless of earlier calls."""
    sample_rate: int
    n_samples: int
    """Length S of every response."""

    def set_source(self, position_3: np.ndarray, seed: int = 0) -> None:
        """Place the source at `position_3` (metres) and do the work that depends only on it."""
        ...

    def impulse_response(self, pose: Pose) -> np.ndarray:
        """float32 (2, S): from the source to the left and right ear of a head at `pose`."""
        ...

    def close(self) -> None:
        """Release what the engine holds. Safe to call twice."""
        ...


def checked_position(point_3: np.ndarray | tuple[float, ...], what: str = "source") -> np.ndarray:
    """float64 (3,): the position `point_3` in metres. Raises UsageError unless it is three finite numbers."""
    position_3 = np.array(point_3, dtype=np.float64)
    if position_3.shape != (3,) or not np.isfinite(position_3).all():
        raise UsageError(f"a {what}'s position must be three finite numbers (metres), not {point_3!r}")
    return position_3
