"""Binaural cues of single clips and their errors: ITD, interaural coherence, pan score, and the slope of the level.

All signs agree with the side of the source, except the pan score, whose published definition is positive on the right:

    ITD      > 0: the left ear hears it first         ILD (`physical.py`) > 0: louder on the left
    pan score < 0: more energy on the left, p = (E_R - E_L) / (E_R + E_L)

The rule of `physical.py` for audible clips holds for every error: NaN where an ear of the *true* clip is below
-80 dBFS, because silence has no direction; predicted silence counts as an error.

There is no direct-to-reverberant ratio. It is defined on an impulse response, which the model does not predict: in a
step of 0.15 s of a source that keeps sounding, the direct sound of now overlaps the reverberation of earlier sound. The
interaural coherence (low in a diffuse field) and the slope of the level (how fast a ring decays) contain the part of it
that a clip contains.

Shape legend: N clips · E ears (0 left, 1 right) · S samples · F frequency bins · W windows inside a clip.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from avw.model.metrics.audio import FLOOR_DB
from avw.model.metrics.physical import audible, check_pair
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import SAMPLE_RATE

MAX_ITD = 1e-3  # seconds; the largest ITD of a human head is about 0.8 ms
OVERSAMPLING = 16  # of the correlation: 3.9 µs at 16 kHz
PAN_WINDOW = SAMPLE_RATE // 10  # samples: 100 ms
PAN_HOP = PAN_WINDOW // 2
LEVEL_FRAME = SAMPLE_RATE // 100  # samples: 10 ms


def itd_seconds(audio_NES: np.ndarray, *, full_scale: float = 1.0) -> np.ndarray:
    """float64 (N,): time by which the left ear leads: the peak of the phase-transformed cross-correlation (GCC-PHAT).

    Only bins in which both ears exceed noise of -80 dBFS take part. The phase transform gives every bin the same
    weight, so bins that contain nothing would add random phases. 0 where no bin takes part.
    """
    audio_NES = _ears(audio_NES)
    # In blocks, because the oversampled correlation of a clip has 0.3 MB.
    blocks = [_itd(audio_NES[first : first + 64], full_scale) for first in range(0, len(audio_NES), 64)]
    return np.concatenate([np.zeros(0), *blocks])


def _itd(audio_NES: np.ndarray, full_scale: float) -> np.ndarray:
    # Without a window, a tone leaks into all bins, and the phase transform makes them as loud as the tone.
    window_S = np.hanning(audio_NES.shape[-1] + 1)[:-1]
    size, left_NF, right_NF = _spectra(audio_NES * window_S)
    floor = 10.0 ** (FLOOR_DB / 20.0) * full_scale * np.sqrt(np.square(window_S).sum())  # white noise of this RMS
    heard_NF = (np.abs(left_NF) > floor) & (np.abs(right_NF) > floor)
    cross_NF = right_NF * np.conj(left_NF)
    phase_NF = np.where(heard_NF, cross_NF / np.where(heard_NF, np.abs(cross_NF), 1.0), 0.0)
    correlation = irfft(phase_NF, size * OVERSAMPLING, axis=-1)
    reach = round(MAX_ITD * SAMPLE_RATE * OVERSAMPLING)
    # Lag 0 first, then outwards, so that the smallest of equal peaks is chosen.
    lags = np.array(sorted(range(-reach, reach + 1), key=abs))
    best_N = lags[np.argmax(correlation[:, lags], axis=1)]
    return np.where(heard_NF.any(axis=1), best_N, 0) / (SAMPLE_RATE * OVERSAMPLING)


def _spectra(audio_NES: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """(length of the transform, left spectrum, right spectrum), padded so that lags within MAX_ITD do not wrap."""
    size = next_fast_len(audio_NES.shape[-1] + 2 * round(MAX_ITD * SAMPLE_RATE), real=True)
    left_NF, right_NF = np.moveaxis(rfft(audio_NES, size, axis=-1), 1, 0)
    return size, left_NF, right_NF


def itd_error_per_clip(predicted_NES: np.ndarray, true_NES: np.ndarray, *, full_scale: float = 1.0) -> np.ndarray:
    """float64 (N,): absolute difference of the ITDs in µs; NaN for inaudible clips."""
    check_pair(predicted_NES, true_NES)
    error_N = 1e6 * np.abs(
        itd_seconds(predicted_NES, full_scale=full_scale) - itd_seconds(true_NES, full_scale=full_scale)
    )
    return np.where(audible(true_NES, full_scale=full_scale), error_N, np.nan)


def coherence(audio_NES: np.ndarray) -> np.ndarray:
    """float64 (N,): interaural coherence in [0, 1], as IACC in ISO 3382-1: the largest absolute value of the normalised
    cross-correlation of the ears within ±1 ms. 0 for silence."""
    audio_NES = _ears(audio_NES)
    size, left_NF, right_NF = _spectra(audio_NES)
    correlation = irfft(right_NF * np.conj(left_NF), size, axis=-1)
    reach = round(MAX_ITD * SAMPLE_RATE)
    peak_N = np.abs(correlation[:, np.r_[0 : reach + 1, -reach:0]]).max(axis=1)
    energy_NE = np.square(audio_NES).sum(axis=-1)
    scale_N = np.sqrt(energy_NE[:, 0] * energy_NE[:, 1])
    return np.where(scale_N > 0.0, peak_N / np.where(scale_N > 0.0, scale_N, 1.0), 0.0)


def coherence_error_per_clip(predicted_NES: np.ndarray, true_NES: np.ndarray, *, full_scale: float = 1.0) -> np.ndarray:
    """float64 (N,): absolute difference of the interaural coherences; NaN for inaudible clips."""
    check_pair(predicted_NES, true_NES)
    error_N = np.abs(coherence(predicted_NES) - coherence(true_NES))
    return np.where(audible(true_NES, full_scale=full_scale), error_N, np.nan)


def pan_score(audio_NES: np.ndarray, *, full_scale: float = 1.0) -> np.ndarray:
    """float64 (N, W): p = (E_R - E_L) / (E_R + E_L) of windows of 100 ms, every 50 ms, in [-1, 1].

    Energies are raised to the floor of -80 dBFS, so p is 0 for silence. A shorter clip is one window.
    """
    audio_NES = _ears(audio_NES)
    width = min(PAN_WINDOW, audio_NES.shape[-1])
    power = np.square(np.lib.stride_tricks.sliding_window_view(audio_NES, width, axis=-1)[..., ::PAN_HOP, :])
    floor = full_scale**2 * 10.0 ** (FLOOR_DB / 10.0)
    left_NW, right_NW = np.moveaxis(np.maximum(power.mean(axis=-1), floor), 1, 0)
    return (right_NW - left_NW) / (right_NW + left_NW)


def pan_error_per_clip(predicted_NES: np.ndarray, true_NES: np.ndarray, *, full_scale: float = 1.0) -> np.ndarray:
    """float64 (N,): absolute difference of the pan scores, mean over the windows of a clip; NaN for inaudible clips."""
    check_pair(predicted_NES, true_NES)
    difference_NW = pan_score(predicted_NES, full_scale=full_scale) - pan_score(true_NES, full_scale=full_scale)
    return np.where(audible(true_NES, full_scale=full_scale), np.abs(difference_NW).mean(axis=1), np.nan)


def level_slope(audio_NES: np.ndarray, *, full_scale: float = 1.0) -> np.ndarray:
    """float64 (N,): least-squares slope of the level of both ears in frames of 10 ms, dB per second.

    Negative while a sound decays, positive at an onset. It is not a reverberation time or a direct-to-reverberant
    ratio (see above). Raises UsageError for clips shorter than two frames.
    """
    audio_NES = _ears(audio_NES)
    frames = audio_NES.shape[-1] // LEVEL_FRAME
    if frames < 2:
        raise UsageError(f"a slope needs at least {2 * LEVEL_FRAME} samples, got {audio_NES.shape[-1]}")
    framed = audio_NES[..., : frames * LEVEL_FRAME].reshape(*audio_NES.shape[:2], frames, LEVEL_FRAME)
    power = np.square(framed).mean(axis=(1, 3)) / full_scale**2
    level = 10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DB / 10.0)))
    time = np.arange(frames) * (LEVEL_FRAME / SAMPLE_RATE)
    time = time - time.mean()
    return level @ time / (time @ time)


def level_slope_error_per_clip(
    predicted_NES: np.ndarray, true_NES: np.ndarray, *, full_scale: float = 1.0
) -> np.ndarray:
    """float64 (N,): absolute difference of the slopes, dB per second; NaN for inaudible clips."""
    check_pair(predicted_NES, true_NES)
    error_N = np.abs(level_slope(predicted_NES, full_scale=full_scale) - level_slope(true_NES, full_scale=full_scale))
    return np.where(audible(true_NES, full_scale=full_scale), error_N, np.nan)


def _ears(audio_NES: np.ndarray) -> np.ndarray:
    audio_NES = np.asarray(audio_NES, np.float64)
    if audio_NES.ndim != 3 or audio_NES.shape[1] != 2:
        raise UsageError(f"expected binaural clips (N, 2, S), got shape {audio_NES.shape}")
    return audio_NES
