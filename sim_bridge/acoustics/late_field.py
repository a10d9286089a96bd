"""The late field: dense reverberation from the energy that arrives in each time bin, even with few emitters.

Single late reflections are not perceived; the decay of their energy in each band and the side from which it comes are.
Their energy is collected in bins of 4 ms, smoothed over a window that grows with time (a decay changes more and more
slowly), and carried by noise of constant energy. Directions are collected in lateral groups. Each group has its own
carrier, which reaches every channel with the delay of that group. As a result, the ears are coherent below a few
hundred hertz, as in a real room, and time differences are kept in the tail; level differences are those of the single
arrivals.
Source for energy envelopes carried by shaped noise: M. Vorlaender, Auralization (2nd ed., 2020), ch. 11.

Shapes: G lateral groups · C channels · B octave bands · L bins · S samples · F frequencies · P A elevation and azimuth
grid of the receiver.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import fft

from avw.sim_bridge.acoustics.bands import band_responses
from avw.sim_bridge.acoustics.hrtf_grid import ELEVATION_STEP
from avw.sim_bridge.acoustics.receivers import Receiver
from avw.sim_bridge.randomness import keyed_rng

BIN_SECONDS = 0.004
_WINDOW_SHARE = 0.18  # half width of the smoothing window, as a fraction of the time since the first arrival
_WIDEST_SECONDS = 0.1  # largest half width of the window
MAX_WINDOW_DECAY = 1.2  # nepers over half a window; steeper decays get a narrower window
_LEVEL_SECONDS = 0.04  # window over which a carrier's energy is constant
_LATERAL = (-0.9, -0.3, 0.3, 0.9)  # sines of the lateral angles of the groups for two ears, left to right
_SILENCE = 1e-10  # the response ends when all later bins are below this fraction of the strongest bin


@dataclass(frozen=True, slots=True)
class LateField:
    """The noise carriers of one receiver; a pure function of (receiver, rate, length).

    carrier_CLGBS: float32, blocks of noise; each band has the power that it has in white noise of unit power
    group_PA: the lower of the two lateral groups that each direction of the grid lies between · share_PA: the share of
    the upper group · bin_samples: length S of a block
    """

    carrier_CLGBS: np.ndarray
    group_PA: np.ndarray
    share_PA: np.ndarray
    bin_samples: int

    @property
    def bins(self) -> int:
        return self.carrier_CLGBS.shape[1]

    @property
    def groups(self) -> int:
        return self.carrier_CLGBS.shape[2]

    def add(
        self, out_CS: np.ndarray, energy_LGCB: np.ndarray, first: float, fade_from: float, fade_to: float, turn: int
    ) -> None:
        """Add the sound of the bins to `out_CS`, in place.

        first: samples until the first arrival · fade_from, fade_to: samples between which the late field fades in ·
        turn: number of blocks by which the carriers are rotated, which selects a different noise
        """
        begin = max(0, int(fade_from / self.bin_samples) - 1)
        widest = max(1, round(_WIDEST_SECONDS / BIN_SECONDS))
        level_LGCB = smoothed(energy_LGCB, int(first / self.bin_samples), begin, _WINDOW_SHARE, widest)
        centre_L = (np.arange(len(level_LGCB)) + 0.5) * self.bin_samples
        fade_L = np.sin(0.5 * math.pi * np.clip((centre_L - fade_from) / max(fade_to - fade_from, 1.0), 0.0, 1.0))
        ramp_S = np.arange(self.bin_samples, dtype=np.float32) / np.float32(self.bin_samples)
        _synthesise(out_CS, level_LGCB, fade_L.astype(np.float32), self.carrier_CLGBS, turn % self.bins, ramp_S)


def late_field(receiver: Receiver, sample_rate: int, n_samples: int) -> LateField:
    """The late field of `receiver` for responses of `n_samples`; takes about 50 ms."""
    block = round(BIN_SECONDS * sample_rate)
    bins = -(-n_samples // block)
    length = bins * block  # circular, so that rotated carriers have no seam
    group_PA, share_PA, weight_GPA = _groups(receiver)
    bands_BF = band_responses(length, sample_rate)
    turn_F = -2j * math.pi * np.arange(length // 2 + 1) / length
    carriers = np.empty((receiver.channels, bins, len(weight_GPA), len(bands_BF), block), dtype=np.float32)
    for group, weight_PA in enumerate(weight_GPA):
        rng = keyed_rng("late field", sample_rate, group)
        white_F = fft.rfft(rng.integers(0, 2, length) * 2.0 - 1.0)
        level_BS = _flattened(fft.irfft(white_F * bands_BF, length, axis=-1), bands_BF, sample_rate)
        spectrum_BF = fft.rfft(level_BS, axis=-1)
        for channel in range(receiver.channels):
            delay = float((weight_PA * receiver.delay_PAC[..., channel]).sum() / weight_PA.sum())
            gain = float((weight_PA * receiver.gain_PACB[..., channel, :].mean(axis=-1)).sum())
            shifted_BS = fft.irfft(spectrum_BF * np.exp(turn_F * delay), length, axis=-1) * (1.0 if gain >= 0 else -1.0)
            carriers[channel, :, group] = np.moveaxis(shifted_BS.reshape(len(bands_BF), bins, block), 1, 0)
    carriers.flags.writeable = False
    return LateField(carriers, group_PA, share_PA, block)


def _groups(receiver: Receiver) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """group_PA, share_PA (of the upper group), and weight_GPA: how much of each direction belongs to each group.

    Two ears: four groups from left to right, blended, because time differences depend on the lateral angle. Signed
    gains (ambisonics): sixteen sectors (eight of azimuth, above and below the horizon) within which no gain changes
    its sign. One microphone: one group.
    """
    rows, columns = receiver.gain_PACB.shape[:2]
    elevation_P1 = np.radians(90.0 - ELEVATION_STEP * np.arange(rows)[::-1])[:, None]
    azimuth_1A = np.arange(columns)[None, :] * (2.0 * math.pi / columns)
    share_PA = np.zeros((rows, columns), dtype=np.float32)
    if receiver.channels == 1:
        group_PA = np.zeros((rows, columns), dtype=np.int64)
        count = 1
    elif (receiver.gain_PACB < 0.0).any():
        octant_PA = np.broadcast_to(np.floor(azimuth_1A / (math.pi / 4)), (rows, columns))
        group_PA = (octant_PA % 8 + 8 * (elevation_P1 > 0.0)).astype(np.int64)
        count = 16
    else:
        centres = np.array(_LATERAL)
        lateral_PA = np.clip(np.sin(azimuth_1A) * np.cos(elevation_P1), centres[0], centres[-1])
        place_PA = np.interp(lateral_PA, centres, np.arange(len(centres)))
        group_PA = np.minimum(np.floor(place_PA), len(centres) - 2).astype(np.int64)
        share_PA = (place_PA - group_PA).astype(np.float32)
        count = len(centres)
    weight_GPA = np.zeros((count, rows, columns))
    solid_PA = np.broadcast_to(np.cos(elevation_P1), (rows, columns))
    for group in range(count):
        weight_GPA[group] = solid_PA * np.where(group_PA == group, 1.0 - share_PA, 0.0)
        weight_GPA[group] += solid_PA * np.where(group_PA + 1 == group, share_PA, 0.0)
    return group_PA, share_PA, weight_GPA


def _flattened(noise_BS: np.ndarray, bands_BF: np.ndarray, sample_rate: int) -> np.ndarray:
    """Bands of noise, scaled so that every window of `_LEVEL_SECONDS` has the energy of that band of white noise."""
    count = noise_BS.shape[1]
    window_S = np.zeros(count)
    width = round(_LEVEL_SECONDS * sample_rate)
    window_S[:width] = np.hanning(width)
    window_S = np.roll(window_S / window_S.sum(), -(width // 2))
    local_BS = fft.irfft(fft.rfft(noise_BS**2, axis=-1) * fft.rfft(window_S), count, axis=-1)
    share_B1 = np.square(np.abs(bands_BF)).mean(axis=1, keepdims=True)
    return noise_BS * np.sqrt(share_B1 / np.maximum(local_BS, 1e-3 * share_B1))


@njit(cache=True, nogil=True)
def smoothed(energy_LGCB, first, start, share, widest):  # pragma: no cover - compiled
    """Energy per bin from bin `start` on, averaged over a window whose half width is `share` of the time since `first`.

    The half width m is at most `widest` bins. For a decay of slope k (nepers per bin), the mean over the window is too
    large by the factor sinh(k (m + 1/2)) / ((2 m + 1) sinh(k / 2)). This is corrected with the band's slope between the
    two halves of the window; where the decay is steep, the window is narrowed.
    """
    bins, groups, channels, bands = energy_LGCB.shape
    total = np.zeros((bins + 1, groups, channels, bands))
    band_total = np.zeros((bins + 1, bands))
    for i in range(bins):
        for b in range(bands):
            added = 0.0
            for g in range(groups):
                for c in range(channels):
                    total[i + 1, g, c, b] = total[i, g, c, b] + energy_LGCB[i, g, c, b]
                    added += energy_LGCB[i, g, c, b]
            band_total[i + 1, b] = band_total[i, b] + added
    out = np.zeros((bins, groups, channels, bands), dtype=np.float32)
    half = np.zeros(bands, dtype=np.int64)
    scale = np.zeros(bands)
    for i in range(start, bins):
        most = max(0, min(widest, int(share * (i - first) + 0.5), bins - 1 - i, i))
        for b in range(bands):
            m, factor = most, 1.0
            if m > 0:
                before = band_total[i, b] - band_total[i - m, b]
                after = band_total[i + m + 1, b] - band_total[i + 1, b]
                if before > 0.0 and after > 0.0:
                    slope = abs(math.log(before / after)) / (m + 1)
                    if slope * m > MAX_WINDOW_DECAY:
                        m = int(MAX_WINDOW_DECAY / slope)
                    if slope > 1e-4:
                        factor = (2 * m + 1) * math.sinh(0.5 * slope) / math.sinh(slope * (m + 0.5))
            half[b], scale[b] = m, factor / (2 * m + 1)
        for g in range(groups):
            for c in range(channels):
                for b in range(bands):
                    m = half[b]
                    out[i, g, c, b] = scale[b] * (total[i + m + 1, g, c, b] - total[i - m, g, c, b])
    return out


@njit(cache=True, nogil=True)
def _synthesise(out_CS, level_LGCB, fade_L, carrier_CLGBS, turn, ramp_S):  # pragma: no cover - compiled
    """Modulate the carriers with the levels; amplitudes are linear between the centres of neighbouring bins."""
    bins, groups, channels, bands = level_LGCB.shape
    block = len(ramp_S)
    samples = out_CS.shape[1]
    strongest = level_LGCB.max()
    last = -1
    for i in range(bins):
        if level_LGCB[i].max() > np.float32(_SILENCE) * strongest:
            last = i
    amplitude = np.zeros((bins, groups, channels, bands), dtype=np.float32)
    for i in range(last + 1):
        if fade_L[i] > 0.0:
            amplitude[i] = fade_L[i] * np.sqrt(level_LGCB[i] / np.float32(block))
    part_S = np.zeros(block, dtype=np.float32)
    for c in range(channels):
        for i in range(last + 1):
            begin = i * block + block // 2
            following = min(i + 1, bins - 1)
            if begin >= samples or (fade_L[i] == 0.0 and fade_L[following] == 0.0):
                continue
            source = (i + turn) % bins
            part_S[:] = np.float32(0.0)
            for g in range(groups):
                for b in range(bands):
                    start = amplitude[i, g, c, b]
                    rise = amplitude[following, g, c, b] - start
                    if start != 0.0 or rise != 0.0:
                        carrier_S = carrier_CLGBS[c, source, g, b]
                        for s in range(block):
                            part_S[s] += (start + rise * ramp_S[s]) * carrier_S[s]
            for s in range(min(block, samples - begin)):
                out_CS[c, begin + s] += part_S[s]
