"""Head-related impulse responses as minimum phase plus delay, on a regular grid of directions.

The shipped head is MIT's KEMAR (Gardner & Martin 1994, see data/NOTICE) at 16 kHz; a user's own head comes from a SOFA
file at any rate. `hrtf_grid.py` documents the processing: level and time *differences* between directions and ears
stay as measured, and the spectrum that all directions have in common is removed.

Angles: azimuth clockwise seen from above (0 ahead, 90 right), elevation upwards; degrees in the tables. Rows are 10
degrees apart and the last one is straight up, so P rows reach down to 90 - 10 (P - 1) degrees: to -40 for KEMAR, whose
lowest of 14 rows also represents everything below. `elevation_row` finds the row of an angle for any P.

Shapes: P elevations · A azimuths · E ears · S taps · B octave bands · F frequencies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from scipy import fft

from avw.sim_bridge.acoustics.bands import band_responses
from avw.sim_bridge.acoustics.diffuse_field import DiffuseField, diffuse_field
from avw.sim_bridge.acoustics.hrtf_grid import AZIMUTH_STEP, ELEVATION_STEP, MeasuredHead, head_vectors, regridded
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.types import SAMPLE_RATE

TAPS = 96  # length of the shipped head's responses; see `Hrtf.taps` for any head
RATES = (16_000, 48_000)  # Hz: the lowest and highest supported sample rate
FRACTIONAL_TAPS = 32
FRACTIONAL_CENTRE = FRACTIONAL_TAPS // 2 - 1
_CUTOFF = 0.96  # fraction of Nyquist at which a fractional delay attenuates by 6 dB
_HEARING = 20_000.0  # Hz: a head measured up to this frequency supports any rate


@dataclass(frozen=True, kw_only=True, slots=True)
class Hrtf:
    """Responses on a grid of P elevations (the last is 90 degrees) by 72 azimuths (0 to 355 degrees).

    ir_PAES: minimum phase, float64; straight ahead, the mean power of both ears over 0 to 8 kHz is 1
    delay_PAE: samples relative to the arrival at the centre of the head; negative for the nearer ear
    gain_PAEB: float32 amplitude in each octave band (square root of the mean power in it)
    diffuse: response of the two ears to a diffuse field
    """

    name: str
    sample_rate: int
    ir_PAES: np.ndarray
    delay_PAE: np.ndarray
    gain_PAEB: np.ndarray
    diffuse: DiffuseField

    @property
    def taps(self) -> int:
        return int(self.ir_PAES.shape[-1])

    def towards(self, azimuth: float, elevation: float) -> tuple[np.ndarray, np.ndarray]:
        """ir_ES and delay_E (samples) for sound from `azimuth`, `elevation` (radians), interpolated bilinearly."""
        rows, columns = self.ir_PAES.shape[:2]
        column = math.degrees(azimuth) / AZIMUTH_STEP % columns
        row = rows - 1 - (90.0 - math.degrees(elevation)) / ELEVATION_STEP
        row = min(max(row, 0.0), rows - 1.0)
        p0, a0 = int(row), int(column)
        p1, a1 = min(p0 + 1, rows - 1), (a0 + 1) % columns
        v, u = row - p0, column - a0
        a0 %= columns
        weights = ((p0, a0, (1 - v) * (1 - u)), (p0, a1, (1 - v) * u), (p1, a0, v * (1 - u)), (p1, a1, v * u))
        ir_ES = sum((w * self.ir_PAES[p, a] for p, a, w in weights), np.zeros(self.ir_PAES.shape[2:]))
        delay_E = sum((w * self.delay_PAE[p, a] for p, a, w in weights), np.zeros(2))
        return ir_ES, delay_E


def elevation_row(elevation_N: np.ndarray, rows: int) -> np.ndarray:
    """int (N,): the row, in a grid of `rows` elevations, nearest to each elevation (radians)."""
    below_top_N = np.floor((90.0 - np.degrees(elevation_N)) / ELEVATION_STEP + 0.5).astype(np.int64)
    return np.clip(rows - 1 - below_top_N, 0, rows - 1)


def load_hrtf(sample_rate: int = SAMPLE_RATE, sofa: str | Path | None = None) -> Hrtf:
    """The shipped KEMAR head, or the one in the SOFA file `sofa`, at `sample_rate` (Hz, 16 to 48 kHz).

    A SOFA file of another rate is resampled. A file whose bandwidth ends below both the engine's bandwidth and 20 kHz
    is refused, because the missing frequencies are unknown. Raises UsageError for that, for an unsupported rate, and
    for a file that is missing or not a SOFA head.
    """
    if not (isinstance(sample_rate, int) and RATES[0] <= sample_rate <= RATES[1]):
        raise UsageError(f"sample rate {sample_rate!r}: expected a whole number of Hz from {RATES[0]} to {RATES[1]}")
    if sofa is None:
        if sample_rate != SAMPLE_RATE:
            raise UsageError(
                f"binaural sound at {sample_rate} Hz needs your own head, as a SOFA file: the shipped KEMAR is "
                f"sampled at {SAMPLE_RATE} Hz and holds nothing above {SAMPLE_RATE // 2} Hz; pass a SOFA file, use "
                f"{SAMPLE_RATE} Hz, or use the layout mono or foa"
            )
        return _load_kemar()
    path = Path(sofa)
    try:
        status = path.stat()
    except OSError as error:
        raise UsageError(f"no SOFA file {str(sofa)!r} ({error.strerror}): check the path") from error
    return _load_sofa(str(path.resolve()), status.st_mtime_ns, status.st_size, sample_rate)


def measured_kemar() -> MeasuredHead:
    """MIT's 710 measurements as shipped, which include the loudspeaker, the ear canal and the latency."""
    with np.load(str(files(__package__).joinpath("data/kemar_16k.npz")), allow_pickle=False) as data:
        ir_NES = np.moveaxis(data["ir"] * np.float64(data["scale"]), 1, 2)
        direction_N3 = head_vectors(np.radians(data["az"], dtype=np.float64), np.radians(data["el"], dtype=np.float64))
    return MeasuredHead(
        name="MIT KEMAR",
        sample_rate=SAMPLE_RATE,
        ir_NES=ir_NES[:, ::-1],  # their channel 0 is the ear at azimuth 90, our right ear, index 1
        delay_NE=np.zeros(ir_NES.shape[:2]),
        direction_N3=direction_N3,
    )


