"""Numbers in text, parsed many at a time."""

from __future__ import annotations

import warnings

import numpy as np

_CHUNK = 100_000  # lines


def numbers_of(text: str) -> np.ndarray:
    """float64 (N,): all numbers of a text that contains nothing else. Raises ValueError."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values: np.ndarray = np.fromstring(text, dtype=np.float64, sep=" ")
        except DeprecationWarning:  # something in it is not a number
            values = np.array(text.split(), dtype=np.float64)
    return values


def words_per_line(lines: list[str]) -> np.ndarray:
    """int64 (lines,): the number of words of each line."""
    counts = [np.zeros(0, dtype=np.int64)]
    for first in range(0, len(lines), _CHUNK):
        chunk = lines[first : first + _CHUNK]
        byte_N = np.frombuffer("\n".join(chunk).encode("ascii", "replace"), dtype=np.uint8)
        gap_N = byte_N <= 32
        begins = np.flatnonzero(~gap_N & np.concatenate([[True], gap_N[:-1]]))
        counts.append(np.bincount(np.cumsum(byte_N == 10)[begins], minlength=len(chunk)))
    return np.concatenate(counts)


def face_fields(lines: list[str]) -> tuple[np.ndarray, list[np.ndarray] | None]:
    """The faces of OBJ: number of corners per line, and its fields (v), (v, vt) or (v, vt, vn), each (corners,).

    None in place of the fields if not all corners have the same form. Missing vt of "v//vn" is an array of zeros.
    """
    sizes: list[np.ndarray] = [np.zeros(0, dtype=np.int64)]
    columns: list[list[np.ndarray] | None] = []
    for first in range(0, len(lines), _CHUNK):
        text = "\n".join(lines[first : first + _CHUNK])
        byte_N = np.frombuffer(text.encode("ascii", "replace"), dtype=np.uint8)
        gap_N, slash_N = byte_N <= 32, byte_N == 47
        begin_N = ~gap_N & np.concatenate([[True], gap_N[:-1]])
        sizes.append(np.bincount(np.cumsum(byte_N == 10)[begin_N], minlength=min(_CHUNK, len(lines) - first)))
        corners = int(begin_N.sum())
        per_corner = np.bincount((np.cumsum(begin_N) - 1)[slash_N], minlength=corners)
        digits = ((byte_N >= 48) & (byte_N <= 57)) | gap_N | slash_N
        if not digits.all() or (corners and (per_corner != per_corner[0]).any()) or (corners and per_corner[0] > 2):
            columns.append(None)
            continue
        slashes = int(per_corner[0]) if corners else 0
        double = int((slash_N[1:] & slash_N[:-1]).sum())
        values = numbers_of(text.replace("/", " ")).astype(np.int64)
        if slashes == 2 and double == corners and len(values) == 2 * corners:
            columns.append([values[0::2], np.zeros(corners, dtype=np.int64), values[1::2]])
        elif double == 0 and len(values) == (slashes + 1) * corners:
            columns.append([values[k :: slashes + 1] for k in range(slashes + 1)])
        else:
            columns.append(None)
    forms = {(len(c), bool(len(c) == 3 and len(c[1]) and not c[1].any())) for c in columns if c is not None}
    if not columns or any(c is None for c in columns) or len(forms) != 1:
        return np.concatenate(sizes), None
    joined = [np.concatenate([c[k] for c in columns if c is not None]) for k in range(next(iter(forms))[0])]
    return np.concatenate(sizes), joined
