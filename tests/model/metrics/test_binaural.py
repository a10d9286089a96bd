"""Binaural cues on sounds whose delay, balance, coherence and decay are known."""

from __future__ import annotations

import numpy as np
import pytest

from avw.model.metrics.binaural import (
    coherence,
    coherence_error_per_clip,
    itd_error_per_clip,
    itd_seconds,
    level_slope,
    level_slope_error_per_clip,
    pan_error_per_clip,
    pan_score,
)
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SAMPLES

ERRORS = (itd_error_per_clip, coherence_error_per_clip, pan_error_per_clip, level_slope_error_per_clip)


def noise(key: str = "noise", level: float = 0.1, count: int = 4) -> np.ndarray:
    return keyed_rng(key).normal(0.0, level, (count, STEP_SAMPLES + 64))


def delayed(seconds: float, key: str = "noise") -> np.ndarray:
    """Clips in which the right ear hears the same noise `seconds` later than the left, by a phase ramp."""
    mono_NS = noise(key)
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(mono_NS.shape[-1], 1 / SAMPLE_RATE) * seconds)
    late_NS = np.fft.irfft(np.fft.rfft(mono_NS) * turn, mono_NS.shape[-1])
    return np.stack([mono_NS, late_NS], axis=1)[..., 32:-32]


def independent() -> np.ndarray:
    return np.stack([noise("left"), noise("right")], axis=1)[..., :STEP_SAMPLES]


@pytest.mark.parametrize("microseconds", [-687.5, -250.0, 0.0, 62.5, 312.5, 700.0])
def test_itd_of_a_known_delay(microseconds: float):
    """Positive where the left ear hears the sound first; not limited to whole samples of 62.5 µs."""
    assert 1e6 * itd_seconds(delayed(1e-6 * microseconds)) == pytest.approx(np.full(4, microseconds), abs=4.0)


def test_itd_does_not_depend_on_the_levels_of_the_ears():
    clips = delayed(3e-4) * np.array([1.0, 0.05])[:, None]
    assert 1e6 * itd_seconds(clips) == pytest.approx(np.full(4, 300.0), abs=4.0)


def test_itd_error_is_the_difference_of_the_delays():
    assert itd_error_per_clip(delayed(-2e-4), delayed(3e-4)) == pytest.approx(np.full(4, 500.0), abs=6.0)
    assert itd_error_per_clip(delayed(3e-4), delayed(3e-4)).tolist() == [0.0] * 4
    assert itd_error_per_clip(np.zeros_like(delayed(0.0)), delayed(3e-4)) == pytest.approx(np.full(4, 300.0), abs=4.0)


def test_bins_without_sound_do_not_move_the_itd():
    """A tone of known delay, and noise below the floor, which has no weight in the phase transform."""
    time_S = np.arange(STEP_SAMPLES) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * 500.0 * np.stack([time_S, time_S - 4e-4]))[None]
    hiss = keyed_rng("hiss").normal(0.0, 1e-6, tone.shape)
    assert 1e6 * itd_seconds(tone + hiss)[0] == pytest.approx(400.0, abs=50.0)


def test_coherence_of_one_sound_is_one_and_of_two_sounds_is_small():
    assert coherence(delayed(5e-4)) == pytest.approx(np.ones(4), abs=0.03)
    assert coherence(-delayed(0.0)) == pytest.approx(np.ones(4), abs=1e-9)
    # The largest of 33 correlations of independent noise is about 2.5 standard deviations of 1/sqrt(S).
    assert coherence(independent()).max() < 5 / np.sqrt(STEP_SAMPLES)
    assert coherence(np.zeros((1, 2, STEP_SAMPLES))).tolist() == [0.0]


def test_coherence_of_a_mixture_is_the_share_of_the_common_energy():
    common = delayed(0.0)
    assert coherence(common + independent()) == pytest.approx(np.full(4, 0.5), abs=0.06)
    assert coherence_error_per_clip(common + independent(), common) == pytest.approx(np.full(4, 0.5), abs=0.06)


def test_pan_score_of_a_known_balance():
    """Energies 4 : 1 for the right ear give p = 3/5; windows of 100 ms every 50 ms."""
    clips = delayed(0.0) * np.array([1.0, 2.0])[:, None]
    assert pan_score(clips).shape == (4, 2)
    assert pan_score(clips) == pytest.approx(np.full((4, 2), 0.6))
    assert pan_score(clips[:, ::-1]) == pytest.approx(np.full((4, 2), -0.6))
    assert pan_score(np.zeros((1, 2, STEP_SAMPLES))).tolist() == [[0.0, 0.0]]
    assert pan_error_per_clip(clips[:, ::-1], clips) == pytest.approx(np.full(4, 1.2))


def test_pan_score_follows_a_sound_that_changes_sides():
    clip = delayed(0.0)[:1].copy()
    clip[:, 0, 1600:] = 0.0  # the left ear falls silent for the last 50 ms
    first, second = pan_score(clip)[0]
    assert first == pytest.approx(0.0, abs=1e-9)
    assert second == pytest.approx(1 / 3, abs=0.05)  # energies 1/2 and 1


@pytest.mark.parametrize("slope", [-200.0, 0.0, 150.0])
def test_level_slope_of_a_known_decay(slope: float):
    time_S = np.arange(STEP_SAMPLES) / SAMPLE_RATE
    clips = np.sign(delayed(0.0)) * 0.01 * 10 ** (slope * time_S / 20)
    assert level_slope(clips) == pytest.approx(np.full(4, slope), abs=0.01)
    still = np.sign(delayed(0.0)) * 0.01
    assert level_slope_error_per_clip(clips, still) == pytest.approx(np.full(4, abs(slope)), abs=0.01)


@pytest.mark.parametrize("error", ERRORS)
def test_clips_with_a_silent_ear_do_not_count(error):
    true = delayed(3e-4)
    true[0] *= 1e-6
    true[1, 1] = 0.0
    predicted = delayed(-3e-4, "other")
    assert np.isnan(error(predicted, true)).tolist() == [True, True, False, False]
    # The floor is relative to full scale.
    assert np.isnan(error(predicted * 1e-6, true * 1e-6, full_scale=1e-6)).tolist() == [True, True, False, False]


@pytest.mark.parametrize("error", ERRORS)
def test_equal_clips_have_no_error_and_predicted_silence_is_finite(error):
    true = delayed(3e-4) * np.array([0.5, 1.0])[:, None]
    assert error(true, true).tolist() == [0.0] * 4
    assert np.isfinite(error(np.zeros_like(true), true)).all()


@pytest.mark.parametrize("error", ERRORS)
def test_other_shapes_are_refused(error):
    with pytest.raises(UsageError, match=r"\(N, 2, S\)"):
        error(np.zeros((1, 1, 4800)), np.zeros((1, 1, 4800)))


def test_no_clips_give_no_values():
    assert itd_seconds(np.zeros((0, 2, STEP_SAMPLES))).shape == (0,)