@lru_cache(maxsize=1)
def _load_kemar() -> Hrtf:
    return _head(measured_kemar(), SAMPLE_RATE, symmetric=True)


@lru_cache(maxsize=4)
def _load_sofa(path: str, _modified: int, _size: int, sample_rate: int) -> Hrtf:
    """The head in a file, cached until the file changes."""
    from avw.sim_bridge.acoustics.sofa import read_sofa  # imports h5py, which nothing else here needs

    measured = read_sofa(path)
    if measured.sample_rate / 2 < min(sample_rate / 2, _HEARING):
        raise UsageError(
            f"SOFA file {path!r} is sampled at {measured.sample_rate} Hz and holds nothing above "
            f"{measured.sample_rate / 2:.0f} Hz: not enough for {sample_rate} Hz; use at most "
            f"{measured.sample_rate} Hz, or another file"
        )
    return _head(measured, sample_rate, symmetric=False)


def _head(measured: MeasuredHead, sample_rate: int, *, symmetric: bool) -> Hrtf:
    ir_PAES, delay_PAE = regridded(measured, sample_rate, symmetric=symmetric)
    n_fft = 512 * sample_rate // SAMPLE_RATE // 2 * 2
    bands_BF = np.square(np.abs(band_responses(n_fft, sample_rate)))
    bands_BF /= bands_BF.sum(axis=1, keepdims=True)
    power_PAEF = np.square(np.abs(fft.rfft(ir_PAES, n_fft, axis=-1)))
    gain_PAEB = np.sqrt(power_PAEF @ bands_BF.T).astype(np.float32)
    return Hrtf(
        name=measured.name,
        sample_rate=sample_rate,
        ir_PAES=ir_PAES,
        delay_PAE=delay_PAE,
        gain_PAEB=gain_PAEB,
        diffuse=diffuse_field(ir_PAES, delay_PAE, gain_PAEB, bands_BF, sample_rate),
    )


def fractional_delay(fraction: float) -> np.ndarray:
    """(32,) taps that delay by FRACTIONAL_CENTRE + `fraction` samples (0..1): a Kaiser-windowed sinc.

    It starts 15 samples (0.94 ms at 16 kHz) before its centre and passes 0 to 0.9 of Nyquist (7.2 kHz) within 0.6 dB.
    Its cutoff is a little below Nyquist, so that its level is the same (within 0.1 dB up to there) for every fraction.
    The two ears have different fractions; with a level that depends on the fraction, their level difference in the
    highest octave would be wrong and would fluctuate during a walk.
    """
    offsets = np.arange(FRACTIONAL_TAPS) - FRACTIONAL_CENTRE - fraction
    window = np.i0(4.0 * np.sqrt(np.maximum(0.0, 1.0 - (offsets / (FRACTIONAL_TAPS / 2)) ** 2))) / np.i0(4.0)
    taps = np.sinc(_CUTOFF * offsets) * window
    return taps / taps.sum()
