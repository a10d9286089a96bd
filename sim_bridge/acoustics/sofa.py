"""Reads a user's head from a SOFA file (AES69, convention SimpleFreeFieldHRIR) with h5py.

SOFA's axes are +x ahead, +y left, +z up, and its azimuth is counter-clockwise. A file may rotate or move the listener
(view, up, position), give positions in spherical or Cartesian coordinates, and store part of the delay separately from
the responses (Data.Delay, in samples). All of this is converted to our frame and to one `MeasuredHead`. If there are
several distances, the farthest is used, because the engine's sources are usually farther away than arm's length. Some
published files (the KEMAR of TU Berlin) list the positions of the receivers in the wrong order; the responses decide
which ear is which.

Files are not trusted: nothing outside the file is followed (soft and external links, external or virtual storage),
objects and strings are not accepted as numbers, and sizes are checked before any data is read.

Shapes: N (SOFA's M) measurements · E (R) ears · S (N) samples.
"""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np

from avw.sim_bridge.acoustics.hrtf_grid import MeasuredHead
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.storage.untrusted_hdf5 import (
    DEFLATE,
    FLETCHER32,
    SHUFFLE,
    filters,
    refuse_bombs,
    refuse_foreign_storage,
    refuse_path,
)

_MAX_MEASUREMENTS = 50_000
_MAX_SAMPLES = 16_384
_MAX_VALUES = 50_000_000  # 400 MB
_RATES = (8_000, 192_000)  # Hz
_FILTERS = {DEFLATE, SHUFFLE, FLETCHER32}  # HDF5's own deflate, shuffle and checksum, the only ones that netCDF writes
_LONGEST_DELAY = 0.1  # seconds: the way of 34 m
_LARGEST_ITD = 0.002  # seconds; the delays of the two ears of a head differ by less than 0.001
_LONGEST_TEXT = 4_096  # bytes of an attribute
_SAME_DISTANCE = 0.9  # fraction of the farthest distance: closer measurements belong to another distance
_SAME_DIRECTION = 1e-3  # between unit vectors, 0.06 degrees


def read_sofa(path: str | Path) -> MeasuredHead:
    """The head in a SOFA file. Raises UsageError if the file is damaged, unsafe or of another convention."""
    where = f"SOFA file {str(path)!r}"
    if not Path(path).is_file():  # a FIFO would be waited for
        raise UsageError(f"cannot read {where}: it is not a regular file")
    try:
        with h5py.File(path, "r") as file:
            return _Reader(file, where).head(Path(path).stem)
    except UsageError:
        raise
    except Exception as error:  # h5py raises many types for damaged files
        raise UsageError(
            f"cannot read {where}: it is damaged or not an HDF5 file ({type(error).__name__}: {error}); copy it again"
        ) from error


