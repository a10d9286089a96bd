"""Measures compared with closed forms for known signals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avw.sim_bridge.acoustics import measures
from avw.sim_bridge.errors import UsageError

RATE = 16_000


def decaying_noise(seconds: float, length: float = 2.0) -> np.ndarray:
    """Noise whose energy falls by 60 dB in `seconds`."""
    noise_S = np.random.Generator(np.random.Philox(key=1)).standard_normal(round(length * RATE))
    return noise_S * np.exp(-math.log(1e3) * np.arange(len(noise_S)) / (seconds * RATE))


@given(seconds=st.floats(0.2, 1.5), gain=st.floats(1e-3, 1e3))
def test_decay_times_of_exponential_noise(seconds: float, gain: float) -> None:
    ir_S = gain * decaying_noise(seconds)
    assert measures.rt60(ir_S) == pytest.approx(seconds, rel=0.08)
    assert measures.rt60(ir_S, span_db=30.0) == pytest.approx(seconds, rel=0.08)
    assert measures.edt(ir_S) == pytest.approx(seconds, rel=0.25)


def test_a_truncated_decay_has_no_reverberation_time() -> None:
    assert math.isnan(measures.rt60(np.array([1.0, 0.9, 0.8])))


def test_clarity_of_an_exponential() -> None:
    ir_S = np.exp(-math.log(1e3) * np.arange(2 * RATE) / RATE)  # RT60 of 1 s
    late = math.exp(-2 * math.log(1e3) * 0.05)
    assert measures.c50(ir_S) == pytest.approx(10 * math.log10((1 - late) / late), abs=0.05)


def test_drr_of_two_impulses() -> None:
    ir_S = np.zeros(1_000)
    ir_S[100], ir_S[500] = 1.0, 0.1
    assert measures.drr(ir_S) == pytest.approx(20.0)
    assert measures.onset(ir_S) == 100
    assert measures.onset(ir_S, 3.0) == 100


def test_silence_has_no_onset() -> None:
    with pytest.raises(UsageError, match="silent"):
        measures.onset(np.zeros(10))


@given(left=st.floats(1e-3, 1e3), right=st.floats(1e-3, 1e3))
def test_ild_is_the_level_ratio_of_the_ears(left: float, right: float) -> None:
    noise_S = decaying_noise(0.5)
    signal_ES = np.stack([left * noise_S, right * noise_S])
    assert measures.ild_db(signal_ES) == pytest.approx(20 * math.log10(left / right), abs=1e-6)
    assert measures.ild_db(signal_ES[::-1]) == pytest.approx(-measures.ild_db(signal_ES), abs=1e-6)


@given(lag=st.integers(-14, 14))
def test_itd_is_the_delay_of_the_left_ear(lag: int) -> None:
    noise_S = np.pad(decaying_noise(0.3, 0.5), 20)
    signal_ES = np.stack([np.roll(noise_S, lag), noise_S])
    assert measures.itd_seconds(signal_ES) == pytest.approx(lag / RATE, abs=1e-9)


def test_itd_ignores_frequencies_above_the_cutoff() -> None:
    time_S = np.arange(4_000) / RATE
    low_S = np.sin(2 * np.pi * 500 * time_S)
    high_S = 5.0 * np.sin(2 * np.pi * 4_000 * time_S)
    signal_ES = np.stack([np.roll(low_S, 8) + high_S, low_S + high_S])
    assert measures.itd_seconds(signal_ES) == pytest.approx(8 / RATE, abs=2e-5)


def test_a_tone_has_most_energy_in_its_octave_band() -> None:
    time_S = np.arange(RATE) / RATE
    for band, frequency in ((0, 100.0), (3, 1_000.0), (5, 6_000.0)):
        tone_S = np.sin(2 * np.pi * frequency * time_S) * np.hanning(RATE)
        energy_B = np.square(measures.octave_bands(tone_S)).sum(axis=1)
        assert energy_B.argmax() == band


def test_eyring_time_of_a_known_room_and_the_effect_of_air() -> None:
    # 100 m^3, 130 m^2, absorption 0.2: 0.161 * 100 / (130 * 0.2231) = 0.555 s
    assert measures.eyring_rt60(100.0, 130.0, 0.2) == pytest.approx(0.555, abs=0.003)
    assert measures.eyring_rt60(100.0, 130.0, 0.2, 0.03) < 0.555
