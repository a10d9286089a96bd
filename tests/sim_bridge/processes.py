"""Looking at other processes, as Linux shows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def lives(pid: int) -> bool:
    """Whether a process runs (or is stopped); one that ended and was not waited for does not."""
    try:
        return _fields(pid)[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> Iterator[int]:
    """Every living process that `pid` started, and those that they started."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents.setdefault(int(_fields(int(folder.name))[1]), []).append(int(folder.name))
            except OSError:
                continue  # it ended in between
    left = [pid]
    while left:
        for child in parents.get(left.pop(), []):
            left.append(child)
            if lives(child):
                yield child


def command(pid: int) -> str:
    """Its command line; empty if it ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def when(found: Callable[[], T], seconds: float = 60.0) -> T:
    """The first true answer of `found`, waited for; its last one if none came in time."""
    end = time.monotonic() + seconds
    while not (answer := found()) and time.monotonic() < end:
        time.sleep(0.05)
    return answer


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
