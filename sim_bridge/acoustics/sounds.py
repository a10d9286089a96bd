"""Sounds of sources: the telephone ring and others that AVW synthesises, and any audio file of the user.

Every sound is mono, looped, at the requested sample rate (16 kHz by default), and normalised to RMS 0.1, or to less if
its peak would exceed 0.5. Before that, a constant offset is removed from every channel, and the channels are averaged.
Channels that cancel each other in the mean (a phase fault, or a balanced line recorded as stereo) are not averaged: the
loudest channel is used.
"""

from __future__ import annotations

import math
import shutil
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import fft

from avw.sim_bridge.acoustics.synthesis import OTHERS, synthesised
from avw.sim_bridge.errors import SoundError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import SAMPLE_RATE

RING_SAMPLES = 16_800  # 1.05 s, seven steps
REFERENCE_RMS = 0.1
PEAK_LIMIT = 0.5
SOUNDS = ("ring", *OTHERS)
_MAX_SECONDS = 600.0
_RATES = (16_000, 48_000)  # Hz: range of the requested rate; a file may have any rate
_MAX_CHANNELS = 64
_OFFSET = 1e-3  # constant part of a channel relative to the rest, from which it is removed
_CANCELLED = 0.1  # RMS of the mean of the channels, relative to that of independent channels: -20 dB

# Partials of a gong: frequency ratios of a small cup bell, pressure, decay in seconds while the clapper is off it.
_PARTIALS = ((0.5, 0.5, 0.09), (1.0, 1.0, 0.09), (2.32, 0.8, 0.07), (4.25, 0.7, 0.05), (6.1, 0.6, 0.04))
_GONGS = (880.0, 1046.5)  # Hz, struck in turn
_STRIKES_PER_SECOND = 20.0
_CLICK = (0.5, 0.015)  # pressure and decay in seconds of the noise of a strike
_RESTING_DECAY = 0.018  # seconds: after the last strike of a burst the clapper rests on the gong
_BURSTS = ((0.0, 0.4), (0.525, 0.925))  # seconds: two bursts with pauses of 0.125 s


