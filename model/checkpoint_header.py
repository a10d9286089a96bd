"""What a checkpoint says about itself, read without PyTorch: the header of its safetensors file.

The file begins with the length of a JSON header (8 bytes, little-endian) that lists the tensors and holds AVW's note.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avw.sim_bridge.errors import CheckpointError
from avw.sim_bridge.storage.small_files import as_object, parse_json, refuse_irregular

NOTE = "avw"
STORED = "stored"  # in the note of a file whose weights are rounded: their type
LONGEST_HEADER = 4 * 2**20  # bytes
MOST_SIZES = 8  # axes of a tensor


@dataclass(frozen=True, slots=True)
class CheckpointHeader:
    """note: AVW's note · parameters: numbers per part, e.g. {"net": 4_000_000} · bytes: of the file"""

    note: dict[str, Any]
    parameters: dict[str, int]
    bytes: int


def read_header(path: Path) -> CheckpointHeader:
    """Raises CheckpointError if the file is missing, damaged, or not from AVW."""
    try:
        refuse_irregular(path, links=True)
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > LONGEST_HEADER:
                raise ValueError(f"its header has {length:,} bytes")
            header = as_object(parse_json(file.read(length).decode()))
        note = as_object(parse_json(as_object(header.pop("__metadata__"))[NOTE]))
        counts: Counter[str] = Counter()
        size, end = path.stat().st_size, 0
        for name, tensor in header.items():
            shape = as_object(tensor)["shape"]
            end = max(end, int(as_object(tensor)["data_offsets"][1]))
            if (
                not isinstance(shape, list)
                or len(shape) > MOST_SIZES
                or not all(type(n) is int and n >= 0 for n in shape)
            ):
                raise ValueError(f"{name} has no valid shape")
            counts[name.split(".")[0]] += math.prod(shape)
        if size != (whole := 8 + length + end):
            raise ValueError(f"it has {size:,} bytes and should have {whole:,}: it is not complete")
        return CheckpointHeader(note, dict(counts), size)
    except (OSError, ValueError, KeyError, TypeError, IndexError, struct.error) as error:
        raise CheckpointError(f"{path}: not a readable AVW checkpoint ({error})") from error
