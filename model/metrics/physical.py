"""Physical consistency of predicted images and sound: ILD error, AV-lag error and AV-corr error.

The paper (arXiv 2512.00883) names these three metrics. Details that it does not give are defined here.

Shape legend: N clips · T time steps · H W image · C channels · E ears (0 left, 1 right) · S samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avw.model.metrics.audio import FLOOR_DB
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import STEP_SECONDS


def level_db(audio_NES: np.ndarray, *, full_scale: float = 1.0) -> np.ndarray:
    """float64 (N, E): RMS level of each ear, dB relative to an RMS of `full_scale`; -inf for digital silence."""
    power = np.square(np.asarray(audio_NES, np.float64)).mean(axis=-1) / full_scale**2
    with np.errstate(divide="ignore"):
        return 10.0 * np.log10(power)


def ild_db(audio_NES: np.ndarray) -> np.ndarray:
    """float64 (N,): interaural level difference 20 log10(RMS_left / RMS_right); NaN where both ears are silent."""
    level_NE = level_db(audio_NES)
    with np.errstate(invalid="ignore"):
        return level_NE[:, 0] - level_NE[:, 1]


def audible(audio_NES: np.ndarray, *, full_scale: float = 1.0) -> np.ndarray:
    """bool (N,): clips in which both ears are above -80 dBFS."""
    audible_NE: np.ndarray = level_db(audio_NES, full_scale=full_scale) > FLOOR_DB
    return np.logical_and.reduce(audible_NE, axis=1)


def ild_error_per_clip(predicted_NES: np.ndarray, true_NES: np.ndarray, *, full_scale: float = 1.0) -> np.ndarray:
    """float64 (N,): absolute difference of the ILDs in dB.

    NaN if an ear of the *true* clip is below -80 dBFS, because silence has no direction. The level of a predicted ear
    is raised to that floor, so that predicted silence counts as an error.
    """
    check_pair(predicted_NES, true_NES)
    predicted_NE = np.maximum(level_db(predicted_NES, full_scale=full_scale), FLOOR_DB)
    true_NE = level_db(true_NES, full_scale=full_scale)
    audible_N = audible(true_NES, full_scale=full_scale)
    error_N = np.full(len(true_NE), np.nan)
    difference_NE = predicted_NE[audible_N] - true_NE[audible_N]
    error_N[audible_N] = np.abs(difference_NE[:, 0] - difference_NE[:, 1])
    return error_N


def ild_error(predicted_NES: np.ndarray, true_NES: np.ndarray, *, full_scale: float = 1.0) -> float:
    """Mean of `ild_error_per_clip` over the audible clips, dB; NaN if no clip is audible."""
    error_N = ild_error_per_clip(predicted_NES, true_NES, full_scale=full_scale)
    audible_N = error_N[np.isfinite(error_N)]
    return float(audible_N.mean()) if len(audible_N) else float("nan")


MIN_STEPS = 5  # of a sequence: AV-lag needs at least four pairs of motion and sound


@dataclass(frozen=True, kw_only=True, slots=True)
class AvPeak:
    """The peak of the correlation between visual motion and sound energy.

    lag_seconds: positive if the sound follows the motion · correlation: height of the peak, in [-1, 1]
    """

    lag_seconds: float
    correlation: float


def motion_energy(rgb_THWC: np.ndarray) -> np.ndarray:
    """float64 (T-1,): root mean square of the change of the image from each step to the next, grey levels."""
    rgb_THWC = np.asarray(rgb_THWC, np.float32)
    change = np.square(rgb_THWC[1:] - rgb_THWC[:-1])
    return np.sqrt(change.reshape(len(change), -1).mean(axis=1, dtype=np.float64))


def sound_energy(audio_TES: np.ndarray) -> np.ndarray:
    """float64 (T,): RMS of each step over both ears, linear units."""
    return np.sqrt(np.square(np.asarray(audio_TES, np.float64)).mean(axis=(1, 2)))


def av_peak(rgb_THWC: np.ndarray, audio_TES: np.ndarray, *, max_lag: int = 8) -> AvPeak:
    """The peak of the cross-correlation between visual motion energy and sound energy of one sequence.

    audio[t] is the sound of the 0.15 s before frame t, so it is paired with the change from frame t-1 to t. Uses
    Pearson's correlation of the overlapping parts, for every lag of at most `max_lag` steps with at least four pairs.
    Among equal values, the smallest lag is chosen. The correlation with a constant series is 0.
    Raises UsageError for sequences of different length or with fewer than five steps.
    """
    if len(rgb_THWC) != len(audio_TES) or len(rgb_THWC) < MIN_STEPS:
        raise UsageError(
            f"AV-lag needs as many frames as sounds and at least {MIN_STEPS}, got {len(rgb_THWC)} frames and "
            f"{len(audio_TES)} sounds"
        )
    motion, sound = motion_energy(rgb_THWC), sound_energy(audio_TES)[1:]
    reach = min(max_lag, len(motion) - (MIN_STEPS - 1))
    best_lag, best = 0, -np.inf
    for lag in sorted(range(-reach, reach + 1), key=abs):
        a = motion[max(0, -lag) : len(motion) - max(0, lag)]
        b = sound[max(0, lag) : len(sound) - max(0, -lag)]
        value = _pearson(a, b)
        if value > best + 1e-12:
            best_lag, best = lag, value
    return AvPeak(lag_seconds=best_lag * STEP_SECONDS, correlation=best)


def av_errors(predicted: AvPeak, true: AvPeak) -> tuple[float, float]:
    """(AV-lag error in seconds, AV-corr error): differences between the predicted and the true peak."""
    return abs(predicted.lag_seconds - true.lag_seconds), abs(predicted.correlation - true.correlation)


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 1e-12 else 0.0


def check_pair(predicted: np.ndarray, true: np.ndarray) -> None:
    """Raises UsageError unless both are binaural clips (N, 2, S) of the same shape."""
    if predicted.shape != true.shape or predicted.ndim != 3 or predicted.shape[1] != 2:
        raise UsageError(f"expected two arrays (N, 2, S) of equal shape, got {predicted.shape} and {true.shape}")
