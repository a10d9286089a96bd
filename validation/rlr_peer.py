"""RLR as the peer of a comparison: where it is installed, at its own default number of rays, in our scenes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from avw.sim_bridge.acoustics.rlr import RlrConfig, RlrEngine
from avw.sim_bridge.scenes.scene import Scene
from validation.findings import Finding

RAYS = 5_000  # RLR's default
ABSENT = Finding.note("RLR", "not installed here: pip install 'avw[rlr]'", "to compare with")


def installed() -> bool:
    return importlib.util.find_spec("rlr_audio_propagation") is not None


def rlr(scene: Scene, *, seconds: float, through_and_around: bool, quick: bool) -> Callable[[], RlrEngine]:
    """Makes RLR with octave bands. through_and_around: transmission and diffraction, as shipped, or neither."""
    config = RlrConfig(
        rays=RAYS // 10 if quick else RAYS,
        length_seconds=seconds,
        transmission=through_and_around,
        diffraction=through_and_around,
    )
    return lambda: RlrEngine(scene, config)
