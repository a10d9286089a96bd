"""Noise of an impulse response: how far its energy envelope strays from what the engine would say with endless rays.

An engine that traces finitely many rays draws a response rather than computing it. Its *noise* is the rms error, in
dB, of the energy in windows of 20 ms (both ears together) over 8 draws, against a converged response: the mean
energy of many draws with many more rays by the same engine. Windows more than 40 dB below the loudest window of the
converged response do not count. What is left even of endless rays is the randomness of reverberation itself: some
160 independent values in a window of 20 ms and 8 kHz give 0.35 dB an ear.

Shapes: K draws · W windows · E ears · S samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from avw.sim_bridge.types import SAMPLE_RATE

WINDOW_SECONDS = 0.02
FLOOR_DB = -40.0  # below the loudest window of the converged envelope nothing is compared
DRAWS = 8
_LEAST = 1e-3  # a window that a draw leaves empty counts as an error of -30 dB, not of minus infinity


def energy_envelope(response_ES: np.ndarray, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """(W,): the energy of all ears together in windows of 20 ms that begin at sample 0; the last whole one ends it."""
    width = round(WINDOW_SECONDS * sample_rate)
    windows = response_ES.shape[-1] // width
    energy_S = np.square(response_ES[..., : windows * width], dtype=np.float64).reshape(-1, windows, width)
    return energy_S.sum(axis=(0, 2))


def envelope_errors_db(drawn_KW: np.ndarray, converged_W: np.ndarray, floor_db: float = FLOOR_DB) -> np.ndarray:
    """(K, W'): dB by which each draw lies above the converged envelope, in the windows above the floor."""
    counted_W = converged_W >= converged_W.max() * 10.0 ** (floor_db / 10.0)
    ratio_KW = drawn_KW[:, counted_W] / converged_W[counted_W]
    return 10.0 * np.log10(np.maximum(ratio_KW, _LEAST))


def noise_db(places: Sequence[tuple[np.ndarray, np.ndarray]], floor_db: float = FLOOR_DB) -> float:
    """The rms error in dB over the windows and draws of several listeners, each (drawn_KW, converged_W)."""
    errors = [envelope_errors_db(drawn_KW, converged_W, floor_db).ravel() for drawn_KW, converged_W in places]
    return math.sqrt(float(np.square(np.concatenate(errors)).mean()))


def bias_db(places: Sequence[tuple[np.ndarray, np.ndarray]], floor_db: float = FLOOR_DB) -> float:
    """How far the mean energy of the draws lies above the converged one, in dB: the mean over windows and listeners.

    Near 0 for a sound engine: a cheap setting that loses or invents energy shows here, though its draws agree.
    """
    biases = [
        envelope_errors_db(drawn_KW.mean(axis=0, keepdims=True), converged_W, floor_db).ravel()
        for drawn_KW, converged_W in places
    ]
    return float(np.concatenate(biases).mean())
