"""Receivers: two ears, one omnidirectional microphone, or first-order ambisonics.

A receiver provides three things to an engine: tables for the many late arrivals (`gain_PACB`, `delay_PAC`), a response
for each of the few discrete arrivals (`towards`), and the response of its channels to a diffuse field (`diffuse_CB`,
`coherence_CCB`).

*Tables.* Row p, column a: elevation 90 - 10 (P - 1 - p) degrees, azimuth 5 a degrees clockwise from straight ahead
(-Z at yaw 0). The last row is straight up. P is 14 for KEMAR, whose lowest row represents everything below -40 degrees,
and 19 if the grid reaches -90: find rows with `hrtf.elevation_row`, never by a fixed offset. Directions are in the
frame of the head: at yaw y (counter-clockwise), sound from azimuth z in the world arrives at azimuth z + y.

*Levels.* A source at r metres in the free field has amplitude 1/r in mono, in channel W of ambisonics, and (as the root
of the mean power of the two ears over 0 to 8 kHz) in binaural sound if it is straight ahead.

*Ambisonics.* Channels W, Y, Z, X (ACN order) in SN3D normalisation, the AmbiX convention: M. Chapman et al., "A
standard for interchange of ambisonic signal sets", Ambisonics Symposium 2009; C. Nachbar et al., "AmbiX", Ambisonics
Symposium 2011. For a plane wave X^2 + Y^2 + Z^2 = W^2. Its axes are +X ahead, +Y left, +Z up: ours -Z, -X, +Y.

Shapes: P elevations · A azimuths · C channels · S samples · B octave bands.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from avw.sim_bridge.acoustics.hrtf import Hrtf, load_hrtf
from avw.sim_bridge.acoustics.hrtf_grid import AZIMUTH_STEP, ELEVATION_STEP
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS
from avw.sim_bridge.types import SAMPLE_RATE

LAYOUTS = ("binaural", "mono", "foa")
_ROWS = round(180.0 / ELEVATION_STEP) + 1
_COLUMNS = round(360.0 / AZIMUTH_STEP)


class Receiver(Protocol):
    """What an acoustic engine needs to know about a listener; the module docstring defines the tables."""

    @property
    def name(self) -> str: ...

    @property
    def channel_names(self) -> tuple[str, ...]: ...

    @property
    def channels(self) -> int: ...

    @property
    def taps(self) -> int:
        """Length S of the responses that `towards` returns."""
        ...

    @property
    def gain_PACB(self) -> np.ndarray:
        """float32: signed amplitude for each direction, channel and octave band."""
        ...

    @property
    def delay_PAC(self) -> np.ndarray:
        """float64: samples relative to the arrival at the centre of the head; negative means earlier."""
        ...

    @property
    def diffuse_CB(self) -> np.ndarray:
        """float64: amplitude in each channel and octave band for a diffuse field whose mono amplitude is 1."""
        ...

    @property
    def coherence_CCB(self) -> np.ndarray:
        """float64: coherence of every pair of channels in a diffuse field, 1 on the diagonal."""
        ...

    def towards(self, azimuth: float, elevation: float) -> tuple[np.ndarray, np.ndarray]:
        """ir_CS and delay_C (samples) for sound from `azimuth`, `elevation` (radians, frame of the head)."""
        ...


@dataclass(frozen=True, slots=True)
class Binaural:
    """The two ears of a head: channel 0 is left, channel 1 right."""

    head: Hrtf
    name: str = "binaural"
    channel_names: tuple[str, ...] = ("left", "right")

    @property
    def channels(self) -> int:
        return 2

    @property
    def taps(self) -> int:
        return self.head.taps

    @property
    def gain_PACB(self) -> np.ndarray:
        return self.head.gain_PAEB

    @property
    def delay_PAC(self) -> np.ndarray:
        return self.head.delay_PAE

    @property
    def diffuse_CB(self) -> np.ndarray:
        return self.head.diffuse.gain_EB

    @property
    def coherence_CCB(self) -> np.ndarray:
        both_B = self.head.diffuse.coherence_B
        one_B = np.ones_like(both_B)
        return np.array([[one_B, both_B], [both_B, one_B]])

    def towards(self, azimuth: float, elevation: float) -> tuple[np.ndarray, np.ndarray]:
        return self.head.towards(azimuth, elevation)


@dataclass(frozen=True, slots=True)
class Coincident:
    """Microphones at one point with frequency-independent gains: mono and ambisonics.

    The first channel is omnidirectional; the others, if any, are figures of eight: Y (left), Z (up) and X (ahead).
    """

    name: str
    channel_names: tuple[str, ...]
    gain_PACB: np.ndarray
    delay_PAC: np.ndarray

    @property
    def channels(self) -> int:
        return len(self.channel_names)

    @property
    def taps(self) -> int:
        return 1

    @property
    def diffuse_CB(self) -> np.ndarray:
        # The mean square of a figure of eight over the sphere is 1/3.
        amplitude_C = np.sqrt(np.array([1.0, *[1.0 / 3.0] * (self.channels - 1)]))
        return np.repeat(amplitude_C[:, None], len(OCTAVE_BANDS), axis=1)

    @property
    def coherence_CCB(self) -> np.ndarray:
        return np.repeat(np.eye(self.channels)[..., None], len(OCTAVE_BANDS), axis=-1)

    def towards(self, azimuth: float, elevation: float) -> tuple[np.ndarray, np.ndarray]:
        gain_C = _ambisonic(np.array(azimuth), np.array(elevation))[: self.channels]
        return gain_C[:, None], np.zeros(self.channels)


def make_receiver(layout: str = "binaural", sample_rate: int = SAMPLE_RATE, sofa: str | Path | None = None) -> Receiver:
    """The receiver called `layout` ("binaural", "mono" or "foa") at `sample_rate` (Hz).

    sofa: a SOFA file with the head of a binaural receiver; None: KEMAR.
    Raises UsageError for an unknown layout, for a SOFA file with another layout than binaural, and for a sample rate
    that the head does not support.
    """
    if layout == "binaural":
        return Binaural(load_hrtf(sample_rate, sofa))
    if layout not in LAYOUTS:
        raise UsageError(f"unknown listener layout {layout!r}: expected one of {', '.join(LAYOUTS)}")
    if sofa is not None:
        raise UsageError(f"a SOFA file holds a head, and the layout {layout!r} has none: use the layout 'binaural'")
    channel_names = ("mono",) if layout == "mono" else ("W", "Y", "Z", "X")
    azimuth_A = np.radians(AZIMUTH_STEP * np.arange(_COLUMNS))
    elevation_P = np.radians(ELEVATION_STEP * np.arange(_ROWS) - 90.0)
    gain_PAC = np.moveaxis(_ambisonic(azimuth_A[None], elevation_P[:, None]), 0, -1)[..., : len(channel_names)]
    gain_PACB = np.repeat(gain_PAC[..., None], len(OCTAVE_BANDS), axis=-1).astype(np.float32)
    return Coincident(layout, channel_names, gain_PACB, np.zeros(gain_PACB.shape[:3]))


def _ambisonic(azimuth: np.ndarray, elevation: np.ndarray) -> np.ndarray:
    """(4, ...): W, Y, Z, X of a plane wave of amplitude 1. The azimuth is clockwise, unlike that of ambisonics."""
    across = np.cos(elevation)
    one = np.ones(np.broadcast_shapes(azimuth.shape, elevation.shape))
    return np.stack([one, -np.sin(azimuth) * across, np.sin(elevation) * one, np.cos(azimuth) * across])
