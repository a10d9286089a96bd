"""Sounds: the ring is reproducible, audio files of any format become mono loops, and bad files are refused."""

from __future__ import annotations

import hashlib
import math
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from avw.sim_bridge.acoustics import sounds
from avw.sim_bridge.acoustics.sounds import PEAK_LIMIT, REFERENCE_RMS, RING_SAMPLES, load_sound, ring
from avw.sim_bridge.errors import SoundError


def rms(signal_S: np.ndarray) -> float:
    return math.sqrt(np.square(signal_S, dtype=np.float64).mean())


def test_the_ring_is_seven_steps_of_normalised_mono() -> None:
    clip_S = load_sound("ring")
    assert clip_S.shape == (RING_SAMPLES,) == (7 * 2_400,)
    assert clip_S.dtype == np.float32
    assert rms(clip_S) == pytest.approx(REFERENCE_RMS, rel=0.01)
    assert np.abs(clip_S).max() <= PEAK_LIMIT


def test_the_ring_is_synthesised_to_the_same_samples_every_time() -> None:
    again = ring.__wrapped__()
    assert hashlib.sha256(again.tobytes()).digest() == hashlib.sha256(ring().tobytes()).digest()


def test_the_ring_is_broadband_and_band_limited() -> None:
    energy_F = np.abs(np.fft.rfft(load_sound("ring").astype(np.float64))) ** 2
    hertz = np.fft.rfftfreq(RING_SAMPLES, 1 / 16_000)
    share = {
        edges: 10 * np.log10(energy_F[(hertz >= edges[0]) & (hertz < edges[1])].sum() / energy_F.sum())
        for edges in ((0, 300), (300, 1_500), (1_500, 4_000), (4_000, 7_000), (7_000, 8_001))
    }
    assert share[0, 300] < -30
    assert share[7_000, 8_001] < -30
    assert min(share[300, 1_500], share[1_500, 4_000], share[4_000, 7_000]) > -15


def test_the_ring_has_two_bursts_and_short_pauses() -> None:
    loud = np.sqrt(np.square(load_sound("ring").reshape(-1, 80)).mean(axis=1)) > 0.05  # 5 ms frames
    padded = np.concatenate([loud, loud]).astype(int)
    pauses = [len(run) for run in "".join(map(str, padded)).strip("0").split("1") if len(run) > 10]
    assert len(pauses) >= 2
    assert max(pauses) * 0.005 <= 0.15


def test_the_loop_of_the_ring_has_no_seam() -> None:
    clip_S = load_sound("ring")
    steps = np.abs(np.diff(clip_S))
    assert abs(clip_S[0] - clip_S[-1]) <= steps.max()


def test_changing_a_loaded_sound_does_not_affect_the_next_one() -> None:
    load_sound("ring")[:] = 0.0
    assert rms(load_sound("ring")) > 0.05


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_rate_and_layout_becomes_mono_16_khz(tmp_path: Path, rate: int, channels: int) -> None:
    tone_S = 0.9 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.repeat(tone_S[:, None], channels, axis=1), rate)
    clip_S = load_sound(str(path))
    assert abs(len(clip_S) - 16_000) <= 1
    assert rms(clip_S) == pytest.approx(REFERENCE_RMS, rel=0.01)
    assert np.abs(np.fft.rfft(clip_S)).argmax() == pytest.approx(440, abs=1)


@pytest.mark.parametrize("fault", ["exact", "truncated", "dithered", "quieter"])
@pytest.mark.parametrize("offset", [0.0, 0.2])
def test_channels_of_opposite_phase_do_not_cancel(tmp_path: Path, fault: str, offset: float) -> None:
    """A phase fault leaves the last bit in the mean of the channels, which must not be brought to full loudness."""
    tone_S = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    other_S = {
        "exact": -tone_S,
        "truncated": np.floor(-tone_S * 32_768) / 32_768,
        "dithered": -tone_S + np.random.default_rng(0).uniform(-1, 1, 16_000) / 32_768,
        "quieter": -0.98 * tone_S,
    }[fault]
    soundfile.write(tmp_path / "stereo.wav", np.stack([tone_S, other_S], axis=1) + offset, 16_000, subtype="FLOAT")
    clip_S = load_sound(str(tmp_path / "stereo.wav"))
    energy_F = np.abs(np.fft.rfft(clip_S.astype(np.float64))) ** 2
    assert energy_F[440] > 0.999 * energy_F.sum()
    assert rms(clip_S) == pytest.approx(REFERENCE_RMS, rel=0.01)


def test_an_offset_is_removed_before_the_level_is_set(tmp_path: Path) -> None:
    tone_S = 0.01 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    soundfile.write(tmp_path / "offset.wav", tone_S + 0.5, 16_000, subtype="FLOAT")
    clip_S = load_sound(str(tmp_path / "offset.wav"))
    assert abs(clip_S.mean()) < 1e-4
    assert rms(clip_S) == pytest.approx(REFERENCE_RMS, rel=0.01)
    soundfile.write(tmp_path / "half.wav", np.stack([tone_S + 0.5, 0 * tone_S], axis=1), 16_000, subtype="FLOAT")
    assert rms(load_sound(str(tmp_path / "half.wav"))) == pytest.approx(REFERENCE_RMS, rel=0.01)
    constant_S = 0.5 + np.random.default_rng(0).integers(-1, 2, 16_000) / 32_768
    soundfile.write(tmp_path / "constant.wav", constant_S, 16_000, subtype="PCM_16")
    with pytest.raises(SoundError, match="silent"):
        load_sound(str(tmp_path / "constant.wav"))


