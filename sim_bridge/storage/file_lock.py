"""Locks on files that the kernel releases when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.storage.disk_errors import readable_errors


@contextmanager
def exclusive(path: Path, busy: str = "", *, shared: bool = False) -> Iterator[int]:
    """Hold a lock on `path`, a file that is created if it is missing. Yields its handle.

    shared: with others that ask for a shared lock. If the lock is taken, UsageError is raised with the text `busy`;
    without such a text, the call waits for the lock.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    try:
        try:
            mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(handle, mode | fcntl.LOCK_NB if busy else mode)
        except BlockingIOError as error:
            raise UsageError(busy) from error
        yield handle
    finally:
        os.close(handle)


@contextmanager
def claimed(target: Path, busy: str) -> Iterator[None]:
    """Hold the only lock on a file or folder that is about to be written.

    The lock is a hidden file beside the target, which is removed at the end: it is left only by a kill, when the kernel
    has released it. Raises UsageError with `busy` if the lock is taken (with an empty text, the call waits for it), and
    DatasetError where no file can be created.
    """
    path = target.with_name(f".{target.name}.lock")
    with ExitStack() as locks:
        with readable_errors(f"cannot write {target.name}", target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            while not _is_at(locks.enter_context(exclusive(path, busy)), path):
                locks.pop_all().close()  # its previous holder has removed it between our opening and locking it
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False
