"""ILD error and the audio-visual lag, on sounds and images with a known result."""

from __future__ import annotations

import numpy as np
import pytest

from avw.model.metrics.physical import (
    AvPeak,
    av_errors,
    av_peak,
    ild_db,
    ild_error,
    ild_error_per_clip,
    level_db,
    motion_energy,
    sound_energy,
)
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import STEP_SAMPLES, STEP_SECONDS


def clips(left: float, right: float, count: int = 3) -> np.ndarray:
    mono = keyed_rng("mono").normal(0.0, 1.0, (count, 1, STEP_SAMPLES))
    return (mono * np.array([left, right])[:, None]).astype(np.float32)


def sequence(lag: int, steps: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Frames whose change follows a random series, and sounds whose level follows it `lag` steps later."""
    drive = keyed_rng("drive").uniform(1.0, 20.0, steps)
    sign = np.where(np.arange(steps) % 2, 1.0, -1.0)
    rgb = np.clip(128.0 + np.cumsum(sign * drive), 0, 255)[:, None, None, None]
    audio = np.roll(drive, lag)[:, None, None] * np.ones((1, 2, 16))
    return np.broadcast_to(rgb, (steps, 4, 4, 3)), audio


def test_ild_of_a_known_ratio():
    assert ild_db(clips(0.2, 0.1)) == pytest.approx(np.full(3, 20 * np.log10(2)), abs=1e-4)
    assert ild_db(clips(0.1, 0.2)) == pytest.approx(np.full(3, -20 * np.log10(2)), abs=1e-4)


def test_level_is_relative_to_full_scale():
    assert level_db(np.full((1, 2, 8), 0.5), full_scale=5.0) == pytest.approx(np.full((1, 2), -20.0))
    assert np.isneginf(level_db(np.zeros((1, 2, 8)))).all()


def test_ild_error_is_the_difference_of_the_ilds():
    assert ild_error(clips(0.2, 0.1), clips(0.1, 0.2)) == pytest.approx(40 * np.log10(2), abs=1e-3)
    assert ild_error(clips(0.4, 0.2), clips(0.2, 0.1)) == pytest.approx(0.0, abs=1e-4)


def test_a_true_clip_below_the_floor_does_not_count():
    true = np.concatenate([clips(0.1, 0.1, 1), clips(1e-6, 1e-6, 1)])
    predicted = np.concatenate([clips(0.2, 0.1, 1), clips(0.2, 0.1, 1)])
    error = ild_error_per_clip(predicted, true)
    assert error[0] == pytest.approx(20 * np.log10(2), abs=1e-3)
    assert np.isnan(error[1])
    assert np.isnan(ild_error(clips(0.1, 0.1), np.zeros((3, 2, STEP_SAMPLES))))


def test_predicted_silence_counts_as_an_error():
    true = clips(0.2, 0.1)
    assert ild_error(np.zeros_like(true), true) == pytest.approx(20 * np.log10(2), abs=1e-3)


@pytest.mark.parametrize("lag", [-3, 0, 2, 5])
def test_av_peak_finds_the_lag(lag):
    rgb, audio = sequence(lag)
    peak = av_peak(rgb, audio)
    assert peak.lag_seconds == pytest.approx(lag * STEP_SECONDS)
    assert peak.correlation > 0.95


def test_energies_are_root_mean_squares():
    rgb = np.zeros((3, 2, 2, 3), np.uint8)
    rgb[1] = 10
    assert motion_energy(rgb).tolist() == [10.0, 10.0]
    assert sound_energy(np.full((2, 2, 4), 0.5)).tolist() == [0.5, 0.5]


def test_a_constant_image_has_no_correlation():
    peak = av_peak(np.zeros((10, 4, 4, 3), np.uint8), sequence(0)[1][:10])
    assert peak == AvPeak(lag_seconds=0.0, correlation=0.0)


def test_errors_of_a_peak():
    lag, height = av_errors(AvPeak(lag_seconds=0.3, correlation=0.4), AvPeak(lag_seconds=-0.15, correlation=0.9))
    assert (lag, height) == pytest.approx((0.45, 0.5))


def test_too_short_or_unequal_sequences_are_refused():
    rgb, audio = sequence(0)
    with pytest.raises(UsageError, match="at least 5"):
        av_peak(rgb[:4], audio[:4])
    with pytest.raises(UsageError, match="as many frames as sounds"):
        av_peak(rgb, audio[:-1])
    with pytest.raises(UsageError, match=r"two arrays \(N, 2, S\)"):
        ild_error(np.zeros((1, 1, 8)), np.zeros((1, 1, 8)))
