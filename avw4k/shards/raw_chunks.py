"""Reading of arrays that are stored without compression: chunk by chunk, with the checksum of HDF5.

HDF5 reads such a chunk in four passes (file, checksum, its cache, the caller's memory). Here the file is read into one
small buffer, which stays in the processor's cache while its checksum is compared and its rows are copied. The check is
the same: a chunk whose Fletcher-32 is wrong is an error.
"""

from __future__ import annotations

import math

import h5py
import numpy as np
from numba import njit

BLOCK = 256  # words that are summed in 32 bits
CHECKSUM = 4  # bytes after the data of a chunk


def can_read(dataset: h5py.Dataset) -> bool:
    """Whether the chunks have whole words, as the arrays of a shard do."""
    return (math.prod(dataset.chunks) * dataset.dtype.itemsize) % 2 == 0


def read_rows(dataset: h5py.Dataset, first: int, out: np.ndarray) -> None:
    """Rows `first` … `first + len(out)` of a dataset with the filter Fletcher-32 only, into a contiguous array.

    Raises OSError for a chunk whose checksum is wrong or that is not of its size.
    """
    rows = dataset.chunks[0]
    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    buffer = np.empty(size + CHECKSUM, np.uint8)
    chunk = buffer[:size].view(dataset.dtype).reshape(dataset.chunks)
    origin = (0,) * (dataset.ndim - 1)
    for start in range(first // rows * rows, first + len(out), rows):
        mask, found = dataset.id.read_direct_chunk((start, *origin), out=buffer)
        stored = int.from_bytes(buffer[size:].tobytes(), "little")
        if mask or len(found) != len(buffer) or not same(stored, buffer[:size].view(np.uint16)):
            raise OSError(f"{dataset.name}: the checksum of the chunk at row {start} is wrong")
        low, high = max(start, first), min(start + rows, first + len(out))
        out[low - first : high - first] = chunk[low - start : high - start]


def same(stored: int, words_N: np.ndarray) -> bool:
    """Whether a stored Fletcher-32 is that of the words. As in HDF5, a sum of 0 modulo 65,535 is stored as 65,535,
    unless all words are 0."""
    first, second = sums(words_N, WEIGHTS)
    wanted = [(int(total) - 1) % 65_535 + 1 if first else 0 for total in (second, first)]
    return stored == wanted[0] << 16 | wanted[1]


WEIGHTS = np.arange(BLOCK, 0, -1).astype(np.uint32)


@njit(cache=True)
def sums(words_N: np.ndarray, weights_B: np.ndarray) -> tuple[np.uint64, np.uint64]:
    """The sum of all words and the sum of all partial sums, which is reduced modulo 65,535 to fit.

    Words are big-endian, in memory as they are in the file.

    Within a block, sums and weighted sums of 256 words fit in 32 bits, so the inner loop is vectorised.
    """
    first, second = np.uint64(0), np.uint64(0)
    whole = len(words_N) // BLOCK
    for block in range(whole):
        low, high = np.uint32(0), np.uint32(0)
        for i in range(BLOCK):
            word = words_N[BLOCK * block + i]
            value = np.uint32(np.uint16((word >> 8) | (word << 8)))
            low = np.uint32(low + value)
            high = np.uint32(high + np.uint32(value * weights_B[i]))
        second = (second + np.uint64(BLOCK) * first + np.uint64(high)) % np.uint64(65_535)
        first = first + np.uint64(low)
    for i in range(BLOCK * whole, len(words_N)):
        word = words_N[i]
        first += np.uint64(np.uint16((word >> 8) | (word << 8)))
        second += first
    return first, second
