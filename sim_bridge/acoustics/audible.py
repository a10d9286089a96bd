"""What reaches one position, and how a receiver there hears it whichever way it is turned.

Single arrivals in the first tenth of a second or so, the late field after it: `Audible` holds both without a
direction of the head, and `render` turns it into a response. Turning on the spot renders again and traces nothing.

Shapes: N emitters · I discrete paths · B octave bands · C channels · S samples · P A grid of the receiver.
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

_FADE_SECONDS = (0.05, 0.08)  # after the first arrival: where single arrivals give way to the late field
_LATEST_FADE = 0.2  # seconds: where they do at the latest, however far the source
_EARLY_BLOCK = 1024  # samples: lengths of the early part are multiples, so that few filter banks are needed
_LAGS = 65  # fractional delays in the table of one sample


@dataclass(frozen=True, slots=True)
class Audible:
    """What reaches one position from one source, air and distance included.

    Emitters: arrival_N in samples · amplitude_NB, signed · azimuth_N in radians clockwise from -Z · row_N: tens of
    degrees of elevation above -90
    Discrete paths: arrival_I in samples · azimuth_I, elevation_I in radians · weight_IB, signed, of
    `bands.shelf_responses` and of the bare impulse
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
class Ears:
    """A receiver at one rate and length of response, in the shapes that the kernels take.

    ir_PACS: its response for every direction of its grid · lag_QS: fractional delays · row_offset: of its lowest row
    above -90 degrees, in rows
    """

    receiver: Receiver
    sample_rate: int
    n_samples: int
    ir_PACS: np.ndarray
    lag_QS: np.ndarray
    row_offset: int
    late: LateField


def open_ears(layout: str, sample_rate: int, n_samples: int, sofa: str | None = None) -> Ears:
    """The receiver called `layout`; made once per process. Raises UsageError as `make_receiver` does."""
    if sofa is None:
        return _open_ears(layout, sample_rate, n_samples)
    return _make_ears(make_receiver(layout, sample_rate, sofa), sample_rate, n_samples)


@lru_cache(maxsize=8)
def _open_ears(layout: str, sample_rate: int, n_samples: int) -> Ears:
    return _make_ears(make_receiver(layout, sample_rate), sample_rate, n_samples)


def _make_ears(receiver: Receiver, sample_rate: int, n_samples: int) -> Ears:
    rows, columns = receiver.gain_PACB.shape[:2]
    elevations = np.radians(90.0 - ELEVATION_STEP * np.arange(rows)[::-1])
    azimuths = np.arange(columns) * (2.0 * math.pi / columns)
    return Ears(
        receiver=receiver,
        sample_rate=sample_rate,
        n_samples=n_samples,
        ir_PACS=np.array([[receiver.towards(a, e)[0] for a in azimuths] for e in elevations]),
        lag_QS=np.array([fractional_delay(k / (_LAGS - 1)) for k in range(_LAGS)]),
        row_offset=round(180.0 / ELEVATION_STEP) + 1 - rows,
        late=late_field(receiver, sample_rate, n_samples),
    )


def render(audible: Audible, yaw: float, ears: Ears, turn: int) -> np.ndarray:
    """float32 (C, S): what a receiver turned by `yaw` (radians) hears. turn: which noise carries the late field."""
    receiver, rate, late = ears.receiver, ears.sample_rate, ears.late
    channels, bands = receiver.channels, len(OCTAVE_BANDS)
    first = audible.first
    if first >= ears.n_samples:
        return np.zeros((channels, ears.n_samples), dtype=np.float32)
    fade_from = min(first + _FADE_SECONDS[0] * rate, _LATEST_FADE * rate)
    fade_to = fade_from + (_FADE_SECONDS[1] - _FADE_SECONDS[0]) * rate
    last = max(fade_to, audible.arrival_I.max(initial=0.0) + ears.ir_PACS.shape[-1] + len(ears.lag_QS[0]))
    early = -(-math.ceil(last + RINGING_SECONDS * rate) // _EARLY_BLOCK) * _EARLY_BLOCK
    early_CBS = np.zeros((channels, bands, early), dtype=np.float32)
    shelf_CBS = np.zeros((channels, bands - 1, early), dtype=np.float32)
    out_CS = np.zeros((channels, max(ears.n_samples, early)), dtype=np.float32)
    energy_LGCB = np.zeros((late.bins, late.groups, channels, bands), dtype=np.float32)
    kernels.deposit(
        early_CBS,
        energy_LGCB,
        audible.arrival_N,
        audible.amplitude_NB,
        audible.azimuth_N,
        audible.row_N,
        ears.row_offset,
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
        audible.arrival_I,
        audible.azimuth_I,
        audible.elevation_I,
        audible.weight_IB,
        yaw,
        ears.ir_PACS,
        receiver.delay_PAC,
        ears.lag_QS,
        FRACTIONAL_CENTRE,
    )
    spectrum_CBF = fft.rfft(early_CBS, axis=-1)
    spectrum_CF = np.einsum("cbf,bf->cf", spectrum_CBF, band_responses(early, rate))
    if len(audible.weight_IB) and np.any(audible.weight_IB[:, :-1]):
        spectrum_CF += np.einsum("cbf,bf->cf", fft.rfft(shelf_CBS, axis=-1), shelf_responses(early, rate))
    out_CS[:, :early] += fft.irfft(spectrum_CF, early, axis=-1)
    out_CS = np.ascontiguousarray(out_CS[:, : ears.n_samples])
    late.add(out_CS, energy_LGCB, first, fade_from, fade_to, turn)
    return out_CS
