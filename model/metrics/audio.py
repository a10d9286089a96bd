"""Distance between predicted and true sound: log-spectral distance, spectral SSIM, multi-resolution STFT distance.

All compare short-time spectra of single steps (0.15 s) relative to a full-scale sine, with a floor of -80 dBFS.
Without a floor, differences between inaudible levels in the pauses of a sound would dominate the mean. All ignore
phase and treat each ear separately; differences between the ears are measured in `physical.py`.

Shape legend: N clips · E ears (0 left, 1 right) · S samples · T spectral frames · F frequency bins.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import rfft

from avw.model.metrics.vision import ssim_map
from avw.sim_bridge.errors import UsageError

FLOOR_DB = -80.0
WINDOW = 512  # samples: 32 ms at 16 kHz
RESOLUTIONS = (128, 512, 2048)  # samples: windows of 8, 32 and 128 ms, of the multi-resolution distance


def spectrogram_db(audio_NES: np.ndarray, *, full_scale: float = 1.0) -> np.ndarray:
    """float32 (N, E, T, F): Hann-windowed power spectra in dBFS, never below `FLOOR_DB`.

    0 dB is a sine of amplitude `full_scale` at the centre of a bin. Frames lie inside the clip, without padding, so
    2,400 samples give 15 frames of 257 bins. Raises UsageError for clips shorter than one window.
    """
    amplitude = _amplitude(audio_NES, WINDOW, full_scale)
    return 20.0 * np.log10(np.maximum(amplitude, np.float32(10.0 ** (FLOOR_DB / 20.0))))


def _amplitude(audio_NES: np.ndarray, width: int, full_scale: float) -> np.ndarray:
    """float32 (N, E, T, F): amplitude of each bin relative to a full-scale sine; Hann windows that overlap by 75 %."""
    audio_NES = np.asarray(audio_NES, np.float32)
    if audio_NES.ndim != 3 or audio_NES.shape[-1] < width:
        raise UsageError(f"expected clips (N, E, S) of at least {width} samples, got shape {audio_NES.shape}")
    window = np.hanning(width + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(audio_NES, width, axis=-1)[..., :: width // 4, :]
    return np.abs(rfft(frames * (window * np.float32(2.0 / (window.sum() * full_scale))), axis=-1))


def lsd_per_clip(predicted_NES: np.ndarray, true_NES: np.ndarray, *, full_scale: float = 1.0) -> np.ndarray:
    """float64 (N,): log-spectral distance in dB.

    Root mean square over the bins of a frame of the difference in dB, averaged over frames and ears.
    """
    _check_pair(predicted_NES, true_NES)
    a = spectrogram_db(predicted_NES, full_scale=full_scale)
    b = spectrogram_db(true_NES, full_scale=full_scale)
    return np.sqrt(np.square(a - b).mean(axis=-1)).mean(axis=(1, 2), dtype=np.float64)


def lsd(predicted_NES: np.ndarray, true_NES: np.ndarray, *, full_scale: float = 1.0) -> float:
    """Mean of `lsd_per_clip`, dB."""
    return float(lsd_per_clip(predicted_NES, true_NES, full_scale=full_scale).mean())


def spectral_ssim_per_clip(predicted_NES: np.ndarray, true_NES: np.ndarray, *, full_scale: float = 1.0) -> np.ndarray:
    """float64 (N,): SSIM of the two spectrograms, as images with a range of -80 to 0 dBFS; mean over ears.

    The window is a Gaussian of sigma 1 over 7x7 cells (56 ms x 190 Hz), because a step has only 15 frames.
    """
    _check_pair(predicted_NES, true_NES)
    a = spectrogram_db(predicted_NES, full_scale=full_scale) - np.float32(FLOOR_DB)
    b = spectrogram_db(true_NES, full_scale=full_scale) - np.float32(FLOOR_DB)
    similarity = ssim_map(a, b, data_range=-FLOOR_DB, sigma=1.0, radius=3)
    return similarity.reshape(len(similarity), -1).mean(axis=1, dtype=np.float64)


def spectral_ssim(predicted_NES: np.ndarray, true_NES: np.ndarray, *, full_scale: float = 1.0) -> float:
    """Mean of `spectral_ssim_per_clip`."""
    return float(spectral_ssim_per_clip(predicted_NES, true_NES, full_scale=full_scale).mean())


def multi_resolution_per_clip(
    predicted_NES: np.ndarray, true_NES: np.ndarray, *, full_scale: float = 1.0
) -> np.ndarray:
    """float64 (N,): multi-resolution STFT distance (Yamamoto et al. 2020, arXiv 1910.11480), mean over 3 resolutions of

        |A - Â| / |A|  +  mean |ln max(A, floor) - ln max(Â, floor)|

    A, Â: amplitudes of all bins, frames and ears (Frobenius norm). The first term, the spectral convergence, weighs
    loud bins, the second all bins alike. Windows of 8, 32 and 128 ms. NaN where the true clip is below the floor in
    all bins, because the first term is then not defined.
    """
    _check_pair(predicted_NES, true_NES)
    floor = np.float32(10.0 ** (FLOOR_DB / 20.0))
    total_N = np.zeros(len(true_NES))
    for width in RESOLUTIONS:
        a, b = (_amplitude(x, width, full_scale).reshape(len(true_NES), -1) for x in (true_NES, predicted_NES))
        norm_N = np.where((a > floor).any(axis=1), np.linalg.norm(a, axis=1), np.nan)
        logarithm = np.abs(np.log(np.maximum(a, floor)) - np.log(np.maximum(b, floor)))
        total_N += np.linalg.norm(a - b, axis=1) / norm_N + logarithm.mean(axis=1)
    return total_N / len(RESOLUTIONS)


def _check_pair(predicted: np.ndarray, true: np.ndarray) -> None:
    if predicted.shape != true.shape:
        raise UsageError(f"cannot compare sound of shape {predicted.shape} with sound of shape {true.shape}")
    if len(predicted) == 0:
        raise UsageError("there is no sound to compare: expected at least one clip (N, E, S)")
