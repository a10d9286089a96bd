"""Heads from SOFA files: all ways to write a head give the same result at any rate, and unsafe files are refused."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from avw.sim_bridge.acoustics.hrtf import Hrtf, load_hrtf
from avw.sim_bridge.acoustics.sofa import read_sofa
from avw.sim_bridge.errors import UsageError
from tests.sim_bridge.sofa_files import RADIUS, SPEED, SofaFile, kemar, point_head


def spherical_to_cartesian(source_MC: np.ndarray) -> np.ndarray:
    azimuth, elevation = np.radians(source_MC[:, 0]), np.radians(source_MC[:, 1])
    across = source_MC[:, 2] * np.cos(elevation)
    return np.stack([across * np.cos(azimuth), across * np.sin(azimuth), source_MC[:, 2] * np.sin(elevation)], axis=1)


def assert_is_the_point_head(head: Hrtf, rate: int, *, decibels: float = 0.2, microseconds: float = 6.0) -> None:
    """Assert that level differences (500 Hz to 7 kHz) and delays of `head` match the closed form."""
    hertz_F = np.fft.rfftfreq(2_048, 1.0 / rate)
    band_F = (hertz_F > 500.0) & (hertz_F < 7_000.0)
    for azimuth in range(0, 360, 20):
        for elevation in (-30.0, 0.0, 15.0, 60.0):
            ir_ES, delay_E = head.towards(math.radians(azimuth), math.radians(elevation))
            right = math.sin(math.radians(azimuth)) * math.cos(math.radians(elevation))
            level_EF = 20 * np.log10(np.abs(np.fft.rfft(ir_ES, 2_048))[:, band_F])
            expected = 20 * math.log10((1 + 0.5 * right) / (1 - 0.5 * right))
            np.testing.assert_allclose(level_EF[1] - level_EF[0], expected, atol=decibels)
            itd = 1e6 * (delay_E[0] - delay_E[1]) / rate
            assert itd == pytest.approx(2e6 * RADIUS / SPEED * right, abs=microseconds)


def test_kemar_from_a_file_equals_the_shipped_kemar(tmp_path: Path) -> None:
    head, built_in = load_hrtf(16_000, kemar().write(tmp_path / "kemar.sofa")), load_hrtf()
    assert head.gain_PAEB.shape == built_in.gain_PAEB.shape
    ild_PAB, expected_PAB = (20 * np.log10(h.gain_PAEB[:, :, 0] / h.gain_PAEB[:, :, 1]) for h in (head, built_in))
    assert np.abs(ild_PAB - expected_PAB).max() < 0.1
    assert np.abs(20 * np.log10(head.gain_PAEB / built_in.gain_PAEB)).max() < 0.1
    assert np.abs(head.delay_PAE - built_in.delay_PAE).max() < 0.05
    np.testing.assert_allclose(head.diffuse.coherence_F, built_in.diffuse.coherence_F, atol=0.01)


def variants() -> dict[str, SofaFile]:
    """The same head, written in the different ways that the standard allows."""
    plain = point_head()
    turned = np.add(plain.source_MC, [[90.0, 0.0, 0.0]])
    moved = np.add(spherical_to_cartesian(plain.source_MC), [[3.0, -2.0, 1.0]])
    late_MRN = np.concatenate([plain.ir_MRN, np.zeros((len(plain.ir_MRN), 2, 100))], axis=2)
    late_MRN[:, 1] = np.roll(late_MRN[:, 1], 40, axis=-1)
    near = np.concatenate([plain.source_MC, plain.source_MC * [[1.0, 1.0, 0.2]]])
    return {
        "plain": plain,
        "negative azimuths": replace(plain, source_MC=np.add(plain.source_MC, [[-360.0, 0, 0]])),
        "cartesian": replace(plain, source_MC=spherical_to_cartesian(plain.source_MC), source_type="cartesian"),
        "ears in reverse order": replace(plain, ir_MRN=plain.ir_MRN[:, ::-1], receiver_RC=-plain.receiver_RC),
        "listener faces y": replace(plain, source_MC=turned, view_IC=np.array([[0.0, 2.0, 0.0]])),
        "listener at another position": replace(
            plain, source_MC=moved, source_type="cartesian", position_IC=np.array([[3.0, -2.0, 1.0]])
        ),
        "separate delays": replace(plain, ir_MRN=late_MRN, delay_IR=np.array([[140.0, 100.0]])),
        "delay per measurement": replace(plain, delay_IR=np.full((len(plain.ir_MRN), 2), 17.0)),
        "two distances": replace(plain, ir_MRN=np.concatenate([plain.ir_MRN] * 2), source_MC=near),
    }


@pytest.mark.parametrize("name", sorted(variants()))
def test_all_ways_to_write_a_head_give_the_same_result(tmp_path: Path, name: str) -> None:
    head = load_hrtf(16_000, variants()[name].write(tmp_path / "head.sofa"))
    assert_is_the_point_head(head, 16_000)


def test_units_may_be_empty_or_missing(tmp_path: Path) -> None:
    path = point_head().write(tmp_path / "head.sofa")
    with h5py.File(path, "r+") as file:
        file["SourcePosition"].attrs["Units"] = h5py.Empty("S1")
        del file["Data.SamplingRate"].attrs["Units"]
    assert_is_the_point_head(load_hrtf(16_000, path), 16_000)


def test_a_listener_that_turns_between_measurements_is_supported(tmp_path: Path) -> None:
    # One loudspeaker in front; the listener turns for each measurement, so the source is at minus the listener's angle.
    plain = point_head(source_MC=np.stack([np.arange(0.0, 360.0, 5.0), np.zeros(72), np.full(72, 1.5)], axis=1))
    angle = np.radians(-plain.source_MC[:, 0])
    view_MC = np.stack([np.cos(angle), np.sin(angle), np.zeros(72)], axis=1)
    turned = replace(plain, source_MC=np.tile([[0.0, 0.0, 1.5]], (72, 1)), view_IC=view_MC)
    direction_N3 = read_sofa(turned.write(tmp_path / "turning.sofa")).direction_N3
    expected_N3 = read_sofa(plain.write(tmp_path / "plain.sofa")).direction_N3
    np.testing.assert_allclose(direction_N3, expected_N3, atol=1e-9)


@pytest.mark.parametrize(
    ("measured", "requested"), [(44_100, 16_000), (96_000, 16_000), (44_100, 48_000), (48_000, 44_100)]
)
def test_a_head_of_another_rate_is_resampled(tmp_path: Path, measured: int, requested: int) -> None:
    head = load_hrtf(requested, point_head(measured).write(tmp_path / "head.sofa"))
    assert (head.sample_rate, head.taps) == (requested, math.ceil(0.006 * requested))
    assert_is_the_point_head(head, requested)


@pytest.mark.parametrize(("measured", "requested"), [(16_000, 48_000), (16_000, 22_050), (32_000, 44_100)])
def test_a_head_without_high_frequencies_is_refused_for_high_rates(
    tmp_path: Path, measured: int, requested: int
) -> None:
    path = point_head(measured).write(tmp_path / "head.sofa")
    with pytest.raises(UsageError, match=f"nothing above {measured // 2} Hz"):
        load_hrtf(requested, path)


def test_scattered_directions_are_interpolated(tmp_path: Path) -> None:
    count = 600
    z_N = 1.0 - (2.0 * np.arange(count) + 1.0) / count
    azimuth_N = np.degrees(math.pi * (3.0 - math.sqrt(5.0)) * np.arange(count)) % 360.0
    source_MC = np.stack([azimuth_N, np.degrees(np.arcsin(z_N)), np.full(count, 1.2)], axis=1)
    head = load_hrtf(48_000, point_head(source_MC=source_MC).write(tmp_path / "scattered.sofa"))
    assert len(head.gain_PAEB) == 19  # down to -90 degrees
    assert_is_the_point_head(head, 48_000, decibels=0.3, microseconds=10.0)


def test_differences_of_a_horizontal_ring_vanish_towards_the_poles(tmp_path: Path) -> None:
    ring = point_head(source_MC=np.stack([np.arange(0.0, 360.0, 15.0), np.zeros(24), np.full(24, 1.5)], axis=1))
    head = load_hrtf(48_000, ring.write(tmp_path / "ring.sofa"))
    itd = [np.diff(head.towards(math.pi / 2, math.radians(elevation))[1])[0] for elevation in (0.0, 45.0, 90.0)]
    assert abs(itd[0]) > abs(itd[1]) > abs(itd[2])
    assert itd[0] / 48_000 == pytest.approx(-2 * RADIUS / SPEED, abs=6e-6)
    assert itd[2] == pytest.approx(0.0, abs=0.1)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = point_head().write(tmp_path / "head.sofa")
    first = load_hrtf(16_000, path)
    assert load_hrtf(16_000, str(path)) is first
    louder = point_head()
    louder.ir_MRN[:, 1] *= 1.001
    louder.ir_MRN = np.pad(louder.ir_MRN, ((0, 0), (0, 0), (0, 3)))
    louder.write(path)
    assert load_hrtf(16_000, path) is not first


def test_h5py_is_only_imported_for_a_file() -> None:
    program = (
        "import sys; from avw.sim_bridge.acoustics.hrtf import load_hrtf; load_hrtf(); print('h5py' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_independent_reader_agrees(tmp_path: Path) -> None:
    sofar = pytest.importorskip("sofar", reason="sofar, another reader of SOFA files, is not installed")
    path = kemar().write(tmp_path / "kemar.sofa")
    theirs, ours = sofar.read_sofa(str(path), verify=False), read_sofa(path)
    assert theirs.GLOBAL_SOFAConventions == "SimpleFreeFieldHRIR"
    np.testing.assert_allclose(theirs.Data_IR, ours.ir_NES)
    assert float(theirs.Data_SamplingRate) == ours.sample_rate
    x, y, z = spherical_to_cartesian(theirs.SourcePosition).T / theirs.SourcePosition[:, 2]
    np.testing.assert_allclose(np.stack([-y, z, -x], axis=1), ours.direction_N3, atol=1e-9)
    sofar.write_sofa(str(tmp_path / "theirs.sofa"), theirs)
    again = read_sofa(tmp_path / "theirs.sofa")
    np.testing.assert_allclose(again.ir_NES, ours.ir_NES)
    np.testing.assert_allclose(again.direction_N3, ours.direction_N3, atol=1e-9)


def edited(path: Path, name: str) -> Path:
    """Write the point head with one error, and return its path."""
    point_head().write(path)
    with h5py.File(path, "r+") as file:
        count = len(file["Data.IR"])
        if name == "link elsewhere":
            point_head().write(path.with_name("other.sofa"))
            del file["Data.IR"]
            file["Data.IR"] = h5py.ExternalLink("other.sofa", "/Data.IR")
        elif name == "soft link":
            file.move("Data.IR", "hidden")
            file["Data.IR"] = h5py.SoftLink("/hidden")
        elif name == "external storage":
            path.with_name("raw.bin").write_bytes(bytes(count * 2 * 64 * 8))
            del file["Data.IR"]
            file.create_dataset("Data.IR", (count, 2, 64), "f8", external=[(str(path.with_name("raw.bin")), 0, 2**30)])
        elif name == "virtual":
            point_head().write(path.with_name("other.sofa"))
            layout = h5py.VirtualLayout(file["Data.IR"].shape, dtype="f8")
            layout[:] = h5py.VirtualSource(str(path.with_name("other.sofa")), "Data.IR", shape=layout.shape)
            del file["Data.IR"]
            file.create_virtual_dataset("Data.IR", layout)
        elif name == "group":
            del file["Data.IR"]
            file.create_group("Data.IR")
        elif name == "bomb":
            deflate = zlib.compressobj(9)
            content = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(512)) + deflate.flush()
            del file["Data.IR"]
            dataset = file.create_dataset("Data.IR", (count, 2, 64), "f8", chunks=(count, 2, 64), compression="gzip")
            dataset.id.write_direct_chunk((0, 0, 0), content)
        elif name == "giant":
            del file["Data.IR"]
            file.create_dataset("Data.IR", (10**6, 2, 10**6), "f4", chunks=(1, 2, 1000))
        elif name == "giant chunk":
            del file["Data.IR"]
            file.create_dataset("Data.IR", (4, 2, 64), "f4", chunks=(10**5, 2, 10**4), maxshape=(None, 2, None))
        elif name in wrong_data(count):
            target, value = wrong_data(count)[name]
            attributes = dict(file[target].attrs) if target in file else {}
            del file[target]
            if value is not None:
                file[target] = value
                for key in ("Type", "Units"):
                    if key in attributes:
                        file[target].attrs[key] = attributes[key]
        else:
            where, attribute, text = WRONG_TEXT[name]
            (file[where] if where else file).attrs[attribute] = text
    return path


WRONG_TEXT: dict[str, tuple[str, str, object]] = {
    "room": ("", "SOFAConventions", "SingleRoomDRIR"),
    "general": ("", "Conventions", "netCDF"),
    "second order sections": ("", "DataType", "SOS"),
    "number for a text": ("", "SOFAConventions", 7),
    "radians": ("SourcePosition", "Units", "radian, radian, metre"),
    "harmonics": ("SourcePosition", "Type", "spherical harmonics"),
    "kilohertz": ("Data.SamplingRate", "Units", "kilohertz"),
    "long text": ("", "SOFAConventions", "x" * 60_000),
}


def wrong_data(count: int) -> dict[str, tuple[str, object]]:
    ir_MRN = point_head().ir_MRN
    text = h5py.string_dtype()
    return {
        "no responses": ("Data.IR", None),
        "no sources": ("SourcePosition", None),
        "mono": ("Data.IR", ir_MRN[:, :1]),
        "flat": ("Data.IR", ir_MRN[:, 0]),
        "nan": ("Data.IR", np.where(np.arange(ir_MRN.shape[2]) == 5, np.nan, ir_MRN)),
        "silence": ("Data.IR", np.zeros_like(ir_MRN)),
        "texts": ("Data.IR", np.full((4, 2, 8), "x", dtype=object).astype(text)),
        "references": ("Data.IR", np.full((4, 2, 8), h5py.Reference(), dtype=h5py.ref_dtype)),
        "complex": ("Data.IR", ir_MRN.astype(np.complex64)),
        "empty": ("Data.IR", np.zeros((0, 2, 64))),
        "nothing": ("Data.IR", h5py.Empty("f8")),
        "rate of zero": ("Data.SamplingRate", np.array([0.0])),
        "endless rate": ("Data.SamplingRate", np.array([math.inf])),
        "two rates": ("Data.SamplingRate", np.array([44_100.0, 48_000.0])),
        "fewer sources": ("SourcePosition", np.ones((count - 1, 3))),
        "source in the head": ("SourcePosition", np.zeros((count, 3))),
        "endless delay": ("Data.Delay", np.full((1, 2), 1e9)),
        "early delay": ("Data.Delay", np.full((1, 2), -60_000.0)),
        "late delay": ("Data.Delay", np.full((1, 2), 6_000.0)),
        "one-sided delay": ("Data.Delay", np.array([[0.0, 200.0]])),
        "swapped ears": ("Data.IR", ir_MRN[:, ::-1]),
        "no view": ("ListenerView", np.zeros((1, 3))),
        "up is ahead": ("ListenerUp", np.array([[2.0, 0.0, 0.0]])),
        "three ears": ("ReceiverPosition", np.zeros((3, 3, 1))),
        "half a horizon": (
            "SourcePosition",
            np.tile([[20.0, 0.0, 1.0]], (count, 1)) + np.arange(count)[:, None] * 1e-3,
        ),
    }


MESSAGES = {
    "link elsewhere": "is a link to another file",
    "soft link": "is a soft link",
    "external storage": "outside of the file",
    "virtual": "outside of the file",
    "group": "not an array",
    "bomb": "does not inflate to its",
    "giant": "more than",
    "giant chunk": "more than",
    "room": "expected SimpleFreeFieldHRIR",
    "general": "Conventions",
    "second order sections": "DataType",
    "number for a text": "is not text",
    "radians": "not in degrees",
    "harmonics": "not spherical or cartesian",
    "kilohertz": "not in hertz",
    "no responses": "has no Data.IR",
    "no sources": "has no SourcePosition",
    "mono": "1 receivers",
    "flat": "not 3 dimensions",
    "nan": "not finite",
    "silence": "silent",
    "texts": "not numbers",
    "references": "not numbers",
    "complex": "not numbers",
    "empty": "is empty",
    "nothing": "dimensions",
    "rate of zero": "sampling rate",
    "endless rate": "not finite",
    "two rates": "sampling rate",
    "fewer sources": "has shape",
    "source in the head": "at the centre",
    "endless delay": "expected 0 to 4800",
    "early delay": "from -60000 to -60000 samples",
    "late delay": "expected 0 to 4800",
    "one-sided delay": "between the ears",
    "long text": "more than 4,096 bytes",
    "swapped ears": "swapped",
    "no view": "length 0",
    "up is ahead": "the same way",
    "three ears": "ReceiverPosition",
    "half a horizon": "gap on the horizon",
}


def test_the_responses_decide_if_the_positions_of_the_receivers_contradict_them(tmp_path: Path) -> None:
    """As in the KEMAR of TU Berlin: left first in the data, and right first in ReceiverPosition."""
    head = point_head()
    right = read_sofa(head.write(tmp_path / "right.sofa"))
    head.receiver_RC = head.receiver_RC[::-1]
    berlin = read_sofa(head.write(tmp_path / "berlin.sofa"))
    np.testing.assert_array_equal(berlin.ir_NES, right.ir_NES)
    head.ir_MRN = head.ir_MRN[:, ::-1]
    np.testing.assert_array_equal(read_sofa(head.write(tmp_path / "both.sofa")).ir_NES, right.ir_NES)


def test_a_fifo_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "head.sofa")
    with pytest.raises(UsageError, match="not a regular file"):
        read_sofa(tmp_path / "head.sofa")


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_unsafe_and_invalid_files_are_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    path = edited(tmp_path / "bad.sofa", name)
    with pytest.raises(UsageError, match=MESSAGES[name]):
        load_hrtf(48_000, path)


@pytest.mark.parametrize("content", [b"", b"RIFF....WAVE", b"\x89HDF\r\n\x1a\n" + bytes(64)])
def test_files_that_are_not_hdf5_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.sofa"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot read SOFA file"):
        load_hrtf(48_000, path)
    with pytest.raises(UsageError, match="no SOFA file"):
        load_hrtf(48_000, tmp_path / "absent.sofa")


def test_truncated_files_are_refused_and_flipped_bits_raise_only_usage_errors(tmp_path: Path) -> None:
    small = point_head(16_000, source_MC=np.stack([np.arange(0.0, 360.0, 30.0), np.zeros(12), np.ones(12)], axis=1))
    whole = small.write(tmp_path / "head.sofa").read_bytes()
    bad = tmp_path / "bad.sofa"
    for length in range(0, len(whole), len(whole) // 12):
        bad.write_bytes(whole[:length])
        with pytest.raises(UsageError):
            read_sofa(bad)
    rng = np.random.default_rng(0)
    for position in rng.integers(0, len(whole), 80):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << int(rng.integers(8))
        bad.write_bytes(flipped)
        try:
            head = read_sofa(bad)
        except UsageError:
            continue
        assert np.isfinite(head.ir_NES).all()
