"""One writer per dataset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from avw.sim_bridge.storage.disk_errors import readable_errors
from avw.sim_bridge.storage.file_lock import exclusive

LOCK = ".lock"


@contextmanager
def locked(folder: Path, part: tuple[int, int] | None) -> Iterator[None]:
    """One run per folder; the parts of an array job share it, and each part runs once.

    Raises UsageError if another command is writing the dataset or this part of it.
    """
    busy = f"{folder} is being written by another `avw generate`; wait for it, or name another folder"
    with ExitStack() as locks:
        with readable_errors("cannot lock the dataset", folder):
            locks.enter_context(exclusive(folder / LOCK, busy, shared=part is not None))
            if part is not None:
                locks.enter_context(exclusive(folder / f"{LOCK}-{part[0]}-of-{part[1]}", busy))
        yield


@contextmanager
def beginning(folder: Path) -> Iterator[None]:
    """Held while info.json is written for the first time. Other parts of an array job wait, for minutes if needed."""
    with ExitStack() as locks:
        with readable_errors("cannot lock the dataset", folder):
            locks.enter_context(exclusive(folder / f"{LOCK}-begin"))
        yield


def is_locked(folder: Path) -> bool:
    """Whether a command of this machine is writing the dataset. Asks the kernel, and takes no lock itself."""
    try:
        found = (folder / LOCK).stat()
        held = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return False
    return any(line.split()[5].endswith(f":{found.st_ino}") for line in held.splitlines() if "FLOCK" in line)
