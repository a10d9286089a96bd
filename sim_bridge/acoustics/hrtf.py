"""The head: MIT KEMAR's head-related impulse responses as minimum phase plus delay, on a regular grid.

The measurements (Gardner & Martin 1994, see data/NOTICE) carry the loudspeaker, the ear canal and up to 21
samples of latency with pre-ringing. They are equalised by their own diffuse-field mean, which leaves level and
time *differences* between directions and ears as measured, and turned into minimum phase plus a delay relative
to the centre of the head: the near ear's is negative. Elevations below -40 degrees sound as from -40.

Angles: azimuth clockwise seen from above (0 ahead, 90 right), elevation upwards; degrees in the tables.
Shapes: P elevations · A azimuths · E ears · S taps · B octave bands.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from scipy import fft

from sim_bridge.acoustics.bands import band_responses
from sim_bridge.errors import UsageError
from sim_bridge.types import SAMPLE_RATE

TAPS = 64
AZIMUTH_STEP = 5.0
ELEVATION_STEP = 10.0
LOWEST_ELEVATION = -40.0
FRACTIONAL_TAPS = 16
FRACTIONAL_CENTRE = FRACTIONAL_TAPS // 2 - 1
_N_FFT = 512
_DELAY_BAND = (200.0, 3000.0)  # Hz: where the delay is measured; above it the ear's own resonances blur it


@dataclass(frozen=True, kw_only=True, slots=True)
class Hrtf:
    """Responses on a grid of 14 elevations (-40..90) by 72 azimuths (0..355).

    ir_PAES: minimum phase, float64; the mean energy of the two ears straight ahead is 1
    delay_PAE: samples, relative to the arrival at the centre of the head
    gain_PAEB: float32, amplitude of each octave band (root of the mean power in it)
    """

    ir_PAES: np.ndarray
    delay_PAE: np.ndarray
    gain_PAEB: np.ndarray

    def towards(self, azimuth: float, elevation: float) -> tuple[np.ndarray, np.ndarray]:
        """ir_ES and delay_E (samples) for sound from `azimuth`, `elevation` (radians), bilinear on the grid."""
        column = math.degrees(azimuth) / AZIMUTH_STEP % self.ir_PAES.shape[1]
        row = (math.degrees(elevation) - LOWEST_ELEVATION) / ELEVATION_STEP
        row = min(max(row, 0.0), self.ir_PAES.shape[0] - 1.0)
        p0, a0 = int(row), int(column)
        p1, a1 = min(p0 + 1, self.ir_PAES.shape[0] - 1), (a0 + 1) % self.ir_PAES.shape[1]
        a0 %= self.ir_PAES.shape[1]
        v, u = row - p0, column - int(column)
        weights = ((p0, a0, (1 - v) * (1 - u)), (p0, a1, (1 - v) * u), (p1, a0, v * (1 - u)), (p1, a1, v * u))
        ir_ES = sum((w * self.ir_PAES[p, a] for p, a, w in weights), np.zeros(self.ir_PAES.shape[2:]))
        delay_E = sum((w * self.delay_PAE[p, a] for p, a, w in weights), np.zeros(2))
        return ir_ES, delay_E


def load_hrtf(sample_rate: int = SAMPLE_RATE) -> Hrtf:
    """The shipped KEMAR head. Raises UsageError for any rate but 16 kHz, the rate of the stored responses."""
    if sample_rate != SAMPLE_RATE:
        raise UsageError(f"the shipped head is measured at {SAMPLE_RATE} Hz, not {sample_rate} Hz: use {SAMPLE_RATE}")
    return _load_kemar()


@lru_cache(maxsize=1)
def _load_kemar() -> Hrtf:
    with np.load(str(files("sim_bridge.acoustics").joinpath("data/kemar_16k.npz")), allow_pickle=False) as data:
        measured_NES = np.moveaxis(data["ir"] * np.float64(data["scale"]), 1, 2)
        azimuth_N, elevation_N = data["az"].astype(np.float64), data["el"].astype(np.float64)
    measured_NES = measured_NES[:, ::-1]  # channel 0 is the ear at azimuth 90, our right ear, number 1

    spectrum_NEF = np.abs(fft.rfft(measured_NES, _N_FFT, axis=-1))
    delay_NE = _delay(measured_NES, _minimum_phase(spectrum_NEF))
    ahead = int(np.flatnonzero((azimuth_N == 0.0) & (elevation_N == 0.0))[0])
    delay_NE -= delay_NE[ahead].mean()

    weight_N = _solid_angles(elevation_N)
    diffuse_F = np.sqrt((weight_N[:, None, None] * spectrum_NEF**2).sum(axis=0).mean(axis=0))
    ir_NES = _minimum_phase(spectrum_NEF / diffuse_F)[..., :TAPS]
    ir_NES /= math.sqrt(np.square(ir_NES[ahead]).sum(axis=-1).mean())

    ir_PAES = _mirrored(_on_grid(azimuth_N, elevation_N, ir_NES))
    delay_PAE = _mirrored(_on_grid(azimuth_N, elevation_N, delay_NE))
    bands_BF = np.square(np.abs(band_responses(_N_FFT, SAMPLE_RATE)))
    bands_BF /= bands_BF.sum(axis=1, keepdims=True)
    power_PAEF = np.square(np.abs(fft.rfft(ir_PAES, _N_FFT, axis=-1)))
    gain_PAEB = np.sqrt(power_PAEF @ bands_BF.T).astype(np.float32)
    return Hrtf(ir_PAES=ir_PAES, delay_PAE=delay_PAE, gain_PAEB=gain_PAEB)


def fractional_delay(fraction: float) -> np.ndarray:
    """(16,) taps that delay by FRACTIONAL_CENTRE + `fraction` samples (0..1): a Kaiser-windowed sinc.

    It reaches 7 samples (0.44 ms at 16 kHz) before its centre, and passes 0..6.5 kHz within 0.5 dB.
    """
    offsets = np.arange(FRACTIONAL_TAPS) - FRACTIONAL_CENTRE - fraction
    window = np.i0(6.0 * np.sqrt(np.maximum(0.0, 1.0 - (offsets / (FRACTIONAL_TAPS / 2)) ** 2))) / np.i0(6.0)
    taps = np.sinc(offsets) * window
    return taps / taps.sum()


def _minimum_phase(magnitude_F: np.ndarray) -> np.ndarray:
    """The minimum-phase response (..., n_fft) of a one-sided magnitude, by folding the real cepstrum."""
    floor = magnitude_F.max(axis=-1, keepdims=True) * 1e-4
    cepstrum = fft.irfft(np.log(np.maximum(magnitude_F, floor)), axis=-1)
    half = cepstrum.shape[-1] // 2
    cepstrum[..., 1:half] *= 2.0
    cepstrum[..., half + 1 :] = 0.0
    return fft.irfft(np.exp(fft.rfft(cepstrum, axis=-1)), axis=-1)


def _delay(measured_NES: np.ndarray, minimum_NES: np.ndarray, oversampling: int = 4) -> np.ndarray:
    """Samples by which each measured response lags its minimum-phase twin: the peak of their correlation."""
    cross = fft.rfft(measured_NES, _N_FFT, axis=-1) * np.conj(fft.rfft(minimum_NES, _N_FFT, axis=-1))
    hertz = fft.rfftfreq(_N_FFT, 1.0 / SAMPLE_RATE)
    cross *= (hertz >= _DELAY_BAND[0]) & (hertz <= _DELAY_BAND[1])
    correlation = fft.irfft(cross, _N_FFT * oversampling, axis=-1)[..., : TAPS * oversampling]
    peak_NE = correlation.argmax(axis=-1)
    around = np.clip(peak_NE[..., None] + np.array([-1, 0, 1]), 0, TAPS * oversampling - 1)
    before, at, after = np.moveaxis(np.take_along_axis(correlation, around, axis=-1), -1, 0)
    vertex = 0.5 * (before - after) / np.minimum(before - 2.0 * at + after, -1e-30)  # of the parabola through three
    return (peak_NE + np.clip(vertex, -0.5, 0.5)) / oversampling


def _solid_angles(elevation_N: np.ndarray) -> np.ndarray:
    """Weights that add up to 1: each ring's share of the sphere, divided among its directions."""
    rings, index_N, count = np.unique(elevation_N, return_inverse=True, return_counts=True)
    half = math.radians(ELEVATION_STEP / 2)
    top = np.sin(np.minimum(np.radians(rings) + half, math.pi / 2))
    share = (top - np.sin(np.radians(rings) - half)) / count
    return share[index_N] / share[index_N].sum()


