"""Compares an engine's direct sound with KEMAR's raw measurements, for all azimuths of the horizontal plane.

The measurements contain the loudspeaker and the ear canal, which weight the frequencies inside a band by up to 30 dB;
this common spectrum is removed from the engine's head. Level differences of a band can only be compared with the same
weighting. The engine's responses are therefore filtered with the measurements' mean spectrum (root mean power over all
azimuths and both ears, one filter for all), which does not change the difference between the ears at any frequency.
Shapes: A azimuths (0, 5, .. 355 degrees, clockwise) · E ears · S samples · B octave bands · F frequencies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft

from avw.sim_bridge.acoustics.bands import band_responses
from avw.sim_bridge.acoustics.free_field import empty_space
from avw.sim_bridge.acoustics.hrtf import measured_kemar
from avw.sim_bridge.acoustics.hrtf_grid import head_vectors
from avw.sim_bridge.acoustics.measures import itd_seconds
from avw.sim_bridge.selftest.check import EngineMaker
from avw.sim_bridge.types import EAR_HEIGHT, SAMPLE_RATE, Pose

DEGREES = tuple(range(0, 360, 5))
_HEIGHT = 8.0  # metres, of the listener in empty space
_DISTANCE = 2.0
_N_FFT = 4096
_LOWEST, _TWELFTHS = 200.0, 61  # Hz; up to 6.8 kHz
_WINDOW = (32, 160)  # samples before and after the arrival at the centre of the head


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectSound:
    """Engine minus measurement at each azimuth.

    band_ild_AB: dB in octave bands · ild_A: dB, all frequencies · itd_A: seconds, below 1.5 kHz
    Without the measurements' spectrum: twelfth_ild_AF, dB in twelfths of an octave from 200 Hz to 6.8 kHz, too narrow
    for it to matter · uncoloured_ild_A, dB over all frequencies, which differs because the weighting differs
    """

    band_ild_AB: np.ndarray
    ild_A: np.ndarray
    itd_A: np.ndarray
    twelfth_ild_AF: np.ndarray
    uncoloured_ild_A: np.ndarray


def compare_direct_sound(make: EngineMaker, speed_of_sound: float = 343.0) -> DirectSound:
    """Compare the responses to one source in empty space, with the listener turned to every measured azimuth."""
    engine = make(empty_space())
    engine.set_source(np.array([0.0, _HEIGHT + EAR_HEIGHT, -_DISTANCE]))
    first = round(_DISTANCE / speed_of_sound * SAMPLE_RATE) - _WINDOW[0]
    ours_AES = np.stack(
        [
            # After turning left by an angle, a source that was ahead is at that angle on the right.
            engine.impulse_response(Pose(0.0, _HEIGHT, 0.0, math.radians(degrees)))[:, first : first + sum(_WINDOW)]
            for degrees in DEGREES
        ]
    ).astype(np.float64)
    engine.close()
    kemar = measured_kemar()
    azimuth_A = np.radians(DEGREES)
    index_A = (head_vectors(azimuth_A, np.zeros_like(azimuth_A)) @ kemar.direction_N3.T).argmax(axis=1)

    theirs_AEF = fft.rfft(kemar.ir_NES[index_A], _N_FFT)
    ours_AEF = fft.rfft(ours_AES, _N_FFT)
    spectrum_F = np.sqrt(np.square(np.abs(theirs_AEF)).mean((0, 1)) / np.square(np.abs(ours_AEF)).mean((0, 1)))
    weighted_AEF = ours_AEF * spectrum_F
    # The filter has zero phase and extends to both sides of a response: all responses are shifted to the middle.
    shift_F = np.exp(-1j * math.pi * np.arange(_N_FFT // 2 + 1))
    return DirectSound(
        band_ild_AB=_band_ild(weighted_AEF) - _band_ild(theirs_AEF),
        ild_A=_ild(weighted_AEF) - _ild(theirs_AEF),
        itd_A=np.array(
            [
                itd_seconds(fft.irfft(ours_EF * shift_F)) - itd_seconds(fft.irfft(theirs_EF * shift_F))
                for ours_EF, theirs_EF in zip(weighted_AEF, theirs_AEF, strict=True)
            ]
        ),
        twelfth_ild_AF=_narrow_ild(ours_AEF) - _narrow_ild(theirs_AEF),
        uncoloured_ild_A=_ild(ours_AEF) - _ild(theirs_AEF),
    )


def _ild(spectrum_AEF: np.ndarray) -> np.ndarray:
    power_AE = np.square(np.abs(spectrum_AEF)).sum(axis=-1)
    return 10.0 * np.log10(power_AE[:, 0] / power_AE[:, 1])


def _band_ild(spectrum_AEF: np.ndarray) -> np.ndarray:
    bands_BF = np.square(np.abs(band_responses(_N_FFT, SAMPLE_RATE)))
    power_AEB = np.square(np.abs(spectrum_AEF)) @ bands_BF.T
    return 10.0 * np.log10(power_AEB[:, 0] / power_AEB[:, 1])


def _narrow_ild(spectrum_AEF: np.ndarray) -> np.ndarray:
    """dB in 61 bands with sharp edges, a twelfth of an octave wide."""
    edges = np.round(_LOWEST * 2.0 ** (np.arange(_TWELFTHS + 1) / 12.0) * _N_FFT / SAMPLE_RATE).astype(np.int64)
    power_AEF = np.add.reduceat(np.square(np.abs(spectrum_AEF[..., : edges[-1]])), edges[:-1], axis=-1)
    return 10.0 * np.log10(power_AEF[:, 0] / power_AEF[:, 1])
