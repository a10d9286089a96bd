"""Six causal octave bands whose sum has a flat magnitude response: a tree of Linkwitz-Riley crossovers.

Each crossover is a squared second-order Butterworth pair. Its low and high pass add up to an all-pass, so bands with
equal gains add up to a product of all-passes: magnitude exactly 1 at every frequency and no output before the input
(zero-phase filters would ring before the direct sound). Both skirts of a band fall by 24 dB per octave.
Sources: S. Linkwitz, "Active crossover networks for non-coincident drivers", JAES 24 (1976); the all-passes that
keep a tree flat: J. D'Appolito, "Active realization of multiway all-pass crossover systems", JAES 35 (1987).

Shapes: B octave bands · I discrete paths · N paths · Q low passes.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import numpy as np

from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS

# Crossovers lie at the geometric mean of two centres; the lowest band reaches to 0 Hz, the highest to Nyquist.
CROSSOVERS = tuple(math.sqrt(low * high) for low, high in itertools.pairwise(OCTAVE_BANDS))
_SHELF_ROUNDS = 6  # iterations of the fit of the low passes' weights
RINGING_SECONDS = 0.03
"""After this time every band's impulse response is over 120 dB below its peak; the padding for FFT filtering."""

SPEED_OF_SOUND = 343.0  # m/s, air at 20 degrees C
# Pure-tone attenuation of air, dB per metre, at the band centres: ISO 9613-1 at 20 degrees C, 50 % humidity, 1 atm.
AIR_DB_PER_METRE = (0.00044, 0.00131, 0.00272, 0.00466, 0.00986, 0.02965)


@lru_cache(maxsize=8)
def band_responses(n_fft: int, sample_rate: int) -> np.ndarray:
    """complex64 (6, n_fft // 2 + 1): the frequency responses of the bands at the bins of an `n_fft`-point real FFT."""
    z = np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)
    lows, highs = zip(*(_linkwitz_riley(frequency, sample_rate, z) for frequency in CROSSOVERS), strict=True)
    bands = []
    for index in range(len(OCTAVE_BANDS)):
        response = np.ones_like(z)
        for high in highs[:index]:
            response = response * high
        if index < len(CROSSOVERS):
            response = response * lows[index]
        for low, high in zip(lows[index + 1 :], highs[index + 1 :], strict=True):
            response = response * (low + high)
        bands.append(response)
    result = np.array(bands, dtype=np.complex64)
    result.flags.writeable = False
    return result


@lru_cache(maxsize=8)
def shelf_responses(n_fft: int, sample_rate: int) -> np.ndarray:
    """complex64 (5, n_fft // 2 + 1): first-order low passes at the crossovers, at the bins of an `n_fft`-point FFT.

    They filter discrete paths: a path is an impulse of the highest band's amplitude, plus one low pass for each step
    from a band to the next lower one. They are causal and have no all-pass phase, so a path whose bands are equal stays
    an impulse.
    """
    z = np.exp(-2j * np.pi * np.arange(n_fft // 2 + 1) / n_fft)
    result = np.array([_low_pass(frequency, sample_rate, z) for frequency in CROSSOVERS], dtype=np.complex64)
    result.flags.writeable = False
    return result


def shelf_weights(amplitude_IB: np.ndarray, sample_rate: int) -> np.ndarray:
    """float32 (I, 6): weights of the five low passes and of the impulse.

    With them the sum has the magnitudes |amplitude_IB| at the centres of the bands. A path has one sign: that of the
    sum of its amplitudes over the bands.
    """
    z_B = np.exp(-2j * np.pi * np.asarray(OCTAVE_BANDS) / sample_rate)
    steps_QB = np.array([_low_pass(frequency, sample_rate, z_B) for frequency in CROSSOVERS])
    sign_I1 = np.where(amplitude_IB.sum(axis=1, keepdims=True) < 0.0, -1.0, 1.0)
    target_IB = np.maximum(np.abs(amplitude_IB).astype(np.float64), 1e-12)
    level_IB = target_IB.copy()
    for _ in range(_SHELF_ROUNDS):
        current_IB = np.abs(level_IB[:, -1:] - np.diff(level_IB, axis=1) @ steps_QB)
        level_IB *= target_IB / np.maximum(current_IB, 1e-12)
    return (sign_I1 * np.concatenate([-np.diff(level_IB, axis=1), level_IB[:, -1:]], axis=1)).astype(np.float32)


def _low_pass(frequency: float, sample_rate: int, z: np.ndarray) -> np.ndarray:
    """A first-order low pass at `z` = exp(-j omega), by the bilinear transform."""
    k = math.tan(math.pi * frequency / sample_rate)
    return k * (1.0 + z) / ((1.0 + k) - (1.0 - k) * z)


def _linkwitz_riley(frequency: float, sample_rate: int, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Low and high pass of one fourth-order crossover at `z` = exp(-j omega), by the bilinear transform."""
    k = math.tan(math.pi * frequency / sample_rate)
    norm = 1.0 / (1.0 + math.sqrt(2.0) * k + k * k)
    denominator = 1.0 + 2.0 * (k * k - 1.0) * norm * z + (1.0 - math.sqrt(2.0) * k + k * k) * norm * z * z
    low = k * k * norm * (1.0 + z) ** 2 / denominator
    high = norm * (1.0 - z) ** 2 / denominator
    return low**2, high**2


def air_amplitude(path_metres: np.ndarray) -> np.ndarray:
    """float32 (6, N): the factor by which air absorption reduces the pressure in each band, for N path lengths (m)."""
    decibels = np.asarray(AIR_DB_PER_METRE)[:, None] * np.asarray(path_metres, dtype=np.float64)[None, :]
    return (10.0 ** (-decibels / 20.0)).astype(np.float32)
