"""Octave bands: their sum is flat, they are separated from each other, and they are causal."""

from __future__ import annotations

import numpy as np
import pytest

from avw.sim_bridge.acoustics.bands import AIR_DB_PER_METRE, CROSSOVERS, RINGING_SECONDS, air_amplitude, band_responses
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS

N_FFT, RATE = 16_384, 16_000


def test_equal_gains_give_a_flat_magnitude() -> None:
    total_F = np.abs(band_responses(N_FFT, RATE).sum(axis=0))
    assert np.abs(20 * np.log10(total_F)).max() < 0.001


def test_each_band_dominates_at_its_centre() -> None:
    hertz = np.fft.rfftfreq(N_FFT, 1 / RATE)
    at_centre_BB = np.abs(band_responses(N_FFT, RATE))[:, [np.argmin(abs(hertz - f)) for f in OCTAVE_BANDS]]
    level_BB = 20 * np.log10(at_centre_BB)
    assert np.diag(level_BB).min() > -4.5
    apart = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    assert level_BB[apart == 1].max() < -10.0
    assert level_BB[apart == 2].max() < -30.0


def test_neighbours_meet_at_the_crossover() -> None:
    # 6 dB down because of their own crossover, and up to 0.5 dB more from each crossover one octave away.
    hertz = np.fft.rfftfreq(N_FFT, 1 / RATE)
    response_BF = np.abs(band_responses(N_FFT, RATE))
    for band, frequency in enumerate(CROSSOVERS):
        level_2 = 20 * np.log10(response_BF[band : band + 2, np.argmin(abs(hertz - frequency))])
        assert level_2.max() < -5.9
        assert level_2.min() > -7.3


def test_impulse_responses_are_causal_and_end_within_the_padding() -> None:
    # For a causal filter sampled in frequency, the second half of the circular response is its tail, not pre-ringing.
    impulse_BS = np.fft.irfft(band_responses(N_FFT, RATE).astype(np.complex128), axis=-1)
    peak_B = np.abs(impulse_BS).max(axis=-1)
    tail_B = np.abs(impulse_BS[:, round(RINGING_SECONDS * RATE) :]).max(axis=-1)
    assert (20 * np.log10(tail_B / peak_B)).max() < -120


def test_air_absorbs_high_bands_most_and_in_proportion_to_distance() -> None:
    factor_BN = air_amplitude(np.array([0.0, 100.0, 200.0]))
    assert factor_BN[:, 0] == pytest.approx(1.0)
    assert np.all(np.diff(factor_BN[:, 1]) < 0)
    assert factor_BN[:, 2] == pytest.approx(factor_BN[:, 1] ** 2, rel=1e-5)
    assert 20 * np.log10(factor_BN[5, 1]) == pytest.approx(-100 * AIR_DB_PER_METRE[5], rel=1e-4)
