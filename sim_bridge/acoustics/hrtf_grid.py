"""Conversion of head-related responses measured in any directions to minimum phase plus delay on the regular grid.

1. *Rate.* Spectra are evaluated at the frequencies of the new rate's FFT, without a resampling filter.
2. *Delay.* The lag at which the correlation of a response with its minimum-phase version, limited to the band below
   1.5 kHz, is highest: the band in which listeners perceive time differences.
3. *Directions.* Log magnitude and delay are interpolated with barycentric weights on the triangles of the
   measurements' convex hull (the result is the minimum-phase response of a mean cepstrum). Around a pole that was not
   measured, the mean of the nearest ring is used, so that the differences between the ears vanish towards the pole as
   geometry requires.
4. *Colour.* The diffuse-field mean over directions and ears (loudspeaker, ear canal, microphone) is divided out.
   Below 175 Hz, where such loudspeakers radiate no sound and short responses have no resolution, the level fades to 1
   in every direction: a head does not obstruct long waves.
5. *Minimum phase*, by the real cepstrum; 6 ms long, with a fade-out over the last quarter.

Frame: +X right, +Y up, -Z ahead; azimuth clockwise seen from above.
Shapes: N measurements · U used measurements · T triangles · P elevations · A azimuths · E ears · S taps ·
F frequencies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import SAMPLE_RATE

AZIMUTH_STEP = 5.0  # degrees
ELEVATION_STEP = 10.0
_LOWEST = -40.0  # degrees: the lowest row of every grid, or lower if the head was measured lower
_TAP_SECONDS = 0.006
_CUT_SECONDS = 0.024  # length used of a measured response, from 1 ms before the earliest onset of all
_DELAY_BAND = (200.0, 1500.0)  # Hz
_FADE_BELOW = 175.0  # Hz
_LEVEL_BAND = 8000.0  # Hz: the level straight ahead is normalised over 0 to this frequency
_FLOOR = 1e-4  # -80 dB relative to the maximum: lower limit of a notch
_RATE_GRID = 25  # Hz


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredHead:
    """Responses as they were measured.

    ir_NES: impulse responses · delay_NE: samples by which to delay them further · direction_N3: unit vectors from the
    head
    """

    name: str
    sample_rate: int
    ir_NES: np.ndarray
    delay_NE: np.ndarray
    direction_N3: np.ndarray


def head_vectors(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """Unit vectors (..., 3) towards azimuths and elevations in radians."""
    across = np.cos(elevation)
    return np.stack([np.sin(azimuth) * across, np.sin(elevation) + 0 * azimuth, -np.cos(azimuth) * across], axis=-1)


def solid_angles(rows: int) -> np.ndarray:
    """(P,) weights with sum 1: each row's share of the sphere; the lowest row includes everything below it."""
    elevation_P = 90.0 - ELEVATION_STEP * np.arange(rows - 1, -1, -1)
    edges = np.concatenate([[-90.0], (elevation_P[1:] + elevation_P[:-1]) / 2, [90.0]])
    return np.diff(np.sin(np.radians(edges))) / 2.0


