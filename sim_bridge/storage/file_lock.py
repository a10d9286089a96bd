"""Locks on files that the kernel releases when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from avw.sim_bridge.errors import UsageError


@contextmanager
def exclusive(path: Path, busy: str = "", *, shared: bool = False) -> Iterator[None]:
    """Hold a lock on `path`, a file that is created if it is missing.

    shared: with others that ask for a shared lock. If the lock is taken, UsageError is raised with the text `busy`;
    without such a text, the call waits for the lock.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(handle, mode | fcntl.LOCK_NB if busy else mode)
        except BlockingIOError as error:
            raise UsageError(busy) from error
        yield
    finally:
        os.close(handle)
