"""Layouts: mono is an impulse, ambisonics follows its equations, binaural is the head; all have the same level."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avw.sim_bridge.acoustics.hrtf import elevation_row, load_hrtf
from avw.sim_bridge.acoustics.hrtf_grid import head_vectors, solid_angles
from avw.sim_bridge.acoustics.receivers import LAYOUTS, make_receiver
from avw.sim_bridge.errors import UsageError

angles = st.floats(-math.pi, math.pi)
elevations = st.floats(-math.pi / 2, math.pi / 2)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tables_and_responses_have_the_shapes_that_an_engine_needs(layout: str) -> None:
    receiver = make_receiver(layout)
    rows, columns, channels, bands = receiver.gain_PACB.shape
    assert (receiver.name, columns, channels, bands) == (layout, 72, receiver.channels, 6)
    assert len(receiver.channel_names) == channels
    assert receiver.gain_PACB.dtype == np.float32
    assert receiver.delay_PAC.shape == (rows, columns, channels)
    ir_CS, delay_C = receiver.towards(0.3, 0.2)
    assert ir_CS.shape == (channels, receiver.taps)
    assert delay_C.shape == (channels,)
    assert receiver.diffuse_CB.shape == (channels, bands)
    assert receiver.coherence_CCB.shape == (channels, channels, bands)


@given(azimuth=angles, elevation=elevations)
def test_mono_receives_one_impulse_from_every_direction(azimuth: float, elevation: float) -> None:
    ir_CS, delay_C = make_receiver("mono").towards(azimuth, elevation)
    assert ir_CS.tolist() == [[1.0]]
    assert delay_C.tolist() == [0.0]


def test_mono_tables_have_unit_gain_and_no_delay() -> None:
    receiver = make_receiver("mono")
    assert (receiver.gain_PACB == 1.0).all()
    assert not receiver.delay_PAC.any()
    assert (receiver.diffuse_CB == 1.0).all()


@given(azimuth=angles, elevation=elevations)
def test_ambisonic_figures_of_eight_are_the_direction_vector(azimuth: float, elevation: float) -> None:
    (w, y, z, x), delay_C = make_receiver("foa").towards(azimuth, elevation)
    right, up, back = head_vectors(np.array(azimuth), np.array(elevation))
    np.testing.assert_allclose([y[0], z[0], x[0]], [-right, up, -back], atol=1e-12)
    assert x[0] ** 2 + y[0] ** 2 + z[0] ** 2 == pytest.approx(w[0] ** 2)
    assert not delay_C.any()


def test_ambisonic_axes_point_ahead_left_and_up() -> None:
    receiver = make_receiver("foa", 48_000)
    for azimuth, elevation, expected in (
        (0.0, 0.0, [1, 0, 0, 1]),
        (-math.pi / 2, 0.0, [1, 1, 0, 0]),
        (math.pi / 2, 0.0, [1, -1, 0, 0]),
        (math.pi, 0.0, [1, 0, 0, -1]),
        (0.7, math.pi / 2, [1, 0, 1, 0]),
        (0.7, -math.pi / 2, [1, 0, -1, 0]),
    ):
        np.testing.assert_allclose(receiver.towards(azimuth, elevation)[0][:, 0], expected, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tables_agree_with_the_responses_at_their_nodes(layout: str) -> None:
    receiver = make_receiver(layout)
    rows = len(receiver.gain_PACB)
    for elevation in (-30.0, 0.0, 50.0, 90.0):
        row = int(elevation_row(np.radians([elevation]), rows)[0])
        for column in (0, 10, 36, 55):
            ir_CS, delay_C = receiver.towards(math.radians(5.0 * column), math.radians(elevation))
            np.testing.assert_allclose(receiver.delay_PAC[row, column], delay_C, atol=1e-9)
            if layout == "binaural":
                power_C = np.square(ir_CS).sum(axis=1)
                low, high = (np.square(receiver.gain_PACB[row, column].astype(float)).T).min(0), np.inf
                assert (power_C >= low - 1e-6).all()
                assert (power_C < high).all()
            else:
                np.testing.assert_allclose(receiver.gain_PACB[row, column], np.repeat(ir_CS, 6, 1), atol=1e-6)


@pytest.mark.parametrize("layout", ["mono", "foa", "binaural"])
def test_diffuse_levels_are_means_of_the_tables_over_the_sphere(layout: str) -> None:
    receiver = make_receiver(layout)
    power_PACB = np.square(receiver.gain_PACB, dtype=np.float64)
    mean_CB = np.einsum("p,pcb->cb", solid_angles(len(power_PACB)), power_PACB.mean(axis=1))
    np.testing.assert_allclose(receiver.diffuse_CB, np.sqrt(mean_CB), rtol=0.01)


def test_ambisonic_channels_are_independent_in_a_diffuse_field() -> None:
    receiver = make_receiver("foa")
    gain_PAC = receiver.gain_PACB[..., 0].astype(np.float64)
    covariance_CC = np.einsum("p,pac,pad->cd", solid_angles(len(gain_PAC)) / 72, gain_PAC, gain_PAC)
    np.testing.assert_allclose(covariance_CC, np.diag([1, 1 / 3, 1 / 3, 1 / 3]), atol=0.005)


def test_a_frontal_source_has_the_same_level_in_every_layout() -> None:
    both_ES, _ = make_receiver("binaural").towards(0.0, 0.0)
    assert np.square(both_ES).sum(axis=1).mean() == pytest.approx(1.0, rel=1e-3)
    assert make_receiver("mono").towards(0.0, 0.0)[0][0, 0] == 1.0
    assert make_receiver("foa").towards(0.0, 0.0)[0][0, 0] == 1.0


def test_rows_are_counted_from_straight_up() -> None:
    elevation_N = np.radians([90.0, 84.0, -40.0, -44.0, -90.0])
    assert elevation_row(elevation_N, 14).tolist() == [13, 12, 0, 0, 0]
    assert elevation_row(elevation_N, 19).tolist() == [18, 17, 5, 5, 0]


def test_the_binaural_layout_uses_the_shipped_head() -> None:
    assert make_receiver("binaural").gain_PACB is load_hrtf().gain_PAEB


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_only_the_binaural_layout_depends_on_the_sample_rate(rate: int) -> None:
    for layout in ("mono", "foa"):
        np.testing.assert_array_equal(make_receiver(layout, rate).gain_PACB, make_receiver(layout).gain_PACB)
    if rate > 16_000:
        with pytest.raises(UsageError, match="SOFA"):
            make_receiver("binaural", rate)


def test_wrong_layouts_are_refused() -> None:
    with pytest.raises(UsageError, match="binaural, mono, foa"):
        make_receiver("quad")
    with pytest.raises(UsageError, match="holds a head"):
        make_receiver("mono", sofa="head.sofa")