def regridded(measured: MeasuredHead, sample_rate: int, *, symmetric: bool) -> tuple[np.ndarray, np.ndarray]:
    """ir_PAES and delay_PAE at `sample_rate`. symmetric: average the head with its mirror image.

    Raises UsageError if the measurements have a gap on the horizon or do not surround the head, and for a sample rate
    that is not a multiple of 25 Hz.
    """
    lowest = math.degrees(math.asin(np.clip(measured.direction_N3[:, 1].min(), -1.0, 1.0)))
    rows = round((90.0 - min(_LOWEST, math.ceil(lowest / ELEVATION_STEP - 0.5) * ELEVATION_STEP)) / ELEVATION_STEP) + 1
    elevation_P = np.radians(90.0 - ELEVATION_STEP * np.arange(rows - 1, -1, -1))
    azimuth_A = np.radians(np.arange(0.0, 360.0, AZIMUTH_STEP))
    grid_PA3 = head_vectors(azimuth_A[None], elevation_P[:, None])
    rings = _pole_rings(measured)
    index_PA3, weight_PA3 = _enclosing(measured, rings, grid_PA3)

    # Transform only the measurements that the grid uses: dense sets have ten times as many.
    count = len(measured.ir_NES)
    used = np.unique(np.concatenate([index_PA3[index_PA3 < count], *[ring for _, ring in rings]]))
    log_UEF, delay_UE = _spectra_and_delays(measured, used, sample_rate)
    place = np.full(count + len(rings), -1)
    place[used] = np.arange(len(used))
    for number, (_, ring) in enumerate(rings):
        place[count + number] = len(log_UEF)
        log_UEF = np.concatenate([log_UEF, log_UEF[place[ring]].mean(axis=0, keepdims=True)])
        delay_UE = np.concatenate([delay_UE, delay_UE[place[ring]].mean(axis=0, keepdims=True)])
    log_PAEF = _blend(log_UEF, place[index_PA3], weight_PA3)
    delay_PAE = _blend(delay_UE, place[index_PA3], weight_PA3)
    if symmetric:
        log_PAEF, delay_PAE = _mirrored(log_PAEF), _mirrored(delay_PAE)

    hertz_F = np.linspace(0.0, sample_rate / 2, log_PAEF.shape[-1])
    log_PAEF -= _diffuse(log_PAEF)
    _extend_spectrum(log_PAEF, hertz_F, measured.sample_rate)
    ahead = rows - 1 - round(90.0 / ELEVATION_STEP)
    band_F = hertz_F <= _LEVEL_BAND
    power_F = np.exp(2.0 * log_PAEF[ahead, 0]).mean(axis=0)[band_F]
    log_PAEF -= 0.5 * math.log((power_F.sum() - 0.5 * (power_F[0] + power_F[-1])) / (len(power_F) - 1))
    taps = math.ceil(_TAP_SECONDS * sample_rate)
    fade_S = np.ones(taps)
    fade_S[-(taps // 4) :] = np.cos(np.pi / 2 * (np.arange(taps // 4) + 0.5) / (taps // 4)) ** 2
    ir_PAES = np.stack([_minimum_phase(log_AEF)[..., :taps] * fade_S for log_AEF in log_PAEF])
    return ir_PAES, delay_PAE - delay_PAE[ahead, 0].mean()


def _pole_rings(measured: MeasuredHead) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each pole more than 20 degrees from every measurement: its vector, and the nearest ring (indices)."""
    elevation_N = np.degrees(np.arcsin(np.clip(measured.direction_N3[:, 1], -1.0, 1.0)))
    poles = []
    for sign in (1.0, -1.0):
        reach = (sign * elevation_N).max()
        if reach < 70.0:
            poles.append((np.array([0.0, sign, 0.0]), np.flatnonzero(sign * elevation_N > reach - 5.0)))
    return poles


def _enclosing(
    measured: MeasuredHead, rings: list[tuple[np.ndarray, np.ndarray]], grid_PA3: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The three measurements around each grid direction, and their barycentric weights.

    Indices beyond the last measurement refer to the poles of `rings`.
    """
    from scipy.spatial import ConvexHull, QhullError  # takes 0.25 s to import

    ahead = grid_PA3.shape[0] - 1 - round(90.0 / ELEVATION_STEP)
    gap = math.degrees(math.acos(np.clip((grid_PA3[ahead] @ measured.direction_N3.T).max(axis=1).min(), -1.0, 1.0)))
    if gap > 30.0:
        raise UsageError(
            f"head {measured.name!r} has a gap on the horizon: one direction is {gap:.0f} degrees from the nearest "
            "measurement, and at most 30 can be interpolated; use a set that covers the whole horizon"
        )
    points_N3 = np.concatenate([measured.direction_N3, *[pole[None] for pole, _ in rings]])
    try:
        corners_T3 = ConvexHull(points_N3).simplices
    except QhullError as error:
        raise UsageError(
            f"the directions of head {measured.name!r} do not surround the head: use another file"
        ) from error
    triangle_T33 = points_N3[corners_T3]
    solid_T = np.abs(np.linalg.det(triangle_T33)) > 1e-10
    corners_T3, inverse_T33 = corners_T3[solid_T], np.linalg.inv(triangle_T33[solid_T])
    index_PA3 = np.empty(grid_PA3.shape, dtype=np.int64)
    weight_PA3 = np.empty(grid_PA3.shape)
    for row, grid_A3 in enumerate(grid_PA3):
        weight_AT3 = np.einsum("ai,tij->atj", grid_A3, inverse_T33)
        weight_AT3 /= np.maximum(weight_AT3.sum(axis=-1, keepdims=True), 1e-12)
        best_A = weight_AT3.min(axis=-1).argmax(axis=1)
        index_PA3[row] = corners_T3[best_A]
        weight_A3 = np.clip(weight_AT3[np.arange(len(grid_A3)), best_A], 0.0, 1.0)
        weight_PA3[row] = weight_A3 / weight_A3.sum(axis=-1, keepdims=True)
    return index_PA3, weight_PA3


def _spectra_and_delays(measured: MeasuredHead, used: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """log magnitude (U, E, F) on the new rate's frequencies, and delay (U, E) in samples of the new rate."""
    if measured.sample_rate % _RATE_GRID or sample_rate % _RATE_GRID:
        odd = measured.sample_rate if measured.sample_rate % _RATE_GRID else sample_rate
        raise UsageError(f"head {measured.name!r}: a sample rate of {odd} Hz is not a multiple of {_RATE_GRID} Hz")
    # The FFTs of both rates have the same frequencies if their lengths are proportional to the rates.
    unit = 2 * sample_rate // math.gcd(sample_rate, measured.sample_rate)
    n_fft = math.ceil(512 * sample_rate / SAMPLE_RATE / unit) * unit
    n_source = n_fft * measured.sample_rate // sample_rate
    level_NES = np.abs(measured.ir_NES)
    first = int((level_NES >= 0.1 * level_NES.max(axis=-1, keepdims=True)).argmax(axis=-1).min())
    start = max(0, first - measured.sample_rate // 1000)
    cut_UES = measured.ir_NES[used][..., start : start + min(n_source, round(_CUT_SECONDS * measured.sample_rate))]

    bins = n_fft // 2 + 1
    spectrum_UEF = fft.rfft(cut_UES, n_source, axis=-1)[..., :bins]
    magnitude_UEF = np.abs(spectrum_UEF)
    log_UEF = np.log(np.maximum(magnitude_UEF, _FLOOR * magnitude_UEF.max(axis=-1, keepdims=True)))
    if log_UEF.shape[-1] < bins:
        log_UEF = np.pad(log_UEF, ((0, 0), (0, 0), (0, bins - log_UEF.shape[-1])), mode="edge")
    minimum_UEF = fft.rfft(_minimum_phase(log_UEF), axis=-1)[..., : spectrum_UEF.shape[-1]]
    hertz_F = np.arange(spectrum_UEF.shape[-1]) * (sample_rate / n_fft)
    cross_UEF = spectrum_UEF * np.conj(minimum_UEF) * ((hertz_F >= _DELAY_BAND[0]) & (hertz_F <= _DELAY_BAND[1]))
    # In parts, because the oversampled correlations of a dense set would take half a gigabyte.
    lag_UE = np.concatenate([_peak(part_UEF, n_fft) for part_UEF in np.array_split(cross_UEF, 1 + len(used) // 256)])
    return log_UEF, lag_UE + measured.delay_NE[used] * (sample_rate / measured.sample_rate)


def _peak(cross_UEF: np.ndarray, n_fft: int, oversampling: int = 4) -> np.ndarray:
    """Lags (samples) of the highest correlation, given its spectrum, refined by a parabola through three values."""
    count = n_fft * oversampling
    correlation = fft.irfft(cross_UEF, count, axis=-1)[..., : count // 2]
    peak_UE = correlation.argmax(axis=-1)
    around = np.clip(peak_UE[..., None] + np.array([-1, 0, 1]), 0, count // 2 - 1)
    before, at, after = np.moveaxis(np.take_along_axis(correlation, around, axis=-1), -1, 0)
    vertex = 0.5 * (before - after) / np.minimum(before - 2.0 * at + after, -1e-30)
    return (peak_UE + np.clip(vertex, -0.5, 0.5)) / oversampling


def _blend(value_U: np.ndarray, index_PA3: np.ndarray, weight_PA3: np.ndarray) -> np.ndarray:
    """(P, A, ...): weighted mean of the values at the three corners around each grid direction."""
    spread = (..., *(None,) * (value_U.ndim - 1))
    return sum(
        (weight_PA3[..., corner][spread] * value_U[index_PA3[..., corner]] for corner in range(3)),
        np.zeros((*index_PA3.shape[:2], *value_U.shape[1:])),
    )


def _diffuse(log_PAEF: np.ndarray) -> np.ndarray:
    """(F,) log of the square root of the mean power over the sphere and both ears."""
    weight_P = solid_angles(len(log_PAEF))
    power_PF = np.stack([np.exp(2.0 * log_AEF).mean(axis=(0, 1)) for log_AEF in log_PAEF])
    return 0.5 * np.log((weight_P[:, None] * power_PF).sum(axis=0))


def _extend_spectrum(log_PAEF: np.ndarray, hertz_F: np.ndarray, measured_rate: int) -> None:
    """Fade to level 1 (log 0) at 0 Hz, and hold the last measured value up to Nyquist; in place."""
    log_PAEF *= np.sin(np.pi / 2 * np.minimum(hertz_F / _FADE_BELOW, 1.0)) ** 2
    last = int(np.searchsorted(hertz_F, 0.49 * measured_rate))
    if measured_rate < 2.0 * hertz_F[-1]:
        log_PAEF[..., last:] = log_PAEF[..., last : last + 1]


def _minimum_phase(log_F: np.ndarray) -> np.ndarray:
    """The minimum-phase response (..., n_fft) of a one-sided log magnitude, from the folded real cepstrum."""
    cepstrum = fft.irfft(log_F, axis=-1)
    half = cepstrum.shape[-1] // 2
    cepstrum[..., 1:half] *= 2.0
    cepstrum[..., half + 1 :] = 0.0
    return fft.irfft(np.exp(fft.rfft(cepstrum, axis=-1)), axis=-1)


def _mirrored(value_PAE: np.ndarray) -> np.ndarray:
    """The mean of a table and its mirror image (left and right swapped, and the ears swapped)."""
    swapped = np.roll(value_PAE[:, ::-1], 1, axis=1)[:, :, ::-1]
    return 0.5 * (value_PAE + swapped)
