"""LSD and spectral SSIM: closed forms, the floor, and the differences that they ignore."""

from __future__ import annotations

import numpy as np
import pytest

from avw.model.metrics.audio import (
    FLOOR_DB,
    lsd,
    lsd_per_clip,
    multi_resolution_per_clip,
    spectral_ssim,
    spectrogram_db,
)
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SAMPLES


def noise(count: int = 4, level: float = 0.1) -> np.ndarray:
    return keyed_rng("noise").normal(0.0, level, (count, 2, STEP_SAMPLES)).astype(np.float32)


def test_a_full_scale_sine_reads_zero_dbfs():
    time_S = np.arange(STEP_SAMPLES) / SAMPLE_RATE
    sine_NES = np.broadcast_to(0.25 * np.sin(2 * np.pi * 1000.0 * time_S), (1, 2, STEP_SAMPLES))
    spectrum = spectrogram_db(sine_NES, full_scale=0.25)
    assert spectrum.shape == (1, 2, 15, 257)
    assert spectrum[..., 32] == pytest.approx(0.0, abs=0.01)  # 1000 Hz is the centre of bin 32
    assert spectrum.min() == FLOOR_DB


@pytest.mark.parametrize("gain_db", [-6.0, 3.0])
def test_lsd_of_a_gain_is_the_gain(gain_db):
    clip = noise()
    assert lsd(clip * np.float32(10 ** (gain_db / 20)), clip) == pytest.approx(abs(gain_db), abs=0.01)


def test_lsd_is_zero_for_equal_and_symmetric():
    a, b = noise(), noise(level=0.2)[::-1]
    assert lsd(a, a) == 0.0
    assert lsd(a, b) == pytest.approx(lsd(b, a))


def test_lsd_of_two_independent_noises_is_that_of_two_rayleigh_spectra():
    # ln of an exponential variable has variance pi^2/6: each dB value has a spread of 10/ln(10) * pi/sqrt(6).
    a, b = noise(40), keyed_rng("other noise").normal(0.0, 0.1, (40, 2, STEP_SAMPLES)).astype(np.float32)
    expected = np.sqrt(2.0) * 10.0 / np.log(10.0) * np.pi / np.sqrt(6.0)
    assert lsd(a, b) == pytest.approx(expected, rel=0.03)


def test_differences_below_the_floor_do_not_count():
    quiet = noise(level=1e-7)
    assert lsd(quiet, np.zeros_like(quiet)) == 0.0
    assert lsd(quiet, np.zeros_like(quiet), full_scale=1e-6) > 10.0


def test_lsd_ignores_polarity_but_not_a_swap_of_the_ears():
    clip = noise() * np.array([1.0, 0.1], np.float32)[:, None]
    assert lsd(-clip, clip) == 0.0
    assert lsd_per_clip(clip[:, ::-1], clip).min() > 10.0


def test_spectral_ssim_agrees_with_lsd_on_the_order():
    clip = noise(8)
    near, far = clip + noise(8)[::-1] * np.float32(0.1), noise(8)[::-1]
    assert spectral_ssim(clip, clip) == pytest.approx(1.0, abs=1e-5)
    assert 1.0 > spectral_ssim(near, clip) > spectral_ssim(far, clip)


def test_wrong_shapes_are_refused():
    with pytest.raises(UsageError, match="at least 512 samples"):
        spectrogram_db(np.zeros((1, 2, 511)))
    with pytest.raises(UsageError, match="cannot compare sound"):
        lsd(noise(2), noise(3))
    with pytest.raises(UsageError, match="no sound to compare"):
        lsd(noise(0), noise(0))


def test_multi_resolution_distance_of_a_gain_is_the_closed_form():
    """Twice the amplitude: a spectral convergence of 1, and ln 2 in every bin."""
    clip = noise(level=0.3)
    distance = multi_resolution_per_clip(clip * np.float32(2), clip)
    assert distance == pytest.approx(np.full(4, 1.0 + np.log(2.0)), abs=1e-3)
    assert multi_resolution_per_clip(clip, clip).tolist() == [0.0] * 4


def test_multi_resolution_distance_of_predicted_silence():
    """Everything is missing: a spectral convergence of 1, and the distance of every bin from the floor."""
    clip = np.zeros((1, 2, STEP_SAMPLES), np.float32)
    clip[:] = 0.25 * np.sin(2 * np.pi * 1000.0 * np.arange(STEP_SAMPLES) / SAMPLE_RATE)
    assert multi_resolution_per_clip(np.zeros_like(clip), clip)[0] > 1.0
    assert np.isnan(multi_resolution_per_clip(clip, np.zeros_like(clip))).all()


def test_multi_resolution_distance_sees_a_shift_within_a_long_window():
    """A click that moves by 20 ms changes the short windows and hardly the long one, so the distance lies between."""
    clip = np.zeros((1, 2, STEP_SAMPLES), np.float32)
    clip[..., 1000] = 0.9
    near, far = np.roll(clip, 16, axis=-1), np.roll(clip, 320, axis=-1)
    assert 0.0 < multi_resolution_per_clip(near, clip)[0] < multi_resolution_per_clip(far, clip)[0]
