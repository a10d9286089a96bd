"""Source directivity: closed forms, limits of the sphere model, users' tables, and files that are not valid tables."""

from __future__ import annotations

import io
import json
import math
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avw.sim_bridge.acoustics.directivity import PATTERNS, cap_on_sphere, cardioid, load_directivity, make_directivity
from avw.sim_bridge.errors import UsageError
from tests import ROOT

AHEAD_3 = np.array([0.0, 0.0, -1.0])
ANGLES_DEG = [0.0, 45.0, 90.0, 180.0]
LEVELS_DB = [[-3.0] * 6, [-4.0] * 6, [-9.0] * 6, [-23.0, -13.0, -13.0, -13.0, -13.0, -33.0]]


def fibonacci(count: int) -> np.ndarray:
    """Unit vectors (N, 3), each representing the same solid angle."""
    y_N = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    turn_N = math.pi * (3.0 - math.sqrt(5.0)) * np.arange(count)
    across_N = np.sqrt(1.0 - y_N**2)
    return np.stack([across_N * np.cos(turn_N), y_N, across_N * np.sin(turn_N)], axis=1)


@pytest.mark.parametrize("name", PATTERNS)
def test_the_axis_has_amplitude_one_and_the_power_is_the_mean_over_the_sphere(name: str) -> None:
    pattern = make_directivity(name)
    forward_3 = np.array([0.3, -0.2, 0.9])
    np.testing.assert_allclose(pattern.gain(7.0 * forward_3[None], forward_3), 1.0, atol=1e-6)
    gain_NB = pattern.gain(fibonacci(20_000), forward_3)
    assert (gain_NB.dtype, gain_NB.shape) == (np.float32, (20_000, 6))
    np.testing.assert_allclose(np.square(gain_NB, dtype=np.float64).mean(axis=0), pattern.power_B, rtol=1e-3)
    np.testing.assert_allclose(pattern.index_db_B, -10 * np.log10(pattern.power_B))


@given(share=st.floats(0.0, 1.0), angle=st.floats(0.0, math.pi), turn=st.floats(-math.pi, math.pi))
def test_the_cardioid_family_follows_its_formula(share: float, angle: float, turn: float) -> None:
    direction_3 = np.array([math.sin(angle) * math.cos(turn), math.sin(angle) * math.sin(turn), -math.cos(angle)])
    gain_1B = cardioid(share).gain(2.5 * direction_3[None], AHEAD_3)
    np.testing.assert_allclose(gain_1B, share + (1.0 - share) * math.cos(angle), atol=1e-5)


def test_known_directivity_indices() -> None:
    np.testing.assert_allclose(make_directivity("omni").index_db_B, 0.0, atol=1e-9)
    np.testing.assert_allclose(make_directivity("cardioid").index_db_B, 10 * math.log10(3.0), atol=1e-4)
    np.testing.assert_allclose(cardioid(0.0).index_db_B, 10 * math.log10(3.0), atol=1e-4)


def test_each_band_can_have_its_own_share() -> None:
    gain_NB = cardioid((1.0, 0.9, 0.8, 0.7, 0.6, 0.5)).gain(-AHEAD_3[None], AHEAD_3)
    np.testing.assert_allclose(gain_NB[0], [1.0, 0.8, 0.6, 0.4, 0.2, 0.0], atol=1e-6)
    with pytest.raises(UsageError, match="cardioid"):
        cardioid(1.2)


def test_a_small_sphere_is_omnidirectional_and_a_large_one_is_a_piston_in_a_wall() -> None:
    angle_K = np.linspace(0.0, math.pi, 181)
    np.testing.assert_allclose(cap_on_sphere(angle_K, 0.09, 0.016, 5.0), 1.0, atol=0.02)
    # A cap much larger than the wavelength, on a much larger sphere: 2 J1(k a sin) / (k a sin) near the axis.
    from scipy.special import j1

    hertz, cap = 8_000.0, 0.05
    near_K = np.radians(np.linspace(1.0, 20.0, 20))
    argument_K = 2 * math.pi * hertz / 343.0 * cap * np.sin(near_K)
    piston_K = np.abs(2 * j1(argument_K) / argument_K)
    sphere_K = cap_on_sphere(np.concatenate([[0.0], near_K]), 1.0, cap, hertz)[1:]
    assert np.abs(sphere_K - piston_K).max() < 0.06