def _on_grid(azimuth_N: np.ndarray, elevation_N: np.ndarray, value_N: np.ndarray) -> np.ndarray:
    """Values (P, A, ...) on the regular grid: linear in azimuth around each measured ring of elevation."""
    grid_A = np.arange(0.0, 360.0, AZIMUTH_STEP)
    rows = []
    for elevation in np.arange(LOWEST_ELEVATION, 90.0 + ELEVATION_STEP / 2, ELEVATION_STEP):
        ring = np.flatnonzero(elevation_N == elevation)
        ring = ring[np.argsort(azimuth_N[ring])]
        angle, value = azimuth_N[ring], value_N[ring]
        angle = np.concatenate([angle[-1:] - 360.0, angle, angle[:1] + 360.0])
        value = np.concatenate([value[-1:], value, value[:1]])
        index_A = np.clip(np.searchsorted(angle, grid_A, side="right") - 1, 0, len(angle) - 2)
        u_A = (grid_A - angle[index_A]) / (angle[index_A + 1] - angle[index_A])
        u_A = u_A.reshape(-1, *(1,) * (value.ndim - 1))
        rows.append((1.0 - u_A) * value[index_A] + u_A * value[index_A + 1])
    return np.stack(rows)


def _mirrored(value_PAE: np.ndarray) -> np.ndarray:
    """The same head made exactly symmetric: the mean with its mirror image (left and right, and the ears, swapped)."""
    swapped = np.roll(value_PAE[:, ::-1], 1, axis=1)[:, :, ::-1]
    return 0.5 * (value_PAE + swapped)
