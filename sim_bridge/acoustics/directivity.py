"""Directivity of a source: amplitude per octave band as a function of the angle from its axis.

Patterns are symmetric around the axis and normalised to amplitude 1 on it. `power_B`, the mean square over the sphere
(1 for an omnidirectional source), gives the effect on the power that a source emits into a room; `index_db_B`
= -10 log10(power_B) is the directivity index. Phase is not modelled, because it varies within each band.

`voice` and `loudspeaker` are a vibrating cap on a rigid sphere (P. Morse & K. Ingard, "Theoretical Acoustics", 1968,
section 7.2), far field, mean power over each octave. J. Flanagan, "Analog measurements of sound radiation from the
mouth", JASA 32 (1960), compared this model with talkers, and R. Aarts & A. Janssen, "Comparing sound radiation from a
loudspeaker with that from a flexible spherical cap on a rigid sphere", JAES 59 (2011), compared it with loudspeakers.
Sizes are in `CAPS`. Real talkers differ, because they have a body, a nose and lips (A. Warnock, W. Chu & J.-C. Guy,
"Directivity of human talkers", Canadian Acoustics): load a measured table where that matters.

Shapes: N directions · K angles · B octave bands.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from avw.sim_bridge.acoustics.bands import SPEED_OF_SOUND
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.scenes.materials.materials import OCTAVE_BANDS

PATTERNS = ("omni", "subcardioid", "cardioid", "voice", "loudspeaker")
CAPS = {"voice": (0.09, 0.016), "loudspeaker": (0.14, 0.065)}
"""Radius in metres of the sphere and of the cap in it. Our choice: a head with an open mouth of 8 square centimetres,
and a box of 11 litres with a cone of 13 cm."""
_SHARE = {"subcardioid": 0.7, "cardioid": 0.5}  # omnidirectional share, see `cardioid`
_ANGLES = 721  # a quarter of a degree apart
_MAX_FILE_BYTES = 4_000_000
_MAX_ANGLES = 3_601
_LOUDEST_DB = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Directivity:
    """A pattern: amplitude_KB at angle_K (radians from the axis, rising from 0 to pi), interpolated linearly."""

    name: str
    angle_K: np.ndarray
    amplitude_KB: np.ndarray

    @property
    def power_B(self) -> np.ndarray:
        """(B,) mean square over the sphere: this source's power relative to that of an omnidirectional source."""
        fine_K = np.linspace(0.0, math.pi, 3_601)
        square_KB = np.square(self._amplitude_at(fine_K))
        mean_KB = 0.5 * (square_KB[1:] + square_KB[:-1])
        return 0.5 * (-np.diff(np.cos(fine_K))) @ mean_KB

    @property
    def index_db_B(self) -> np.ndarray:
        """(B,) directivity index in dB: level on the axis above the mean over the sphere."""
        return -10.0 * np.log10(self.power_B)

    def gain(self, direction_N3: np.ndarray, forward_3: np.ndarray) -> np.ndarray:
        """float32 (N, B): amplitude towards `direction_N3` (of any length) from a source whose axis is `forward_3`.

        A direction of length 0, from the source to itself, counts as the axis. Raises UsageError for an axis that has
        length 0 or is not three finite numbers.
        """
        axis_3 = np.asarray(forward_3, dtype=np.float64)
        length = float(np.linalg.norm(axis_3)) if axis_3.shape == (3,) else math.nan
        if not (length > 0.0 and math.isfinite(length)):
            raise UsageError(f"a source's axis must be three finite numbers, not all 0, not {forward_3!r}")
        direction_N3 = np.asarray(direction_N3, dtype=np.float64).reshape(-1, 3)
        along_N = direction_N3 @ (axis_3 / length)
        across_N = np.linalg.norm(np.cross(direction_N3, axis_3 / length), axis=1)
        return self._amplitude_at(np.arctan2(across_N, along_N)).astype(np.float32)

    def _amplitude_at(self, angle_N: np.ndarray) -> np.ndarray:
        return np.stack([np.interp(angle_N, self.angle_K, band_K) for band_K in self.amplitude_KB.T], axis=1)


def make_directivity(name: str = "omni") -> Directivity:
    """A pattern of `PATTERNS` by name, or the table in a .json or .npz file. Raises UsageError for anything else."""
    if name in CAPS:
        return _cap(name)
    if name == "omni":
        return cardioid(1.0, name=name)
    if name in _SHARE:
        return cardioid(_SHARE[name], name=name)
    if Path(name).suffix in (".json", ".npz"):
        return load_directivity(name)
    raise UsageError(f"unknown directivity {name!r}: expected one of {', '.join(PATTERNS)}, or a .json or .npz file")


def cardioid(share: float | tuple[float, ...], name: str = "cardioid family") -> Directivity:
    """The pattern share + (1 - share) cos(angle): 1 omnidirectional, 0.7 subcardioid, 0.5 cardioid, 0 figure of eight.

    share: one number for all octave bands, or one per band. Below 0.5 some amplitudes are negative.
    Raises UsageError for a share outside 0 to 1.
    """
    share_B = np.broadcast_to(np.asarray(share, dtype=np.float64), (len(OCTAVE_BANDS),))
    if not ((share_B >= 0.0) & (share_B <= 1.0)).all():
        raise UsageError(f"share {share!r} of a cardioid: expected 0 (figure of eight) to 1 (omnidirectional)")
    angle_K = np.linspace(0.0, math.pi, _ANGLES)
    return Directivity(name=name, angle_K=angle_K, amplitude_KB=share_B + (1.0 - share_B) * np.cos(angle_K)[:, None])


