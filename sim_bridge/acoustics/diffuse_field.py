"""The response of two ears to a diffuse field: the level in each ear, and the interaural coherence.

A diffuse field consists of plane waves of equal power and independent phase from all directions, so every quantity is a
mean over the sphere. Here it is taken over the head's own grid, weighted by the solid angle of each row. With
H(f, direction) the response of an ear *including its delay*, the interaural coherence is

    C(f) = Re sum w H_left conj(H_right) / sqrt(sum w |H_left|^2  sum w |H_right|^2)

(M. Jeub, M. Doerbecker & P. Vary, "A semi-analytical model for the binaural coherence of noise fields", IEEE Signal
Processing Letters 18 (2011), define it this way for a rigid sphere). Its imaginary part is 0 for a symmetric head.

Shapes: P elevations · A azimuths · E ears · S taps · B octave bands · F frequencies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft

from avw.sim_bridge.acoustics.hrtf_grid import solid_angles

_FINER = 5  # interpolated azimuths per column: 1 degree, because the phase between the ears changes fast


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffuseField:
    """A diffuse field at the two ears of one head.

    gain_EB: amplitude in each ear and octave band, relative to a field of unit amplitude at the head's position with no
    head present · coherence_B: interaural coherence in each octave band, -1 to 1 · coherence_F: the same at
    frequency_F (Hz)
    """

    gain_EB: np.ndarray
    coherence_B: np.ndarray
    frequency_F: np.ndarray
    coherence_F: np.ndarray


def diffuse_field(
    ir_PAES: np.ndarray, delay_PAE: np.ndarray, gain_PAEB: np.ndarray, bands_BF: np.ndarray, sample_rate: int
) -> DiffuseField:
    """Compute the field from the tables of a head (see `Hrtf`).

    bands_BF: power response of each octave band at the frequencies of a real FFT, with sum 1 over the frequencies
    """
    rows, columns = ir_PAES.shape[:2]
    weight_P = solid_angles(rows)
    n_fft = 2 * (bands_BF.shape[1] - 1)
    frequency_F = fft.rfftfreq(n_fft, 1.0 / sample_rate)
    power_EF = np.zeros((2, len(frequency_F)))
    cross_F = np.zeros(len(frequency_F), dtype=np.complex128)
    for row in range(rows):
        spectrum_AEF = fft.rfft(_finer(ir_PAES[row]), n_fft, axis=-1)
        lag_A = np.subtract(*np.moveaxis(_finer(delay_PAE[row]), -1, 0))
        phase_AF = np.exp(-2j * np.pi / sample_rate * lag_A[:, None] * frequency_F)
        share = weight_P[row] / (columns * _FINER)
        power_EF += share * np.square(np.abs(spectrum_AEF)).sum(axis=0)
        cross_F += share * (spectrum_AEF[:, 0] * np.conj(spectrum_AEF[:, 1]) * phase_AF).sum(axis=0)
    level_F = np.sqrt(power_EF[0] * power_EF[1])
    power_EB = np.einsum("p,paeb->eb", weight_P / columns, np.square(gain_PAEB, dtype=np.float64))
    band_power_BE = bands_BF @ power_EF.T
    return DiffuseField(
        gain_EB=np.sqrt(power_EB),
        coherence_B=(bands_BF @ cross_F.real) / np.sqrt(band_power_BE[:, 0] * band_power_BE[:, 1]),
        frequency_F=frequency_F,
        coherence_F=cross_F.real / np.maximum(level_F, 1e-30 * math.fsum(level_F)),
    )


def _finer(value_A: np.ndarray) -> np.ndarray:
    """(A * 5, ...): values interpolated linearly between neighbouring azimuths, around the circle."""
    share_K = (np.arange(_FINER) / _FINER).reshape(1, _FINER, *(1,) * (value_A.ndim - 1))
    between = (1.0 - share_K) * value_A[:, None] + share_K * np.roll(value_A, -1, axis=0)[:, None]
    return between.reshape(-1, *value_A.shape[1:])