class _Reader:
    """Reads one open file, with checks. `where` is the start of every error message."""

    def __init__(self, file: h5py.File, where: str):
        self._file = file
        self._where = where

    def head(self, name: str) -> MeasuredHead:
        """The head in the file, called `name`. Raises UsageError."""
        for attribute, expected in (("Conventions", "SOFA"), ("DataType", "FIR")):
            if (found := self._text(self._file, attribute)) != expected:
                raise self._refusal(f"its {attribute} is {found[:80]!r}, not {expected!r}")
        if (found := self._text(self._file, "SOFAConventions")) != "SimpleFreeFieldHRIR":
            raise self._refusal(
                f"its convention is {found[:80]!r}; expected SimpleFreeFieldHRIR, one head in the free field"
            )
        ir_NES = self._numbers("Data.IR", dimensions=3)
        count, ears, samples = ir_NES.shape
        if ears != 2:
            raise self._refusal(f"it has {ears} receivers, and a head has 2")
        rates = np.unique(self._numbers("Data.SamplingRate"))
        units = self._text(self._file["Data.SamplingRate"], "Units", "hertz").lower()
        if len(rates) != 1 or not _RATES[0] <= rates[0] <= _RATES[1] or rates[0] != round(rates[0]):
            raise self._refusal(
                f"its sampling rate is {rates[:3]}: expected one rate from {_RATES[0]} to {_RATES[1]} Hz"
            )
        if units not in ("hertz", "hz"):
            raise self._refusal(f"its sampling rate is in {units[:80]!r}, not in hertz")
        delay_NE = self._per_measurement("Data.Delay", 2, count) if self._has("Data.Delay") else np.zeros((1, 2))
        if delay_NE.min() < -samples or delay_NE.max() > _LONGEST_DELAY * rates[0]:
            raise self._refusal(
                f"its Data.Delay is from {delay_NE.min():g} to {delay_NE.max():g} samples: expected 0 to "
                f"{_LONGEST_DELAY * rates[0]:g}"
            )
        if np.abs(delay_NE[:, 0] - delay_NE[:, 1]).max() > _LARGEST_ITD * rates[0]:
            raise self._refusal("its Data.Delay differs by more than two milliseconds between the ears")

        source_N3 = self._source_directions(count)
        distance_N = np.linalg.norm(source_N3, axis=1)
        if distance_N.min() < 1e-6:
            raise self._refusal("a source is at the centre of the head")
        chosen_N = np.flatnonzero(distance_N >= _SAME_DISTANCE * distance_N.max())
        direction_N3 = (source_N3 / distance_N[:, None])[chosen_N]
        _, first = np.unique(np.round(direction_N3 / _SAME_DIRECTION).astype(np.int64), axis=0, return_index=True)
        chosen_N, direction_N3 = chosen_N[np.sort(first)], direction_N3[np.sort(first)]
        ears_E = self._ear_order(count)
        ir_NES = ir_NES[chosen_N][:, ears_E]
        if (np.abs(ir_NES).max(axis=-1) <= 0.0).any():
            raise self._refusal("one of its responses is silent")
        delay_NE = np.broadcast_to(delay_NE, (count, 2))[chosen_N][:, ears_E]
        if not _sides_match(ir_NES, direction_N3):
            if ears_E == [0, 1]:
                raise self._refusal(
                    "sources on the right are louder in the left ear: its receivers are swapped, or its azimuths run "
                    "clockwise"
                )
            # The positions contradict both the standard's order and the responses.
            ir_NES, delay_NE = ir_NES[:, ::-1], delay_NE[:, ::-1]
        return MeasuredHead(
            name=name, sample_rate=int(rates[0]), ir_NES=ir_NES, delay_NE=delay_NE, direction_N3=direction_N3
        )

    def _source_directions(self, count: int) -> np.ndarray:
        """(N, 3): vectors in metres from the listener to each source, in our axes and the listener's frame."""
        source_N3 = self._positions("SourcePosition", count)
        if self._has("ListenerPosition"):
            source_N3 = source_N3 - self._positions("ListenerPosition", count)
        ahead_N3, up_N3 = np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1.0]])
        if self._has("ListenerView"):
            ahead_N3 = self._positions("ListenerView", count)
        if self._has("ListenerUp"):
            # The standard allows ListenerUp to share the coordinate type of ListenerView, and most files do that.
            up_N3 = self._per_measurement("ListenerUp", 3, count)
            typed = "Type" in self._file["ListenerUp"].attrs or not self._has("ListenerView")
            up_N3 = self._cartesian(up_N3, "ListenerUp" if typed else "ListenerView")
        ahead_N3 = self._unit(ahead_N3, "ListenerView has length 0")
        left_N3 = self._unit(np.cross(up_N3, ahead_N3), "ListenerUp and ListenerView point the same way")
        up_N3 = np.cross(ahead_N3, left_N3)
        along = [(source_N3 * axis_N3).sum(axis=1) for axis_N3 in (-left_N3, up_N3, -ahead_N3)]
        return np.stack(along, axis=1)

    def _ear_order(self, count: int) -> list[int]:
        """Indices of the left and right receiver: by their side of the head, or else in the standard's order."""
        if not self._has("ReceiverPosition"):
            return [0, 1]
        position = self._numbers("ReceiverPosition")
        if position.ndim == 3 and position.shape[2] in (1, count):
            position = position[..., 0]
        if position.shape != (2, 3):
            raise self._refusal(f"its ReceiverPosition has shape {position.shape}, not (2, 3, 1)")
        side_E = self._cartesian(position, "ReceiverPosition")[:, 1]
        if abs(side_E[0] - side_E[1]) < 1e-6:
            return [0, 1]
        return [0, 1] if side_E[0] > side_E[1] else [1, 0]

    def _positions(self, name: str, count: int) -> np.ndarray:
        """(count or 1, 3): Cartesian coordinates in SOFA's axes."""
        return self._cartesian(self._per_measurement(name, 3, count), name)

    def _per_measurement(self, name: str, columns: int, count: int) -> np.ndarray:
        """(count or 1, columns): numbers for each measurement, or for all of them."""
        value = self._numbers(name, dimensions=2)
        if value.shape not in ((1, columns), (count, columns)):
            raise self._refusal(f"its {name} has shape {value.shape}, not ({count}, {columns}) or (1, {columns})")
        return value

    def _cartesian(self, value_N3: np.ndarray, name: str) -> np.ndarray:
        kind = self._text(self._file[name], "Type", "cartesian").lower()
        if kind == "cartesian":
            return value_N3
        if kind != "spherical":
            raise self._refusal(f"its {name} is given in {kind[:80]!r} coordinates, not spherical or cartesian")
        units = self._text(self._file[name], "Units", "degree").lower()
        if "degree" not in units:
            raise self._refusal(f"the angles of its {name} are in {units[:80]!r}, not in degrees")
        azimuth_N, elevation_N = np.radians(value_N3[:, 0]), np.radians(value_N3[:, 1])
        across_N = value_N3[:, 2] * np.cos(elevation_N)
        height_N = value_N3[:, 2] * np.sin(elevation_N)
        return np.stack([across_N * np.cos(azimuth_N), across_N * np.sin(azimuth_N), height_N], axis=1)

    def _has(self, name: str) -> bool:
        """Whether the entry exists, without following a link."""
        return self._file.get(name, getlink=True) is not None

    def _numbers(self, name: str, dimensions: int | None = None) -> np.ndarray:
        """A dataset of finite numbers as float64, read after all checks that are possible without reading it."""
        if not self._has(name):
            raise self._refusal(f"it has no {name}")
        try:
            refuse_path(self._file, name)
            dataset = self._file[name]
            if not isinstance(dataset, h5py.Dataset):
                raise ValueError("it is not an array")
            if dataset.dtype.kind not in "fiu" or dataset.dtype.itemsize > 8:
                raise ValueError(f"it holds {dataset.dtype}, not numbers")
            refuse_foreign_storage(dataset)
        except ValueError as error:
            raise self._refusal(f"its {name} is not read: {error}") from error
        shape = dataset.shape
        if shape is None or not 0 < len(shape) <= 3 or (dimensions is not None and len(shape) != dimensions):
            raise self._refusal(f"its {name} has shape {shape}, not {dimensions or '1 to 3'} dimensions")
        if 0 in shape:
            raise self._refusal(f"its {name} is empty")
        chunk = math.prod(dataset.chunks or (1,))
        if (
            math.prod(shape) > _MAX_VALUES
            or chunk > _MAX_VALUES
            or shape[0] > _MAX_MEASUREMENTS
            or shape[-1] > max(_MAX_SAMPLES, shape[0])
        ):
            raise self._refusal(
                f"its {name} has shape {shape}: more than {_MAX_MEASUREMENTS} measurements or {_MAX_SAMPLES} samples"
            )
        if not set(filters(dataset)) <= _FILTERS:
            raise self._refusal(f"its {name} is packed with filters {filters(dataset)} that SOFA files do not use")
        try:
            refuse_bombs(dataset)
        except ValueError as error:
            raise self._refusal(f"its {name} is not read: {error}") from error
        value = np.asarray(dataset[()], dtype=np.float64)
        if not np.isfinite(value).all() or np.abs(value).max() > 1e12:
            raise self._refusal(f"its {name} holds values that are not finite")
        return value

    def _text(self, where: h5py.File | h5py.Dataset, attribute: str, default: str | None = None) -> str:
        """A text attribute; `default` if it is missing or empty."""
        if attribute not in where.attrs:
            if default is not None:
                return default
            raise self._refusal(f"it has no attribute {attribute}: is it a SOFA file?")
        stored = where.attrs.get_id(attribute)
        size = stored.dtype.itemsize * math.prod(stored.shape or ())
        value = where.attrs[attribute] if size <= _LONGEST_TEXT else "x" * (_LONGEST_TEXT + 1)
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.ravel()[0]
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, h5py.Empty):
            value = ""
        if not isinstance(value, str):
            raise self._refusal(f"its attribute {attribute} is not text")
        if len(value) > _LONGEST_TEXT:
            raise self._refusal(f"its attribute {attribute} has more than {_LONGEST_TEXT:,} bytes")
        return value.strip() or default or ""

    def _unit(self, value_N3: np.ndarray, otherwise: str) -> np.ndarray:
        """Unit vectors. otherwise: the error message for a vector of length 0."""
        length_N1 = np.linalg.norm(value_N3, axis=1, keepdims=True)
        if length_N1.min() < 1e-6:
            raise self._refusal(f"its {otherwise}")
        return value_N3 / length_N1

    def _refusal(self, reason: str) -> UsageError:
        return UsageError(f"{self._where} cannot be used: {reason}")


def _sides_match(ir_NES: np.ndarray, direction_N3: np.ndarray) -> bool:
    """Whether the nearer ear is louder on average; otherwise ears or angles are swapped."""
    right_N, left_N = direction_N3[:, 0] > 0.5, direction_N3[:, 0] < -0.5
    level_NE = 10.0 * np.log10(np.square(ir_NES).sum(axis=-1))
    right_louder_N = level_NE[:, 1] - level_NE[:, 0]
    if not (right_N.any() and left_N.any()):
        return True
    return bool(right_louder_N[right_N].mean() >= right_louder_N[left_N].mean())
