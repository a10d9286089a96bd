"""Hearing: bearings from two ears and turns of the head, level and directness."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avw.model.planning.hearing import HEAD_DELAY, Hearing, HearingConfig
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import SAMPLE_RATE, STEP_SAMPLES, TURN_RADIANS, Action, wrap_angle


def from_bearing(bearing: float, step: int = 0) -> np.ndarray:
    """Distant noise at a bearing (left positive), for a head without a shadow: the ears differ by a delay only."""
    lateral = math.asin(math.sin(bearing))
    delay = HEAD_DELAY * (lateral + math.sin(lateral))
    noise_S = keyed_rng("hearing", step).standard_normal(2 * STEP_SAMPLES)
    spectrum_F = np.fft.rfft(noise_S)
    hertz_F = np.fft.rfftfreq(len(noise_S), 1 / SAMPLE_RATE)
    ears = [np.fft.irfft(spectrum_F * np.exp(sign * 1j * math.pi * hertz_F * delay)) for sign in (1, -1)]
    return 0.1 * np.stack(ears)[:, STEP_SAMPLES // 2 : STEP_SAMPLES // 2 + STEP_SAMPLES].astype(np.float32)


def diffuse(step: int) -> np.ndarray:
    return 0.1 * keyed_rng("diffuse", step).standard_normal((2, STEP_SAMPLES)).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(st.floats(-math.pi / 2, math.pi / 2))
def test_the_lateral_angle_is_found_in_one_step(bearing):
    hearing = Hearing()
    hearing.hear(from_bearing(bearing))
    # Front and back cannot be distinguished yet: both have the same delay.
    lateral = math.asin(math.sin(hearing.bearing))
    assert abs(lateral - bearing) < math.radians(12.0)


@pytest.mark.parametrize("turn", [Action.TURN_LEFT, Action.TURN_RIGHT])
@pytest.mark.parametrize("degrees", [-160, -110, -35, 20, 75, 130, 180])
def test_turning_distinguishes_front_from_back(degrees, turn):
    hearing = Hearing()
    bearing = math.radians(degrees)
    hearing.hear(from_bearing(bearing))
    for step in range(1, 10):
        bearing = wrap_angle(bearing + (TURN_RADIANS if turn == Action.TURN_RIGHT else -TURN_RADIANS))
        hearing.moved(turn)
        hearing.hear(from_bearing(bearing, step))
    assert abs(wrap_angle(hearing.bearing - bearing)) < math.radians(12.0)


def test_swapped_ears_mirror_the_evidence():
    one, other = Hearing(), Hearing()
    for step in range(3):
        audio_ES = from_bearing(0.6, step)
        one.hear(audio_ES)
        other.hear(audio_ES[::-1])
    np.testing.assert_allclose(one.evidence_B, np.roll(other.evidence_B[::-1], 1), atol=1e-9)


def test_sound_from_one_direction_is_more_direct_than_diffuse_sound():
    direct, around = Hearing(), Hearing()
    for step in range(3):
        direct.hear(from_bearing(0.3, step))
        around.hear(diffuse(step))
    assert direct.directness > 0.8
    assert around.directness < 0.25


def test_the_level_is_held_over_a_pause_and_follows_the_gain():
    hearing = Hearing()
    hearing.hear(from_bearing(0.0))
    loud = hearing.level_db
    hearing.hear(np.zeros((2, STEP_SAMPLES), np.float32))
    assert hearing.level_db == pytest.approx(loud)
    for step in range(4):
        hearing.hear(0.1 * from_bearing(0.0, step))
    assert hearing.level_db == pytest.approx(loud - 20.0, abs=0.5)


def test_silence_adds_no_evidence():
    hearing = Hearing()
    hearing.hear(np.zeros((2, STEP_SAMPLES), np.float32))
    assert not hearing.evidence_B.any()
    assert hearing.directness == 0.0


def test_reset_discards_all_evidence():
    hearing = Hearing()
    hearing.hear(from_bearing(1.0))
    hearing.reset()
    fresh = Hearing()
    for h in (hearing, fresh):
        h.hear(from_bearing(-0.5, 1))
    np.testing.assert_array_equal(hearing.evidence_B, fresh.evidence_B)


def test_numbers_of_bins_that_do_not_fit_a_turn_are_refused():
    with pytest.raises(ValueError, match="multiple of 36"):
        Hearing(HearingConfig(bins=50))


def test_support_is_relative_to_the_best_bearing():
    hearing = Hearing()
    hearing.evidence_B[:] = -1.0
    hearing.evidence_B[[0, 18, 71]] = 2.0, 4.0, 1.0  # ahead, left, slightly right
    assert hearing.support(np.array([0.0, np.pi / 2, -np.pi / 36, np.pi, 2 * np.pi])).tolist() == [
        0.5,
        1.0,
        0.25,
        0.0,
        0.5,
    ]
    hearing.reset()
    assert hearing.support(np.zeros(2)).tolist() == [0.0, 0.0]
