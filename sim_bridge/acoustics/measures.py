"""Measures of room responses and binaural signals: decay times, clarity, level and time differences.

Most take an impulse response or a signal and return a float. ISO 3382-1 defines the room measures.
Shapes: E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import fft

from avw.sim_bridge.acoustics.bands import RINGING_SECONDS, band_responses
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import SAMPLE_RATE

_TINY = 1e-30


def onset(ir_S: np.ndarray, below_peak_db: float = 20.0) -> int:
    """Index of the first sample within `below_peak_db` of the peak. Raises UsageError for a silent response."""
    level_S = np.abs(ir_S)
    peak = float(level_S.max(initial=0.0))
    if peak <= 0.0:
        raise UsageError("a silent impulse response has no onset: no sound of the source reaches this listener")
    return int(np.argmax(level_S >= peak * 10.0 ** (-below_peak_db / 20.0)))


def decay_db(ir_S: np.ndarray) -> np.ndarray:
    """(S,) dB: Schroeder's backward integral of the energy, relative to its start."""
    energy_S = np.cumsum(np.square(ir_S[::-1], dtype=np.float64))[::-1]
    return 10.0 * np.log10(np.maximum(energy_S, _TINY) / max(energy_S[0], _TINY))


def decay_time(ir_S: np.ndarray, first_db: float, last_db: float, sample_rate: int = SAMPLE_RATE) -> float:
    """Seconds for a decay of 60 dB, from a line fitted between two levels (dB); nan if `last_db` is not reached."""
    decay_S = decay_db(ir_S[onset(ir_S) :])
    begin, end = int(np.argmax(decay_S <= first_db)), int(np.argmax(decay_S <= last_db))
    if end - begin < 2 or decay_S[-1] > last_db:
        return math.nan
    slope, _ = np.polyfit(np.arange(begin, end) / sample_rate, decay_S[begin:end], 1)
    return -60.0 / slope


def rt60(ir_S: np.ndarray, sample_rate: int = SAMPLE_RATE, *, span_db: float = 20.0) -> float:
    """Reverberation time in seconds, from the decay between -5 and -5 - `span_db` dB: T20 by default, T30 for 30."""
    return decay_time(ir_S, -5.0, -5.0 - span_db, sample_rate)


def edt(ir_S: np.ndarray, sample_rate: int = SAMPLE_RATE) -> float:
    """Early decay time in seconds: from the first 10 dB of the decay, extrapolated to 60 dB."""
    return decay_time(ir_S, 0.0, -10.0, sample_rate)


def c50(ir_S: np.ndarray, sample_rate: int = SAMPLE_RATE) -> float:
    """Clarity in dB: energy in the first 50 ms after the onset, relative to the energy after that."""
    return _early_to_late(ir_S, 0.050, sample_rate)


def drr(ir_S: np.ndarray, sample_rate: int = SAMPLE_RATE, direct_seconds: float = 0.0025) -> float:
    """Direct-to-reverberant ratio in dB: energy in the first `direct_seconds` after the onset, relative to the rest."""
    return _early_to_late(ir_S, direct_seconds, sample_rate)


def _early_to_late(ir_S: np.ndarray, seconds: float, sample_rate: int) -> float:
    split = onset(ir_S) + round(seconds * sample_rate)
    early = np.square(ir_S[:split], dtype=np.float64).sum()
    late = np.square(ir_S[split:], dtype=np.float64).sum()
    return 10.0 * math.log10(max(early, _TINY) / max(late, _TINY))


def level_db(signal_S: np.ndarray) -> float:
    """Energy of a response, or of any array, in dB relative to 1."""
    return 10.0 * math.log10(max(float(np.square(signal_S, dtype=np.float64).sum()), _TINY))


def ild_db(signal_ES: np.ndarray) -> float:
    """Interaural level difference in dB: left relative to right; negative for a source on the right."""
    return level_db(signal_ES[0]) - level_db(signal_ES[1])


def itd_seconds(
    signal_ES: np.ndarray, sample_rate: int = SAMPLE_RATE, cutoff: float = 1_500.0, longest: float = 1e-3
) -> float:
    """Interaural time difference in seconds: the delay of the left ear; positive for a source on the right.

    The lag of the peak of the ears' cross-correlation below `cutoff` Hz (above it, the lag is ambiguous by whole
    periods) within +-`longest` seconds, on a grid 16 times finer than the samples.
    """
    finer = 16
    n_fft = fft.next_fast_len(2 * signal_ES.shape[1], real=True)
    spectrum_EF = fft.rfft(signal_ES.astype(np.float64), n_fft, axis=-1)
    cross_F = spectrum_EF[0] * np.conj(spectrum_EF[1])
    cross_F[fft.rfftfreq(n_fft, 1.0 / sample_rate) > cutoff] = 0.0
    correlation = fft.irfft(cross_F, n_fft * finer)
    reach = round(longest * sample_rate * finer)
    lags = np.arange(-reach, reach + 1)
    return float(lags[np.argmax(correlation[lags])]) / (finer * sample_rate)


def octave_bands(ir_S: np.ndarray, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """(6, S): the response filtered into the octave bands from 125 Hz to 4 kHz."""
    n_fft = fft.next_fast_len(len(ir_S) + round(RINGING_SECONDS * sample_rate), real=True)
    spectrum_BF = fft.rfft(ir_S, n_fft) * band_responses(n_fft, sample_rate)
    return fft.irfft(spectrum_BF, n_fft, axis=-1)[:, : len(ir_S)]


def eyring_rt60(volume: float, area: float, absorption: float, air_db_per_metre: float = 0.0) -> float:
    """Eyring's reverberation time in seconds of a room with a diffuse field.

    volume: m^3 · area: m^2 · absorption: mean coefficient of the surfaces · air_db_per_metre: absorption by air
    """
    speed = 343.0
    air = air_db_per_metre * math.log(10.0) / 10.0  # energy attenuation per metre, nepers
    return 24.0 * math.log(10.0) / speed * volume / (-area * math.log(1.0 - absorption) + 4.0 * air * volume)


def difference_db(actual: np.ndarray, expected: np.ndarray) -> float:
    """Energy of the difference relative to the energy of `expected`, in dB; at least -200."""
    return max(level_db(actual - expected) - level_db(expected), -200.0)
