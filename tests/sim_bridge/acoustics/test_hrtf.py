"""The shipped head: symmetric, causal, unit level ahead, and with the time differences of a human head."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avw.sim_bridge.acoustics.hrtf import FRACTIONAL_CENTRE, fractional_delay, load_hrtf
from avw.sim_bridge.errors import UsageError

angles = st.floats(-math.pi, math.pi)
elevations = st.floats(-math.pi / 2, math.pi / 2)


def test_straight_ahead_has_unit_energy_and_no_difference() -> None:
    ir_ES, delay_E = load_hrtf().towards(0.0, 0.0)
    assert np.square(ir_ES).sum(axis=1) == pytest.approx([1.0, 1.0], rel=1e-3)
    assert delay_E == pytest.approx([0.0, 0.0], abs=1e-9)


@given(azimuth=angles, elevation=elevations)
def test_left_is_the_mirror_of_right(azimuth: float, elevation: float) -> None:
    right_ES, right_E = load_hrtf().towards(azimuth, elevation)
    left_ES, left_E = load_hrtf().towards(-azimuth, elevation)
    np.testing.assert_allclose(left_ES[::-1], right_ES, atol=1e-6)
    np.testing.assert_allclose(left_E[::-1], right_E, atol=1e-5)


@given(azimuth=angles, elevation=elevations)
def test_small_turns_change_little(azimuth: float, elevation: float) -> None:
    here_ES, here_E = load_hrtf().towards(azimuth, elevation)
    there_ES, there_E = load_hrtf().towards(azimuth + math.radians(0.5), elevation)
    assert np.abs(there_ES - here_ES).max() < 0.15
    assert np.abs(there_E - here_E).max() < 0.4


def test_sound_reaches_the_nearer_ear_earlier_and_louder() -> None:
    head = load_hrtf()
    for degrees in range(20, 161, 10):
        ir_ES, delay_E = head.towards(math.radians(degrees), 0.0)
        assert delay_E[1] < delay_E[0]
        assert np.square(ir_ES[1]).sum() > np.square(ir_ES[0]).sum()
    _, delay_E = head.towards(math.radians(90.0), 0.0)
    assert 550e-6 < (delay_E[0] - delay_E[1]) / 16_000 < 750e-6


def test_level_differences_grow_with_frequency() -> None:
    gain_EB = load_hrtf().gain_PAEB[4, 18]  # elevation 0, azimuth 90
    ild_B = 20 * np.log10(gain_EB[1] / gain_EB[0])
    assert ild_B[0] < 4.0
    assert ild_B[5] > 10.0


def test_responses_start_without_delay() -> None:
    # Most of the energy arrives within the first millisecond: there is no pre-ringing.
    ir_PAES = load_hrtf().ir_PAES
    assert (np.square(ir_PAES[..., :16]).sum(-1) / np.square(ir_PAES).sum(-1)).min() > 0.75


@given(fraction=st.floats(0.0, 1.0))
def test_fractional_delay_has_the_same_level_for_every_fraction(fraction: float) -> None:
    whole_F, level_F = (np.abs(np.fft.rfft(fractional_delay(x), 1_600))[: 720 + 1] for x in (0.0, fraction))
    assert np.abs(20 * np.log10(level_F)).max() < 0.6  # up to 7.2 kHz, every 10 Hz
    assert np.abs(20 * np.log10(level_F / whole_F)).max() < 0.1


@given(fraction=st.floats(0.0, 1.0))
def test_fractional_delay_keeps_the_level_and_delays_by_the_fraction(fraction: float) -> None:
    taps = fractional_delay(fraction)
    frequency = 1_000.0 / 16_000.0
    response = np.sum(taps * np.exp(-2j * np.pi * frequency * np.arange(len(taps))))
    assert abs(response) == pytest.approx(1.0, abs=0.005)
    delay = -np.angle(response * np.exp(2j * np.pi * frequency * FRACTIONAL_CENTRE)) / (2 * np.pi * frequency)
    assert delay == pytest.approx(fraction, abs=0.01)


def test_another_sample_rate_is_refused() -> None:
    with pytest.raises(UsageError, match="16000 Hz"):
        load_hrtf(48_000)


def test_a_diffuse_field_sounds_flat_and_the_same_in_both_ears() -> None:
    gain_EB = load_hrtf().diffuse.gain_EB
    np.testing.assert_allclose(gain_EB, gain_EB.mean(), rtol=0.01)
    # The head's directivity makes a diffuse field a little louder than sound from straight ahead.
    assert 0.0 < 20 * math.log10(gain_EB.mean()) < 2.0


def test_ears_are_coherent_in_a_diffuse_field_at_low_frequencies_only() -> None:
    diffuse = load_hrtf().diffuse
    assert diffuse.coherence_F[0] == pytest.approx(1.0, abs=0.01)
    assert np.abs(diffuse.coherence_F).max() <= 1.0 + 1e-9
    first_zero = diffuse.frequency_F[np.argmax(diffuse.coherence_F < 0.0)]
    assert 400.0 < first_zero < 700.0  # measured on heads, about 500 Hz; two free points 17 cm apart: 1000 Hz
    assert np.abs(diffuse.coherence_F[diffuse.frequency_F > 2_000.0]).max() < 0.2
    assert (np.abs(diffuse.coherence_B[3:]) < 0.15).all()
    assert diffuse.coherence_B[0] > 0.85


def test_the_head_does_not_affect_long_waves() -> None:
    at_dc_PAE = load_hrtf().ir_PAES.sum(axis=-1)
    np.testing.assert_allclose(at_dc_PAE / at_dc_PAE.mean(), 1.0, atol=0.1)  # 1 dB; as measured, 8 dB
