"""What sounds: the telephone ring that AVW makes itself, and any audio file of the user's.

Every sound is mono, looped, at the rate asked for (16 kHz unless said), and brought to one loudness: RMS 0.1, or
less where its peak would pass 0.5.
"""

from __future__ import annotations

import math
import shutil
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import fft

from avw.sim_bridge.errors import SoundError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import SAMPLE_RATE

RING_SAMPLES = 16_800  # 1.05 s, seven steps
REFERENCE_RMS = 0.1
PEAK_LIMIT = 0.5
SOUNDS = ("ring",)
_LONGEST_SECONDS = 600.0
_RATES = (16_000, 48_000)  # Hz: what may be asked for; a file may have any
_MOST_CHANNELS = 64

# A gong's partials: frequency ratios of a small cup bell, pressure, decay in seconds while the clapper is away.
_PARTIALS = ((0.5, 0.5, 0.09), (1.0, 1.0, 0.09), (2.32, 0.8, 0.07), (4.25, 0.7, 0.05), (6.1, 0.6, 0.04))
_GONGS = (880.0, 1046.5)  # Hz, struck in turn
_STRIKES_PER_SECOND = 20.0
_CLICK = (0.5, 0.015)  # pressure and decay (s) of the noise of a strike
_RESTING_DECAY = 0.018  # seconds: after a burst's last strike the clapper rests on the gong
_BURSTS = ((0.0, 0.4), (0.525, 0.925))  # seconds: two bursts, pauses of 0.125 s


def load_sound(name: str, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """float32 (S,): a shipped sound ("ring") or an audio file, mono at `sample_rate` (Hz), at the one loudness.

    Raises SoundError for a name that is neither, and for a file that is unreadable, empty, silent or over 10 min.
    """
    if not (isinstance(sample_rate, int) and _RATES[0] <= sample_rate <= _RATES[1]):
        raise SoundError(f"sample rate {sample_rate!r}: expected a whole number of Hz from {_RATES[0]} to {_RATES[1]}")
    if name in SOUNDS:
        return ring().copy() if sample_rate == SAMPLE_RATE else _ring_at(sample_rate)
    path = Path(name)
    if path.is_dir():
        raise SoundError(f"sound {name!r} is a folder: name one audio file in it, or 'ring'")
    if not path.is_file():
        raise SoundError(f"no sound called {name!r}: neither a shipped sound ({', '.join(SOUNDS)}) nor a file")
    samples_CS, rate = _decode(path)
    if samples_CS.shape[1] == 0:
        raise SoundError(f"sound {name!r} holds no samples: choose another file")
    _refuse_endless(path, samples_CS.shape[1], rate)
    if not np.isfinite(samples_CS).all():
        raise SoundError(f"sound {name!r} holds values that are not finite: the file is damaged, choose another")
    mono_S = samples_CS.mean(axis=0, dtype=np.float64)
    if rate != sample_rate:
        from scipy import signal  # a third of a second to import, and the ring needs none of it

        divisor = math.gcd(rate, sample_rate)
        mono_S = signal.resample_poly(mono_S, sample_rate // divisor, rate // divisor)
    if np.abs(mono_S).max() < 1e-6:
        raise SoundError(f"sound {name!r} is silent: choose another file")
    return _levelled(mono_S)


@lru_cache(maxsize=1)
def ring() -> np.ndarray:
    """float32 (16800,): 1.05 s of an old telephone's bell, which loops without a seam; the same bytes everywhere.

    A clapper strikes two gongs in turn, 20 times a second, in two bursts of 0.4 s; each strike adds a short click
    of noise. Energy lies between 300 Hz and 7 kHz, so that level and time differences are both to be heard.
    """
    ringing_S = np.zeros(RING_SAMPLES)
    time_S = np.arange(RING_SAMPLES) / SAMPLE_RATE
    rng = keyed_rng("sound", "ring")
    for begin, end in _BURSTS:
        strikes = np.arange(begin, end - 1e-9, 1.0 / _STRIKES_PER_SECOND)
        for number, strike in enumerate(strikes):
            blow_S = _CLICK[0] * rng.uniform(-1.7, 1.7, RING_SAMPLES) * np.exp(-time_S / _CLICK[1])
            for ratio, level, decay in _PARTIALS:
                # Random phases keep the partials' peaks apart: a lower crest is a louder ring at the same peak.
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
    result = _levelled(fft.irfft(spectrum_F, RING_SAMPLES))
    result.flags.writeable = False
    return result


def _ring_at(sample_rate: int) -> np.ndarray:
    """The same ring at another rate, exactly: a loop that ends below 7.2 kHz is the sum of its harmonics at any."""
    count = round(RING_SAMPLES * sample_rate / SAMPLE_RATE)
    return _levelled(fft.irfft(fft.rfft(ring().astype(np.float64)), count) * (count / RING_SAMPLES))


def _refuse_endless(path: Path, samples: int, rate: int) -> None:
    if samples > _LONGEST_SECONDS * rate:
        raise SoundError(f"sound {str(path)!r} is longer than {_LONGEST_SECONDS:.0f} s: cut it, it is looped anyway")


def _levelled(mono_S: np.ndarray) -> np.ndarray:
    rms, peak = math.sqrt(np.square(mono_S).mean()), np.abs(mono_S).max()
    return (mono_S * min(REFERENCE_RMS / rms, PEAK_LIMIT / peak)).astype(np.float32)


def _decode(path: Path) -> tuple[np.ndarray, int]:
    """float (channels, samples) and the rate: by soundfile, else by pydub (which asks the user's ffmpeg)."""
    import soundfile

    try:
        with soundfile.SoundFile(str(path)) as file:
            # Both stand in the header: a hostile one must not make us reserve its memory.
            _refuse_endless(path, file.frames, file.samplerate)
            if file.channels > _MOST_CHANNELS:
                raise SoundError(f"sound {str(path)!r} has {file.channels} channels: {_MOST_CHANNELS} at most")
            return file.read(dtype="float32", always_2d=True).T, int(file.samplerate)
    except (soundfile.LibsndfileError, RuntimeError, TypeError, ValueError) as error:
        first = error
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydub warns at import when there is no ffmpeg; we say so below
            from pydub import AudioSegment
            from pydub.exceptions import PydubException

            errors = (PydubException, OSError, ValueError, KeyError, IndexError, EOFError)
            with path.open("rb") as stream:  # given a name, pydub leaves the file open when it fails
                clip = AudioSegment.from_file(stream)
    except ImportError as error:
        raise SoundError(f"cannot read sound {str(path)!r} ({first}), and pydub is not installed: {error}") from error
    except errors as error:
        tried = "there is no ffmpeg to ask"
        if shutil.which("ffmpeg"):
            tried = f"ffmpeg could not decode it either ({type(error).__name__})"
        raise SoundError(
            f"cannot read sound {str(path)!r}: it is no audio file that libsndfile knows ({first}), and {tried}; "
            "convert it to WAV, FLAC, OGG or MP3, or install ffmpeg"
        ) from error
    integers = np.array(clip.get_array_of_samples()).reshape(-1, clip.channels).T
    return integers.astype(np.float32) / float(1 << (8 * clip.sample_width - 1)), int(clip.frame_rate)
