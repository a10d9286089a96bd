"""The late field: dense sound with the energy that arrived, from the side from which it came."""

from __future__ import annotations

import math

import numpy as np
import pytest

from avw.sim_bridge.acoustics.arrivals import prepare_receiver
from avw.sim_bridge.acoustics.bands import band_responses
from avw.sim_bridge.acoustics.late_field import smoothed
from avw.sim_bridge.acoustics.measures import ild_db, itd_seconds, octave_bands
from avw.sim_bridge.types import SAMPLE_RATE

SAMPLES = 20_000
BLOCK = 64


def decaying(bins: int, rt60: float, groups: int = 1, channels: int = 1) -> np.ndarray:
    time_L = (np.arange(bins) + 0.5) * BLOCK / SAMPLE_RATE
    return np.broadcast_to((10.0 ** (-6.0 * time_L / rt60))[:, None, None, None], (bins, groups, channels, 6)).astype(
        np.float32
    )


@pytest.mark.parametrize("rt60", [0.25, 0.6, 2.0])
def test_smoothing_does_not_change_an_exponential_decay(rt60: float) -> None:
    energy_LGCB = decaying(313, rt60)
    smooth_LGCB = smoothed(energy_LGCB, 2, 10, 0.18, 25)
    above_floor = energy_LGCB > 1e-12
    above_floor[:10] = False
    error_L = 10.0 * np.log10(smooth_LGCB[above_floor] / energy_LGCB[above_floor])
    assert np.abs(error_L).max() < 0.3


def test_smoothing_removes_the_scatter_of_the_bins() -> None:
    rng = np.random.default_rng(0)
    energy_LGCB = decaying(313, 1.0) * rng.exponential(size=(313, 1, 1, 6)).astype(np.float32)
    smooth_LGCB = smoothed(energy_LGCB, 0, 20, 0.18, 25)
    scatter = [np.std(10.0 * np.log10(e[100:250] / decaying(313, 1.0)[100:250])) for e in (energy_LGCB, smooth_LGCB)]
    assert scatter[1] < 0.2 * scatter[0]


@pytest.mark.parametrize("layout", ["mono", "binaural", "foa"])
def test_the_output_has_the_energy_of_the_bins(layout: str) -> None:
    late = prepare_receiver(layout, SAMPLE_RATE, SAMPLES).late
    channels = prepare_receiver(layout, SAMPLE_RATE, SAMPLES).receiver.channels
    energy_LGCB = decaying(late.bins, 0.8, late.groups, channels).copy()
    out_CS = np.zeros((channels, SAMPLES), dtype=np.float32)
    late.add(out_CS, energy_LGCB, 0.0, 1_000.0, 1_500.0, 17)
    share_B = np.square(np.abs(band_responses(4_096, SAMPLE_RATE))).mean(axis=1)
    expected_B = energy_LGCB[40:300].sum(axis=(0, 1, 2)) * share_B
    measured_B = np.square(octave_bands(out_CS[:, 40 * BLOCK : 300 * BLOCK].reshape(-1))).sum(axis=1)
    total = 10.0 * math.log10(np.square(out_CS[:, 40 * BLOCK : 300 * BLOCK]).sum() / expected_B.sum())
    # Neighbouring bands overlap: their sum has the energy of white noise, a little more than the sum of their shares.
    assert total == pytest.approx(10.0 * math.log10(1.0 / share_B.sum()), abs=0.5)
    assert len(measured_B) == 6


def test_the_envelope_is_even_within_windows_of_20_ms() -> None:
    late = prepare_receiver("mono", SAMPLE_RATE, SAMPLES).late
    energy_LGCB = np.ones((late.bins, 1, 1, 6), dtype=np.float32)
    out_CS = np.zeros((1, SAMPLES), dtype=np.float32)
    late.add(out_CS, energy_LGCB, 0.0, 0.0, 1.0, 5)
    window_W = np.square(out_CS[0, 640 : 640 + 320 * 55].reshape(55, 320)).sum(axis=1)
    assert np.std(10.0 * np.log10(window_W)) < 0.4


def test_each_turn_selects_a_different_but_reproducible_noise() -> None:
    late = prepare_receiver("binaural", SAMPLE_RATE, SAMPLES).late
    energy_LGCB = decaying(late.bins, 0.8, late.groups, 2).copy()
    outputs = []
    for turn in (3, 3, 4):
        out_CS = np.zeros((2, SAMPLES), dtype=np.float32)
        late.add(out_CS, energy_LGCB, 0.0, 500.0, 900.0, turn)
        outputs.append(out_CS)
    assert outputs[0].tobytes() == outputs[1].tobytes()
    assert np.corrcoef(outputs[0].ravel(), outputs[2].ravel())[0, 1] < 0.1


def test_sound_from_one_side_keeps_its_time_and_level_difference() -> None:
    prepared = prepare_receiver("binaural", SAMPLE_RATE, SAMPLES)
    energy_LGCB = np.zeros((prepared.late.bins, prepared.late.groups, 2, 6), dtype=np.float32)
    energy_LGCB[:, -1, 0], energy_LGCB[:, -1, 1] = 0.1, 1.0  # the rightmost group, 10 dB louder in the right ear
    out_CS = np.zeros((2, SAMPLES), dtype=np.float32)
    prepared.late.add(out_CS, energy_LGCB, 0.0, 0.0, 1.0, 0)
    assert ild_db(out_CS) == pytest.approx(-10.0, abs=0.3)
    assert 400e-6 < itd_seconds(out_CS) < 800e-6


def test_ambisonic_signs_tell_left_from_right() -> None:
    prepared = prepare_receiver("foa", SAMPLE_RATE, SAMPLES)
    group = int(prepared.late.group_PA[9, 54])  # elevation 0, azimuth 270: the left, which is +Y
    energy_LGCB = np.zeros((prepared.late.bins, prepared.late.groups, 4, 6), dtype=np.float32)
    energy_LGCB[:, group] = 1.0
    out_CS = np.zeros((4, SAMPLES), dtype=np.float32)
    prepared.late.add(out_CS, energy_LGCB, 0.0, 0.0, 1.0, 0)
    assert np.corrcoef(out_CS[0], out_CS[1])[0, 1] > 0.99
