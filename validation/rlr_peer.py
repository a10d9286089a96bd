"""RLR as a reference engine: with its default number of rays, in our scenes, if it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from avw.sim_bridge.acoustics.rlr import RlrConfig, RlrEngine
from avw.sim_bridge.scenes.scene import Scene
from validation.findings import Finding

RAYS = 5_000  # RLR's default
NOT_INSTALLED = Finding.note("RLR", "not installed; type: pip install 'avw[rlr]'", "for comparison")


def installed() -> bool:
    """Whether the package of RLR is installed."""
    return importlib.util.find_spec("rlr_audio_propagation") is not None


def rlr(scene: Scene, *, seconds: float, through_and_around: bool, quick: bool) -> Callable[[], RlrEngine]:
    """Return a function that makes RLR with octave bands.

    seconds: length of responses · through_and_around: whether transmission and diffraction are on
    quick: a tenth of the rays
    """
    config = RlrConfig(
        rays=RAYS // 10 if quick else RAYS,
        length_seconds=seconds,
        transmission=through_and_around,
        diffraction=through_and_around,
    )
    return lambda: RlrEngine(scene, config)
