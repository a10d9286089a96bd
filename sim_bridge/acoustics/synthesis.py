"""Sounds besides the ring, for the tasks with sounds that were not heard in training and for distractors.

Each is a loop without a seam, computed from closed forms. The energy of each lies between 200 Hz and 7 kHz.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import SAMPLE_RATE

OTHERS = ("alarm", "knock", "melody", "voice")
_SCALE = (523.25, 659.26, 783.99, 1046.5, 783.99, 659.26, 587.33, 493.88)  # Hz: two bars in C major
_VOWELS = ((730.0, 1090.0, 2440.0), (270.0, 2290.0, 3010.0), (300.0, 870.0, 2240.0), (660.0, 1720.0, 2410.0))  # Hz
_BANDWIDTHS = (90.0, 110.0, 170.0)  # Hz, of the three formants


def synthesised(name: str) -> np.ndarray:
    """float64 (S,): one period of a sound of OTHERS at 16 kHz, of any level."""
    makers: dict[str, Callable[[], np.ndarray]] = {"alarm": _alarm, "knock": _knock, "melody": _melody, "voice": _voice}
    return makers[name]()


def _alarm() -> np.ndarray:
    """An alarm clock: four beeps of 2.05 kHz with harmonics, then a pause; 1 s."""
    from scipy import signal  # takes 0.3 s to import

    time_S = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    gate_S = ((time_S % 0.15) < 0.075) & (time_S < 0.6)
    smooth_S = signal.fftconvolve(gate_S.astype(float), np.ones(80) / 80, mode="same")
    return smooth_S * sum(np.sin(2 * np.pi * 2050.0 * k * time_S) / k for k in (1, 2, 3))


def _knock() -> np.ndarray:
    """Three knocks on wood, then a pause; 1.2 s."""
    time_S = np.arange(round(1.2 * SAMPLE_RATE)) / SAMPLE_RATE
    rng = keyed_rng("sound", "knock")
    sound_S = np.zeros(len(time_S))
    for strike in (0.0, 0.22, 0.44):
        modes = ((310.0, 0.05, 1.0), (640.0, 0.04, 0.7), (1180.0, 0.025, 0.5), (2300.0, 0.012, 0.3))
        blow_S = sum(a * np.exp(-time_S / decay) * np.sin(2 * np.pi * f * time_S) for f, decay, a in modes)
        blow_S = blow_S + 0.6 * rng.standard_normal(len(time_S)) * np.exp(-time_S / 0.006)
        sound_S += np.roll(blow_S, round(strike * SAMPLE_RATE))
    return sound_S


def _melody() -> np.ndarray:
    """Plucked notes of 0.25 s with harmonics; 2 s."""
    count = SAMPLE_RATE // 4
    sound_S = np.zeros(len(_SCALE) * count)
    time_S = np.arange(len(sound_S)) / SAMPLE_RATE
    for number, pitch in enumerate(_SCALE):
        note_S = sum(
            np.sin(2 * np.pi * pitch * k * time_S) * np.exp(-time_S * k / 0.35) / k for k in range(1, 7)
        ) * np.minimum(time_S / 0.004, 1.0)
        sound_S += np.roll(note_S, number * count)
    return sound_S


def _voice() -> np.ndarray:
    """Four vowels of a voice whose pitch falls from 150 to 110 Hz, with pauses; 1.6 s."""
    from scipy import signal

    count = round(0.4 * SAMPLE_RATE)
    time_S = np.arange(count) / SAMPLE_RATE
    parts = []
    for formants in _VOWELS:
        pitch_S = 150.0 - 100.0 * time_S
        phase_S = np.cumsum(pitch_S) / SAMPLE_RATE
        glottis_S = np.diff(np.floor(phase_S), prepend=0.0)  # one pulse per period
        vowel_S = np.zeros(count)
        for number, (formant, width) in enumerate(zip(formants, _BANDWIDTHS, strict=True)):
            pole = np.exp(-np.pi * width / SAMPLE_RATE)
            turn = 2 * np.pi * formant / SAMPLE_RATE
            vowel_S += 0.7**number * signal.lfilter([1.0, -1.0], [1.0, -2 * pole * np.cos(turn), pole**2], glottis_S)
        envelope_S = np.clip(time_S / 0.03, 0.0, 1.0) * np.clip((0.34 - time_S) / 0.06, 0.0, 1.0)
        parts.append(vowel_S * envelope_S)
    return np.concatenate(parts)
