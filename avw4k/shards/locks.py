"""One writer a dataset: locks that the kernel lets go of when a process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from avw.avw4k.shards.manifest import readable_errors
from avw.sim_bridge.errors import UsageError

LOCK = ".lock"


@contextmanager
def locked(folder: Path, part: tuple[int, int] | None) -> Iterator[None]:
    """One run a folder; the parts of an array job share it, each part once."""
    if part is None:
        with _exclusive(folder / LOCK):
            yield
        return
    with _exclusive(folder / LOCK, shared=True), _exclusive(folder / f"{LOCK}-{part[0]}-of-{part[1]}"):
        yield


@contextmanager
def beginning(folder: Path) -> Iterator[None]:
    """Held while info.json is written for the first time. Other parts of an array job wait here, if need be minutes."""
    with readable_errors("cannot lock the dataset", folder):
        handle = os.open(folder / f"{LOCK}-begin", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


@contextmanager
def _exclusive(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock that the kernel lets go of when this process ends, however it ends."""
    with readable_errors("cannot lock the dataset", path.parent):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"{path.parent} is being written by another `avw generate`; wait for it, or name another folder"
            ) from error
        yield
    finally:
        os.close(handle)
