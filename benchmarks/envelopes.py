"""Noise of an impulse response: the deviation of its energy envelope from that of the engine with unlimited rays.

The response of an engine that traces a finite number of rays is a random draw. Its *noise* is the rms error in dB of
the energy in windows of 20 ms (sum of both ears) over 8 draws, compared with a converged response: the mean energy of
many draws of the same engine with many more rays. Windows more than 40 dB below the loudest window of the converged
response are ignored. Even with unlimited rays the randomness of reverberation itself remains: about 160 independent
values in a window of 20 ms and 8 kHz give 0.35 dB per ear.

Shapes: K draws · W windows · E ears · S samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from avw.sim_bridge.types import SAMPLE_RATE

WINDOW_SECONDS = 0.02
FLOOR_DB = -40.0  # relative to the loudest window of the converged envelope; weaker windows are not compared
DRAWS = 8
_MIN_RATIO = 1e-3  # an empty window counts as an error of -30 dB instead of minus infinity


def energy_envelope(response_ES: np.ndarray, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """(W,): the energy of all ears in windows of 20 ms from sample 0 on; an incomplete last window is dropped."""
    width = round(WINDOW_SECONDS * sample_rate)
    windows = response_ES.shape[-1] // width
    energy_S = np.square(response_ES[..., : windows * width], dtype=np.float64).reshape(-1, windows, width)
    return energy_S.sum(axis=(0, 2))


def envelope_errors_db(drawn_KW: np.ndarray, converged_W: np.ndarray, floor_db: float = FLOOR_DB) -> np.ndarray:
    """(K, W'): level of each draw relative to the converged envelope in dB, in the windows above the floor."""
    counted_W = converged_W >= converged_W.max() * 10.0 ** (floor_db / 10.0)
    ratio_KW = drawn_KW[:, counted_W] / converged_W[counted_W]
    return 10.0 * np.log10(np.maximum(ratio_KW, _MIN_RATIO))


def noise_db(places: Sequence[tuple[np.ndarray, np.ndarray]], floor_db: float = FLOOR_DB) -> float:
    """The rms error in dB over the windows and draws of several listeners, each (drawn_KW, converged_W)."""
    errors = [envelope_errors_db(drawn_KW, converged_W, floor_db).ravel() for drawn_KW, converged_W in places]
    return math.sqrt(float(np.square(np.concatenate(errors)).mean()))


def bias_db(places: Sequence[tuple[np.ndarray, np.ndarray]], floor_db: float = FLOOR_DB) -> float:
    """Level of the mean energy of the draws relative to the converged one in dB, averaged over windows and listeners.

    It is close to 0 for a correct engine. It reveals a setting that loses or adds energy even if its draws agree.
    """
    biases = [
        envelope_errors_db(drawn_KW.mean(axis=0, keepdims=True), converged_W, floor_db).ravel()
        for drawn_KW, converged_W in places
    ]
    return float(np.concatenate(biases).mean())
