"""The engine's direct sound has KEMAR's level and time differences at every measured azimuth."""

from __future__ import annotations

import numpy as np
import pytest

from avw.sim_bridge.acoustics.emitters import EmittersConfig, EmittersEngine
from avw.sim_bridge.rendering.raycast import RayScene
from avw.sim_bridge.selftest.direct_sound import DEGREES, DirectSound, compare_direct_sound


@pytest.fixture(scope="module")
def found() -> DirectSound:
    return compare_direct_sound(lambda scene: EmittersEngine(RayScene(scene), EmittersConfig(emitters=1, rays=1)))


def test_every_measured_azimuth_is_compared(found: DirectSound) -> None:
    assert found.band_ild_AB.shape == (len(DEGREES), 6) == (72, 6)
    # Both sides are measured, so swapped ears would show as twice the difference, up to 40 dB.
    assert np.isfinite(found.band_ild_AB).all()


def test_level_differences_are_within_one_decibel(found: DirectSound) -> None:
    assert np.abs(found.band_ild_AB).max() <= 1.0
    assert np.abs(found.ild_A).max() <= 0.5
    # The lowest octave has a correction for long waves, the highest an interpolation error; the others are exact.
    assert np.abs(found.band_ild_AB[:, 1:5]).max() <= 0.05


def test_narrow_bands_agree_without_a_common_spectrum(found: DirectSound) -> None:
    assert found.twelfth_ild_AF.shape == (72, 61)
    assert np.abs(found.twelfth_ild_AF).max() <= 1.0


def test_time_differences_are_within_fifty_microseconds(found: DirectSound) -> None:
    assert np.abs(found.itd_A).max() <= 50e-6