def test_a_spiky_sound_is_limited_by_its_peak(tmp_path: Path) -> None:
    spikes_S = np.zeros(16_000)
    spikes_S[::4_000] = 1.0
    soundfile.write(tmp_path / "spikes.flac", spikes_S, 16_000)
    assert np.abs(load_sound(str(tmp_path / "spikes.flac"))).max() == pytest.approx(PEAK_LIMIT, rel=0.01)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.wav", None, "neither a shipped sound"),
        ("text.wav", b"this file holds text and not sound", "not an audio file"),
        ("empty.wav", b"", "not an audio file"),
        ("cut.flac", b"fLaC\x00\x00\x00\x22", "not an audio file"),
    ],
)
def test_errors_for_unreadable_sounds_give_the_reason(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with warnings.catch_warnings(), pytest.raises(SoundError, match=message):
        load_sound(str(path))


def test_folders_and_empty_silent_or_damaged_sounds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SoundError, match="folder"):
        load_sound(str(tmp_path))
    for name, samples_S, message in (
        ("none.wav", np.zeros(0), "no samples"),
        ("silent.wav", np.zeros(1_000), "silent"),
        ("broken.wav", np.full(1_000, np.nan), "not finite"),
    ):
        soundfile.write(tmp_path / name, samples_S, 16_000, subtype="FLOAT")
        with pytest.raises(SoundError, match=message):
            load_sound(str(tmp_path / name))


def test_sounds_that_are_too_long_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "_MAX_SECONDS", 0.5)
    soundfile.write(tmp_path / "long.wav", np.ones(16_000), 16_000)
    with pytest.raises(SoundError, match="longer than"):
        load_sound(str(tmp_path / "long.wav"))


@pytest.mark.parametrize("rate", [22_050, 24_000, 32_000, 44_100, 48_000])
def test_the_ring_at_another_rate_is_the_same_ring(rate: int) -> None:
    clip_S, original_S = load_sound("ring", rate), load_sound("ring")
    assert clip_S.dtype == np.float32
    assert len(clip_S) == round(1.05 * rate)
    assert np.abs(clip_S).max() <= PEAK_LIMIT + 1e-6
    # The same harmonics at the same level and nothing above them, so that the loop has no seam at any rate.
    ours_F = np.fft.rfft(clip_S.astype(np.float64)) / len(clip_S)
    theirs_F = np.fft.rfft(original_S.astype(np.float64)) / len(original_S)
    scale = rms(clip_S) / rms(original_S)
    assert scale == pytest.approx(1.0, rel=0.05)
    np.testing.assert_allclose(ours_F[:8_000], scale * theirs_F[:8_000], atol=1e-6)
    assert np.abs(ours_F[8_400:]).max() < 1e-6


def test_the_ring_at_16_khz_is_the_original() -> None:
    np.testing.assert_array_equal(load_sound("ring", 16_000), ring())


@pytest.mark.parametrize("rate", [8_000, 96_000, 16_000.5, "16000"])
def test_unsupported_rates_are_refused(rate: object) -> None:
    with pytest.raises(SoundError, match="from 16000 to 48000"):
        load_sound("ring", rate)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_48_khz_mp3_needs_no_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("ffmpeg") is None
    tone_S = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    soundfile.write(tmp_path / "tone.mp3", tone_S, 48_000, format="MP3")
    clip_S = load_sound(str(tmp_path / "tone.mp3"), rate)
    assert len(clip_S) == pytest.approx(rate, rel=0.06)  # the encoder adds some silence
    assert rms(clip_S) == pytest.approx(REFERENCE_RMS, rel=0.01)
    assert np.abs(np.fft.rfft(clip_S)).argmax() * rate / len(clip_S) == pytest.approx(440, abs=2)


def test_the_error_for_an_undecodable_sound_suggests_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "clip.m4a").write_bytes(bytes([0, 0, 0, 24]) + b"ftypM4A \0\0\0\0M4A mp42isom" + bytes(2_000))
    with pytest.raises(SoundError, match="ffmpeg is not installed; convert it to WAV"):
        load_sound(str(tmp_path / "clip.m4a"))


def test_a_header_with_excessive_sizes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "promise.flac"
    soundfile.write(path, np.zeros(4_000) + 0.1, 16_000)
    content = bytearray(path.read_bytes())
    content[21:26] = bytes([content[21] | 0x0F, 0xFF, 0xFF, 0xFF, 0xFF])  # number of samples in STREAMINFO: 2^36 - 1
    path.write_bytes(content)
    with pytest.raises(SoundError, match="longer than 600 s"):
        load_sound(str(path))
    soundfile.write(tmp_path / "many.wav", np.ones((10, 80)), 16_000)
    with pytest.raises(SoundError, match="80 channels"):
        load_sound(str(tmp_path / "many.wav"))