def load_sound(name: str, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """float32 (S,): a shipped sound (one of SOUNDS) or an audio file, mono at `sample_rate` (Hz), normalised (above).

    Raises SoundError for a sample rate outside 16 to 48 kHz, a name that is neither, and a file that is unreadable,
    empty, silent, not finite or longer than 10 minutes.
    """
    if not (isinstance(sample_rate, int) and _RATES[0] <= sample_rate <= _RATES[1]):
        raise SoundError(f"sample rate {sample_rate!r}: expected a whole number of Hz from {_RATES[0]} to {_RATES[1]}")
    if name in OTHERS:
        return _shipped(name, sample_rate).copy()
    if name in SOUNDS:
        return ring().copy() if sample_rate == SAMPLE_RATE else _ring_at(sample_rate)
    path = Path(name)
    if path.is_dir():
        raise SoundError(f"sound {name!r} is a folder: give one audio file in it, or 'ring'")
    if not path.is_file():
        raise SoundError(f"no sound called {name!r}: neither a shipped sound ({', '.join(SOUNDS)}) nor a file")
    samples_CS, rate = _decode(path)
    if samples_CS.shape[1] == 0:
        raise SoundError(f"sound {name!r} holds no samples: choose another file")
    _check_length(path, samples_CS.shape[1], rate)
    if not np.isfinite(samples_CS).all():
        raise SoundError(f"sound {name!r} holds values that are not finite: the file is damaged, choose another one")
    mono_S = _mono(samples_CS)
    if np.abs(mono_S).max() < 1e-6:
        raise SoundError(f"sound {name!r} is silent: choose another file")
    if rate != sample_rate:
        from scipy import signal  # takes 0.3 s to import, and the ring does not need it

        divisor = math.gcd(rate, sample_rate)
        mono_S = signal.resample_poly(mono_S, sample_rate // divisor, rate // divisor)
    return _normalised(mono_S)


@lru_cache(maxsize=1)
def ring() -> np.ndarray:
    """float32 (16800,): 1.05 s of an old telephone's bell that loops without a seam; the same bytes on every machine.

    A clapper strikes two gongs in turn, 20 times per second, in two bursts of 0.4 s; each strike adds a short click of
    noise. The energy lies between 300 Hz and 7 kHz, so that both level and time differences are audible.
    """
    ringing_S = np.zeros(RING_SAMPLES)
    time_S = np.arange(RING_SAMPLES) / SAMPLE_RATE
    rng = keyed_rng("sound", "ring")
    for begin, end in _BURSTS:
        strikes = np.arange(begin, end - 1e-9, 1.0 / _STRIKES_PER_SECOND)
        for number, strike in enumerate(strikes):
            blow_S = _CLICK[0] * rng.uniform(-1.7, 1.7, RING_SAMPLES) * np.exp(-time_S / _CLICK[1])
            for ratio, level, decay in _PARTIALS:
                # Random phases keep the partials' peaks apart: a lower crest factor is a louder ring at the same peak.
                tone_S = np.sin(2 * np.pi * (_GONGS[number % 2] * ratio * time_S + rng.random()))
                blow_S += level * tone_S * np.exp(-time_S / decay)
            if number == len(strikes) - 1:
                blow_S *= np.exp(-time_S / _RESTING_DECAY)
            ringing_S += np.roll(blow_S, round(strike * SAMPLE_RATE))  # circular, like the loop itself
    spectrum_F = fft.rfft(ringing_S)
    hertz_F = fft.rfftfreq(RING_SAMPLES, 1.0 / SAMPLE_RATE)
    rise_F = np.clip((hertz_F - 250.0) / 100.0, 0.0, 1.0)
    fall_F = np.clip((7200.0 - hertz_F) / 400.0, 0.0, 1.0)
    spectrum_F *= np.sin(np.pi / 2 * rise_F) ** 2 * np.sin(np.pi / 2 * fall_F) ** 2
    result = _normalised(fft.irfft(spectrum_F, RING_SAMPLES))
    result.flags.writeable = False
    return result


@lru_cache(maxsize=len(OTHERS))
def _shipped(name: str, sample_rate: int) -> np.ndarray:
    loop_S = synthesised(name)
    loop_S = loop_S - loop_S.mean()
    count = round(len(loop_S) * sample_rate / SAMPLE_RATE)
    return _normalised(fft.irfft(fft.rfft(loop_S)[: count // 2 + 1], count))


def _ring_at(sample_rate: int) -> np.ndarray:
    """The same ring at another rate, exactly: a loop limited to 7.2 kHz is the sum of its harmonics at any rate."""
    count = round(RING_SAMPLES * sample_rate / SAMPLE_RATE)
    return _normalised(fft.irfft(fft.rfft(ring().astype(np.float64)), count) * (count / RING_SAMPLES))


def _mono(samples_CS: np.ndarray) -> np.ndarray:
    """float64 (S,): the mean of the channels without their offsets, or the loudest channel if they cancel; 0 if silent.

    An offset can be far louder than the sound on it. What is left of a constant is the noise of its last bit, which
    counts as silence.
    """
    mono_S = samples_CS.mean(axis=0, dtype=np.float64)
    offset_C1 = samples_CS.mean(axis=1, dtype=np.float64, keepdims=True)
    rms_C = np.sqrt(np.square(samples_CS - offset_C1).mean(axis=1))
    rms_C = np.where(rms_C < _OFFSET * np.abs(offset_C1[:, 0]), 0.0, rms_C)
    loudest = int(rms_C.argmax())
    if rms_C[loudest] == 0.0:
        return np.zeros_like(mono_S)
    if np.abs(offset_C1).max() > _OFFSET * rms_C[loudest]:
        mono_S = mono_S - mono_S.mean()
    independent = math.sqrt(np.square(rms_C).sum()) / len(rms_C)
    if math.sqrt(np.square(mono_S - mono_S.mean()).mean()) < _CANCELLED * independent:
        mono_S = samples_CS[loudest].astype(np.float64)
        if abs(offset_C1[loudest, 0]) > _OFFSET * rms_C[loudest]:
            mono_S -= offset_C1[loudest, 0]
    return mono_S


def _check_length(path: Path, samples: int, rate: int) -> None:
    if samples > _MAX_SECONDS * rate:
        raise SoundError(f"sound {str(path)!r} is longer than {_MAX_SECONDS:.0f} s: cut it; sounds are looped anyway")


def _normalised(mono_S: np.ndarray) -> np.ndarray:
    """float32 (S,): at the RMS and peak that the module docstring states."""
    rms, peak = math.sqrt(np.square(mono_S).mean()), np.abs(mono_S).max()
    return (mono_S * min(REFERENCE_RMS / rms, PEAK_LIMIT / peak)).astype(np.float32)


def _decode(path: Path) -> tuple[np.ndarray, int]:
    """float32 (C, S) and the sample rate (Hz), decoded by soundfile, or else by pydub with the user's ffmpeg."""
    import soundfile

    try:
        with soundfile.SoundFile(str(path)) as file:
            # Both values come from the header: an untrusted file must not make us reserve memory.
            _check_length(path, file.frames, file.samplerate)
            if file.channels > _MAX_CHANNELS:
                raise SoundError(
                    f"sound {str(path)!r} has {file.channels} channels: at most {_MAX_CHANNELS} are supported"
                )
            return file.read(dtype="float32", always_2d=True).T, int(file.samplerate)
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError) as error:
        first = error
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydub warns at import if there is no ffmpeg; the error below says so
            from pydub import AudioSegment
            from pydub.exceptions import PydubException

            errors = (PydubException, OSError, ValueError, KeyError, IndexError, EOFError)
            with path.open("rb") as stream:  # if given a name, pydub leaves the file open when it fails
                clip = AudioSegment.from_file(stream)
    except ImportError as error:
        raise SoundError(f"cannot read sound {str(path)!r} ({first}), and pydub is not installed: {error}") from error
    except errors as error:
        tried = "ffmpeg is not installed"
        if shutil.which("ffmpeg"):
            tried = f"ffmpeg could not decode it either ({type(error).__name__})"
        raise SoundError(
            f"cannot read sound {str(path)!r}: not an audio file that libsndfile can decode ({first}), and {tried}; "
            "convert it to WAV, FLAC, OGG or MP3, or install ffmpeg"
        ) from error
    integers = np.array(clip.get_array_of_samples()).reshape(-1, clip.channels).T
    return integers.astype(np.float32) / float(1 << (8 * clip.sample_width - 1)), int(clip.frame_rate)
