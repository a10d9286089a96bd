"""The protocol of an acoustic engine: one scene, one standing source, any number of listener poses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from sim_bridge.errors import UsageError
from sim_bridge.types import Pose

if TYPE_CHECKING:
    from sim_bridge.rendering.raycast import RayScene
    from sim_bridge.scenes.scene import Scene

ENGINES = ("emitters", "rlr")


class AcousticEngine(Protocol):
    """Binaural room impulse responses (BRIRs) in one scene.

    Units: an omnidirectional mono response to a source in the free field at r metres is a single impulse of
    height 1/r at r/c. A BRIR has that level in the mean of the two ears for a frontal source.
    """

    name: str
    reproducible: bool
    """True when `impulse_response` is a pure function of (scene, source, seed, pose), whatever was asked before."""
    sample_rate: int
    n_samples: int
    """Length S of every response."""

    def set_source(self, position_3: np.ndarray, seed: int = 0) -> None:
        """Place the source (metres) and do the work that depends on it alone."""
        ...

    def impulse_response(self, pose: Pose) -> np.ndarray:
        """float32 (2, S): from the source to the left and right ear of a head at `pose`."""
        ...

    def close(self) -> None: ...


def checked_position(point_3: np.ndarray | tuple[float, ...], what: str = "source") -> np.ndarray:
    """float64 (3,): a position in metres. Raises UsageError for anything but three finite numbers."""
    position_3 = np.array(point_3, dtype=np.float64)
    if position_3.shape != (3,) or not np.isfinite(position_3).all():
        raise UsageError(f"a {what}'s position must be three finite numbers (metres), not {point_3!r}")
    return position_3


def make_engine(
    name: str, scene: Scene, ray_scene: RayScene, *, emitters: int = 10_000, hrtf: str | None = None
) -> AcousticEngine:
    """The engine called `name` ("emitters" or "rlr") for one scene. Imports only what that engine needs.

    emitters: virtual emitters kept per source, for the engine that has them · hrtf: a SOFA file instead of KEMAR.
    Raises UsageError for another name or a head that the engine cannot take, BackendError where an optional engine
    is not installed.
    """
    if name == "emitters":
        from sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine

        return EmittersEngine(ray_scene, EmittersConfig(emitters=emitters, rays=max(1, 2 * emitters // 5), hrtf=hrtf))
    if name == "rlr":
        if hrtf is not None:
            raise UsageError("RLR hears with a head of its own: leave out the SOFA file, or use --acoustics emitters")
        from sim_bridge.acoustics.rlr import RlrEngine

        return RlrEngine(scene)
    raise UsageError(f"unknown acoustics {name!r}: expected one of {', '.join(ENGINES)}")
