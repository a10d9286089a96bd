"""Messages between AVW and its child processes over pipes: numbers and JSON, never code.

A message is the length of a JSON header (4 bytes, little endian), the header, then the raw bytes of the arrays that the
header lists. `avw.sim_bridge.simulators.habitat.worker` has its own copy of this protocol, because that file must be
self-contained.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any, Protocol

import numpy as np

MAX_HEADER = 1 << 20
MAX_ARRAY = 1 << 36  # bytes; larger than any mesh or image


class Reading(Protocol):
    def read(self, count: int, /) -> bytes: ...


class Writing(Protocol):
    def write(self, content: bytes, /) -> object: ...
    def flush(self) -> None: ...


def send(stream: Writing, header: dict[str, Any], *arrays: np.ndarray) -> None:
    """Write one message."""
    listed = [{"dtype": array.dtype.str, "shape": array.shape} for array in arrays]
    text = json.dumps({**header, "arrays": listed}).encode()
    stream.write(b"".join([struct.pack("<I", len(text)), text, *(np.ascontiguousarray(a).tobytes() for a in arrays)]))
    stream.flush()


def receive(stream: Reading) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Read one message. Raises EOFError where the other side has ended or does not use this protocol."""
    (length,) = struct.unpack("<I", _exactly(stream, 4))
    if length > MAX_HEADER:
        raise EOFError("the other side does not use this protocol")
    try:
        header = json.loads(_exactly(stream, length))
        listed = [(np.dtype(entry["dtype"]), tuple(entry["shape"])) for entry in header.pop("arrays")]
        counts = [dtype.itemsize * math.prod(shape) for dtype, shape in listed]
        if not all(0 <= count <= MAX_ARRAY for count in counts) or any(dtype.hasobject for dtype, _ in listed):
            raise ValueError("not a list of arrays")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise EOFError("the other side does not use this protocol") from error
    arrays = []
    for count, (dtype, shape) in zip(counts, listed, strict=True):
        arrays.append(np.frombuffer(_exactly(stream, count), dtype=dtype).reshape(shape))
    return header, arrays


def _exactly(stream: Reading, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError("the other side closed the pipe")
    return content
