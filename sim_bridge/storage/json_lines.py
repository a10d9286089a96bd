"""Files of JSON lines that grow one line at a time and survive a kill or a power cut.

A line that a kill has cut short has no newline at its end. Readers ignore it, and the next writer removes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from avw.sim_bridge.storage.atomic_write import sync
from avw.sim_bridge.storage.small_files import read_bytes

LARGEST = 2**29  # bytes of a file: a million lines of half a kilobyte


def append_line(path: Path, values: dict[str, Any]) -> None:
    """Append one line and flush it to the disk. On a full disk (OSError) the file stays as it was."""
    line = json_line(values).encode()
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        end = _complete_length(handle)
        os.ftruncate(handle, end)
        try:
            written = os.pwrite(handle, line, end)
            if written < len(line):
                os.pwrite(handle, line[written:], end + written)  # raises the error that cut the first write short
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, end)
            raise
    finally:
        os.close(handle)
    sync(path.parent)


def json_line(values: dict[str, Any]) -> str:
    """`values` as one line of such a file, the newline included."""
    return json.dumps(values, sort_keys=True) + "\n"


def complete_lines(path: Path) -> list[str]:
    """The lines that end with a newline, without it. Bytes that are not UTF-8 are kept as surrogates; see `line_bytes`.

    Raises FileNotFoundError, or ValueError with the reason for a file that is not read.
    """
    text = read_bytes(path, LARGEST).decode(errors="surrogateescape")
    return text.removeprefix("\ufeff").split("\n")[:-1]


def line_bytes(lines: Iterable[str]) -> bytes:
    """The content of a file of these lines, byte for byte as they were read."""
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")


def _complete_length(handle: int) -> int:
    """Bytes up to and including the last newline."""
    size = os.fstat(handle).st_size
    return os.pread(handle, size, 0).rfind(b"\n") + 1 if size else 0