def load_directivity(path: str | Path) -> Directivity:
    """Load a user's table: `angles_deg` (K,) from 0 to 180 and `gain_db` (K, 6), one column per octave band.

    A JSON file holds an object with these two keys, an npz file two arrays (pickled ones are refused). Levels are taken
    relative to the axis. Raises UsageError for a file that holds anything else.
    """
    path = Path(path)
    where = f"directivity table {str(path)!r}"
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise UsageError(f"{where} is larger than {_MAX_FILE_BYTES} bytes: not a table of angles and bands")
        angle_K, level_KB = _read_npz(path) if path.suffix == ".npz" else _read_json(path)
    except UsageError:
        raise
    except Exception as error:  # zipfile, json and numpy raise many types for damaged files
        raise UsageError(
            f"cannot read {where} ({type(error).__name__}: {error}): expected angles_deg and gain_db, in JSON or npz"
        ) from error
    if angle_K.ndim != 1 or not 2 <= len(angle_K) <= _MAX_ANGLES or level_KB.shape != (len(angle_K), len(OCTAVE_BANDS)):
        raise UsageError(
            f"{where}: angles_deg has shape {angle_K.shape} and gain_db {level_KB.shape}; expected 2 to {_MAX_ANGLES} "
            f"angles, and one row of {len(OCTAVE_BANDS)} octave bands per angle ({OCTAVE_BANDS[0]:.0f} Hz to "
            f"{OCTAVE_BANDS[-1]:.0f} Hz)"
        )
    if not (np.isfinite(angle_K).all() and (np.diff(angle_K) > 0).all() and angle_K[0] == 0 and angle_K[-1] == 180):
        raise UsageError(f"{where}: angles_deg must rise from 0 (the axis) to 180")
    relative_KB = level_KB - level_KB[:1]
    if not (np.isfinite(relative_KB).all() and relative_KB.max() <= _LOUDEST_DB):
        raise UsageError(f"{where}: gain_db must be finite, and at most {_LOUDEST_DB:.0f} dB above the axis")
    return Directivity(
        name=path.stem, angle_K=np.radians(angle_K), amplitude_KB=10.0 ** (np.maximum(relative_KB, -200.0) / 20.0)
    )


def _read_json(path: Path) -> tuple[np.ndarray, np.ndarray]:
    table = json.loads(path.read_text(encoding="utf-8"))
    return np.array(table["angles_deg"], dtype=np.float64), np.array(table["gain_db"], dtype=np.float64)


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > _MAX_FILE_BYTES:
            raise ValueError(f"it unpacks to more than {_MAX_FILE_BYTES} bytes")
    with np.load(path, allow_pickle=False) as table:
        return table["angles_deg"].astype(np.float64), table["gain_db"].astype(np.float64)


@lru_cache(maxsize=len(CAPS))
def _cap(name: str) -> Directivity:
    """The pattern of a cap on a sphere: the mean power at 12 frequencies spaced evenly over each octave."""
    sphere, cap = CAPS[name]
    angle_K = np.linspace(0.0, math.pi, _ANGLES)
    octave = 2.0 ** ((np.arange(12) + 0.5) / 12.0 - 0.5)
    square_KB = np.stack(
        [
            np.mean([np.square(cap_on_sphere(angle_K, sphere, cap, hertz)) for hertz in centre * octave], axis=0)
            for centre in OCTAVE_BANDS
        ],
        axis=1,
    )
    return Directivity(name=name, angle_K=angle_K, amplitude_KB=np.sqrt(square_KB / square_KB[:1]))


def cap_on_sphere(angle_K: np.ndarray, sphere: float, cap: float, hertz: float) -> np.ndarray:
    """|pressure| (K,) in the far field of a cap of radius `cap` on a rigid sphere of radius `sphere` (metres).

    Normalised to 1 on the axis. angle_K: radians from the axis. With P_n the Legendre polynomials, h_n the spherical
    Hankel functions, c the cosine of half the angle that the cap subtends and x = 2 pi hertz sphere / 343:
    sum_n  (-i)^n  (P_(n-1)(c) - P_(n+1)(c)) / h_n'(x)  P_n(cos(angle)).
    """
    from scipy import special

    x = 2.0 * math.pi * hertz * sphere / SPEED_OF_SOUND
    order_N = np.arange(math.ceil(x) + 25)
    edge = math.cos(math.asin(cap / sphere))
    legendre_N = special.eval_legendre(np.arange(-1, len(order_N) + 1).clip(0), edge)  # P_-1 = P_0 = 1
    slope_N = special.spherical_jn(order_N, x, True) + 1j * special.spherical_yn(order_N, x, True)
    weight_N = (-1j) ** order_N * (legendre_N[:-2] - legendre_N[2:]) / slope_N
    pressure_K = np.abs(special.eval_legendre(order_N, np.cos(angle_K)[:, None]) @ weight_N)
    return pressure_K / pressure_K[0]
