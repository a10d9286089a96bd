"""Files of JSON lines that grow one line at a time and survive a kill or a power cut.

A line that a kill has cut short has no newline at its end. Readers ignore it, and the next writer removes it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from avw.sim_bridge.storage.atomic_write import sync


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
    """The lines that end with a newline, without it."""
    content = path.read_bytes()
    return content.decode(errors="replace").split("\n")[:-1]


def _complete_length(handle: int) -> int:
    """Bytes up to and including the last newline."""
    size = os.fstat(handle).st_size
    return os.pread(handle, size, 0).rfind(b"\n") + 1 if size else 0