def test_the_series_has_converged_and_obeys_low_frequency_theory() -> None:
    # To first order in x = k a, a point source on a rigid sphere gives |1 - 1.5 i x cos(angle)|; the rest is O(x^2).
    angle_K = np.linspace(0.0, math.pi, 19)
    x = 0.02
    hertz = x * 343.0 / (2 * math.pi * 0.09)
    expected_K = np.abs(1.0 - 1.5j * x * np.cos(angle_K))
    actual_K = cap_on_sphere(angle_K, 0.09, 0.005, hertz)
    np.testing.assert_allclose(actual_K, expected_K / expected_K[0], atol=2 * x**2)
    assert np.isfinite(cap_on_sphere(angle_K, 0.5, 0.1, 16_000.0)).all()


@pytest.mark.parametrize("name", ["voice", "loudspeaker"])
def test_voice_and_loudspeaker_are_more_directive_in_higher_bands(name: str) -> None:
    index_B = make_directivity(name).index_db_B
    assert (np.diff(index_B) > 0).all()
    assert index_B[0] < 0.5
    assert 3.0 < index_B[5] < 15.0


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_a_users_table_is_read_relative_to_its_axis(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mine{suffix}"
    if suffix == ".json":
        path.write_text(json.dumps({"angles_deg": ANGLES_DEG, "gain_db": LEVELS_DB}))
    else:
        np.savez(path, angles_deg=ANGLES_DEG, gain_db=LEVELS_DB)
    pattern = make_directivity(str(path))
    assert pattern.name == "mine"
    gain_NB = pattern.gain(np.array([AHEAD_3, [1.0, 0.0, 0.0], -AHEAD_3]), AHEAD_3)
    np.testing.assert_allclose(20 * np.log10(gain_NB[1]), -6.0, atol=1e-5)
    np.testing.assert_allclose(20 * np.log10(gain_NB[2]), [-20.0, -10.0, -10.0, -10.0, -10.0, -30.0], atol=1e-5)


def tables() -> dict[str, bytes]:
    """Files that are not valid directivity tables, each for a different reason."""

    def as_json(angles: object = ANGLES_DEG, levels: object = LEVELS_DB) -> bytes:
        return json.dumps({"angles_deg": angles, "gain_db": levels}).encode()

    objects = io.BytesIO()
    np.savez(objects, angles_deg=np.array([{}, {}], dtype=object), gain_db=np.zeros((2, 6)))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("angles_deg.npy", b"\0" * 50_000_000)
    return {
        "words.json": b"not json at all",
        "list.json": b"[1, 2]",
        "deep.json": b"[" * 100_000,
        "missing.json": b'{"angles_deg": [0, 180]}',
        "ragged.json": as_json(levels=[[0.0] * 6, [0.0] * 5, [0.0] * 6, [0.0] * 6]),
        "bands.json": as_json(levels=[[0.0] * 5] * 4),
        "angles.json": as_json(angles=[0.0, 90.0, 45.0, 180.0]),
        "half.json": as_json(angles=[0.0, 30.0, 60.0, 90.0]),
        "nan.json": as_json(levels=[[math.nan] * 6] * 4),
        "loud.json": as_json(levels=[[0.0] * 6, [400.0] * 6, [0.0] * 6, [0.0] * 6]),
        "huge.json": b" " * 5_000_000,
        "pickle.npz": pickle.dumps({"angles_deg": [0]}),
        "objects.npz": objects.getvalue(),
        "bomb.npz": bomb.getvalue(),
        "cut.npz": objects.getvalue()[:200],
    }


@pytest.mark.parametrize("name", sorted(tables()))
def test_files_that_are_not_valid_tables_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(tables()[name])
    with pytest.raises(UsageError, match="directivity table"):
        load_directivity(path)


def test_unknown_names_wrong_axes_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="omni, subcardioid"):
        make_directivity("trumpet")
    with pytest.raises(UsageError, match="FileNotFoundError"):
        make_directivity(str(tmp_path / "absent.json"))
    for axis in ([0.0, 0.0, 0.0], [math.nan, 0.0, 1.0], [1.0, 0.0]):
        with pytest.raises(UsageError, match="axis"):
            make_directivity("cardioid").gain(AHEAD_3[None], np.array(axis))


def test_a_listener_at_the_source_gets_the_amplitude_of_the_axis() -> None:
    np.testing.assert_allclose(make_directivity("cardioid").gain(np.zeros((1, 3)), AHEAD_3), 1.0)


@pytest.mark.parametrize("name", ["voice", "loudspeaker"])
def test_documented_directivity_indices_match_the_computed_ones(name: str) -> None:
    page = (ROOT / "docs" / "acoustics.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    documented_B = [float(word) for word in row.split("|")[3].split()]
    np.testing.assert_allclose(make_directivity(name).index_db_B, documented_B, atol=0.051)
