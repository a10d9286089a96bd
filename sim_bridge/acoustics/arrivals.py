"""All sound that arrives at one position, and its rendering for a receiver that faces any direction.

`Arrivals` does not depend on the direction of the head; `render` turns it into a response. For roughly the first
0.1 s arrivals are rendered one by one, after that as a late field. A turn on the spot renders again but traces no rays.

Shapes: N emitters · I discrete paths · B octave bands · C channels · S samples · Q table entries ·
P A elevation and azimuth grid of the receiver.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft

from avw.sim_bridge.acoustics import emitter_kernels as kernels
from avw.sim_bridge.acoustics.bands import RINGING_SECONDS, band_responses, shelf_responses
from avw.sim_bridge.acoustics.hrtf import FRACTIONAL_CENTRE, fractional_delay
from avw.sim_bridge.acoustics.hrtf_grid import ELEVATION_STEP
from avw.sim_bridge.acoustics.late_field import LateField, late_field
from avw.sim_bridge.acoustics.receivers import Receiver, make_receiver
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS

_FADE_SECONDS = (0.05, 0.08)  # after the first arrival: the cross-fade from single arrivals to the late field
_LATEST_FADE = 0.2  # seconds: latest start of that cross-fade, however far away the source is
_EARLY_BLOCK = 1024  # samples: the early part's length is a multiple of this, so that few filter banks are cached
_LAGS = 65  # entries of the table of fractional delays, which spans one sample


@dataclass(frozen=True, slots=True)
class Arrivals:
    """All sound that arrives at one position from one source, with air absorption and distance applied.

    Emitters: arrival_N in samples · amplitude_NB, signed pressure · azimuth_N in radians, clockwise from -Z ·
    row_N: elevation in steps of 10 degrees above -90
    Discrete paths: arrival_I in samples · azimuth_I, elevation_I in radians · weight_IB: signed weights of the five
    low passes of `bands.shelf_responses`, then of the unfiltered impulse
    """

    arrival_N: np.ndarray
    amplitude_NB: np.ndarray
    azimuth_N: np.ndarray
    row_N: np.ndarray
    arrival_I: np.ndarray
    azimuth_I: np.ndarray
    elevation_I: np.ndarray
    weight_IB: np.ndarray

    @property
    def first(self) -> float:
        """Samples until the first arrival; infinite if nothing arrives."""
        return float(min(self.arrival_N.min(initial=np.inf), self.arrival_I.min(initial=np.inf)))


@dataclass(frozen=True, slots=True)
class PreparedReceiver:
    """A receiver at one sample rate and response length, in the table shapes that the kernels take.

    ir_PACS: its response for every direction of its grid · lag_QS: fractional delays · row_offset: rows between
    elevation -90 degrees and the lowest row of its grid
    """

    receiver: Receiver
    sample_rate: int
    n_samples: int
    ir_PACS: np.ndarray
    lag_QS: np.ndarray
    row_offset: int
    late: LateField


def prepare_receiver(layout: str, sample_rate: int, n_samples: int, sofa: str | None = None) -> PreparedReceiver:
    """The receiver called `layout`, ready for `render`; cached per process unless its head comes from `sofa`.

    Raises UsageError as `make_receiver` does.
    """
    if sofa is None:
        return _cached_receiver(layout, sample_rate, n_samples)
    return _prepare(make_receiver(layout, sample_rate, sofa), sample_rate, n_samples)


@lru_cache(maxsize=8)
def _cached_receiver(layout: str, sample_rate: int, n_samples: int) -> PreparedReceiver:
    return _prepare(make_receiver(layout, sample_rate), sample_rate, n_samples)


def _prepare(receiver: Receiver, sample_rate: int, n_samples: int) -> PreparedReceiver:
    rows, columns = receiver.gain_PACB.shape[:2]
    elevations = np.radians(90.0 - ELEVATION_STEP * np.arange(rows)[::-1])
    azimuths = np.arange(columns) * (2.0 * math.pi / columns)
    return PreparedReceiver(
        receiver=receiver,
        sample_rate=sample_rate,
        n_samples=n_samples,
        ir_PACS=np.array([[receiver.towards(a, e)[0] for a in azimuths] for e in elevations]),
        lag_QS=np.array([fractional_delay(k / (_LAGS - 1)) for k in range(_LAGS)]),
        row_offset=round(180.0 / ELEVATION_STEP) + 1 - rows,
        late=late_field(receiver, sample_rate, n_samples),
    )


def render(arrivals: Arrivals, yaw: float, prepared: PreparedReceiver, turn: int) -> np.ndarray:
    """float32 (C, S): the impulse response at a receiver whose yaw is `yaw` (radians).

    turn: number of bins by which the late field's noise carriers are rotated, see `LateField.add`.
    """
    receiver, rate, late = prepared.receiver, prepared.sample_rate, prepared.late
    channels, bands = receiver.channels, len(OCTAVE_BANDS)
    first = arrivals.first
    if first >= prepared.n_samples:
        return np.zeros((channels, prepared.n_samples), dtype=np.float32)
    fade_from = min(first + _FADE_SECONDS[0] * rate, _LATEST_FADE * rate)
    fade_to = fade_from + (_FADE_SECONDS[1] - _FADE_SECONDS[0]) * rate
    last = max(fade_to, arrivals.arrival_I.max(initial=0.0) + prepared.ir_PACS.shape[-1] + len(prepared.lag_QS[0]))
    early = -(-math.ceil(last + RINGING_SECONDS * rate) // _EARLY_BLOCK) * _EARLY_BLOCK
    early_CBS = np.zeros((channels, bands, early), dtype=np.float32)
    shelf_CBS = np.zeros((channels, bands - 1, early), dtype=np.float32)
    out_CS = np.zeros((channels, max(prepared.n_samples, early)), dtype=np.float32)
    energy_LGCB = np.zeros((late.bins, late.groups, channels, bands), dtype=np.float32)
    kernels.deposit(
        early_CBS,
        energy_LGCB,
        arrivals.arrival_N,
        arrivals.amplitude_NB,
        arrivals.azimuth_N,
        arrivals.row_N,
        prepared.row_offset,
        yaw,
        fade_from,
        fade_to,
        late.bin_samples,
        receiver.gain_PACB,
        receiver.delay_PAC,
        late.group_PA,
        late.share_PA,
    )
    kernels.deposit_paths(
        shelf_CBS,
        out_CS,
        arrivals.arrival_I,
        arrivals.azimuth_I,
        arrivals.elevation_I,
        arrivals.weight_IB,
        yaw,
        prepared.ir_PACS,
        receiver.delay_PAC,
        prepared.lag_QS,
        FRACTIONAL_CENTRE,
    )
    spectrum_CBF = fft.rfft(early_CBS, axis=-1)
    spectrum_CF = np.einsum("cbf,bf->cf", spectrum_CBF, band_responses(early, rate))
    if len(arrivals.weight_IB) and np.any(arrivals.weight_IB[:, :-1]):
        spectrum_CF += np.einsum("cbf,bf->cf", fft.rfft(shelf_CBS, axis=-1), shelf_responses(early, rate))
    out_CS[:, :early] += fft.irfft(spectrum_CF, early, axis=-1)
    out_CS = np.ascontiguousarray(out_CS[:, : prepared.n_samples])
    late.add(out_CS, energy_LGCB, first, fade_from, fade_to, turn)
    return out_CS
