"""Sounds: the ring is always the same bytes; files of any shape become mono loops; bad ones say why."""

from __future__ import annotations

import hashlib
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sim_bridge.acoustics import sounds
from sim_bridge.acoustics.sounds import PEAK_LIMIT, REFERENCE_RMS, RING_SAMPLES, load_sound, ring
from sim_bridge.errors import SoundError


def rms(signal_S: np.ndarray) -> float:
    return math.sqrt(np.square(signal_S, dtype=np.float64).mean())


def test_the_ring_is_seven_steps_of_mono_at_one_loudness() -> None:
    clip_S = load_sound("ring")
    assert clip_S.shape == (RING_SAMPLES,) == (7 * 2_400,)
    assert clip_S.dtype == np.float32
    assert rms(clip_S) == pytest.approx(REFERENCE_RMS, rel=0.01)
    assert np.abs(clip_S).max() <= PEAK_LIMIT


def test_the_ring_is_made_anew_to_the_same_samples() -> None:
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


def test_the_rings_loop_has_no_seam() -> None:
    clip_S = load_sound("ring")
    steps = np.abs(np.diff(clip_S))
    assert abs(clip_S[0] - clip_S[-1]) <= steps.max()


def test_changing_a_loaded_sound_leaves_the_next_one_alone() -> None:
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


def test_a_spiky_sound_is_limited_by_its_peak(tmp_path: Path) -> None:
    spikes_S = np.zeros(16_000)
    spikes_S[::4_000] = 1.0
    soundfile.write(tmp_path / "spikes.flac", spikes_S, 16_000)
    assert np.abs(load_sound(str(tmp_path / "spikes.flac"))).max() == pytest.approx(PEAK_LIMIT, rel=0.01)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.wav", None, "neither a shipped sound"),
        ("text.wav", b"this is no sound at all, only words", "no audio file"),
        ("empty.wav", b"", "no audio file"),
        ("cut.flac", b"fLaC\x00\x00\x00\x22", "no audio file"),
    ],
)
def test_unreadable_sounds_say_why(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with warnings.catch_warnings(), pytest.raises(SoundError, match=message):
        load_sound(str(path))


def test_folders_and_empty_silent_and_damaged_sounds_say_why(tmp_path: Path) -> None:
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


def test_endless_sounds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "_LONGEST_SECONDS", 0.5)
    soundfile.write(tmp_path / "long.wav", np.ones(16_000), 16_000)
    with pytest.raises(SoundError, match="longer than"):
        load_sound(str(tmp_path / "long.wav"))
