"""Converged responses of an engine at omnidirectional microphones: the mean energy of many draws.

Shapes: R receivers · B octave bands · S samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from scipy import fft

from avw.sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine
from avw.sim_bridge.acoustics.measures import octave_bands
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.scenes.scene import Scene
from avw.sim_bridge.types import SAMPLE_RATE


class Microphone(Protocol):
    """An engine with an omnidirectional receiver: ours and RLR."""

    sample_rate: int

    def set_source(self, position_3: np.ndarray, seed: int = 0) -> None: ...
    def omni_response(self, position_3: np.ndarray) -> np.ndarray: ...
    def close(self) -> None: ...


def ours(scene: Scene, **options: object) -> Callable[[], EmittersEngine]:
    """Return a function that makes our engine. All engines share one ray-tracing tree.

    options: fields of EmittersConfig; the default for `rays` depends on `emitters` as in `make_engine`
    """
    tree = RayScene(scene)
    if "emitters" in options:
        options.setdefault("rays", max(1, int(str(options["emitters"])) // 5))
    config = EmittersConfig(**options)  # type: ignore[arg-type]
    return lambda: EmittersEngine(tree, config)


def converged(
    make: Callable[[], Microphone], source_3: np.ndarray, receivers_R3: Sequence[np.ndarray], draws: int
) -> np.ndarray:
    """Mean squared pressure per sample over `draws` draws: (R, S).

    Our engine gets a new seed per draw. RLR ignores seeds, but each of its calls is a new draw.
    """
    return _mean(make, source_3, receivers_R3, draws, lambda response_S: np.square(response_S, dtype=np.float64))


def converged_bands(
    make: Callable[[], Microphone], source_3: np.ndarray, receivers_R3: Sequence[np.ndarray], draws: int
) -> np.ndarray:
    """As `converged`, in octave bands: (R, B, S)."""
    return _mean(make, source_3, receivers_R3, draws, lambda response_S: np.square(octave_bands(response_S)))


def converged_octaves(
    make: Callable[[], Microphone], source_3: np.ndarray, receivers_R3: Sequence[np.ndarray], draws: int
) -> np.ndarray:
    """Mean energies per octave with sharp band edges, excluding everything below the lowest octave: (R, B)."""

    def energy_of(response_S: np.ndarray) -> np.ndarray:
        power_F = np.square(np.abs(fft.rfft(response_S.astype(np.float64))))
        hertz_F = fft.rfftfreq(len(response_S), 1.0 / SAMPLE_RATE)
        inside_BF = np.abs(np.log2(np.maximum(hertz_F, 1.0) / np.array(OCTAVE_BANDS)[:, None])) < 0.5
        return np.where(inside_BF, power_F, 0.0).sum(axis=1) * (2.0 / len(response_S))

    return _mean(make, source_3, receivers_R3, draws, energy_of)


def _mean(
    make: Callable[[], Microphone],
    source_3: np.ndarray,
    receivers_R3: Sequence[np.ndarray],
    draws: int,
    energy_of: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    engine = make()
    total: np.ndarray | None = None
    for seed in range(draws):
        engine.set_source(source_3, seed)
        drawn = np.stack([energy_of(engine.omni_response(place_3)) for place_3 in receivers_R3])
        total = drawn if total is None else total + drawn
    engine.close()
    assert total is not None
    return total / draws
