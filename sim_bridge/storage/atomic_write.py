"""Writing a file or a folder so that it is either complete or as it was before, whenever the process stops.

Temporary files have random names: a file of the user that happens to end in `.tmp` is never touched, and two commands
never write into one file. What a killed command has left is removed by the next one that writes the same file. A lock
on each temporary file shows whether its writer is still running.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from avw.sim_bridge.errors import UsageError

TMP_SUFFIX = ".tmp"
Checked = TypeVar("Checked")


def atomic_write(
    path: Path,
    content: bytes | str | Callable[[Path], object],
    check: Callable[[Path], Checked] = lambda tmp: None,  # type: ignore[assignment,return-value]
    *,
    shared: bool = False,
) -> Checked:
    """Write a temporary file beside `path`, fsync it, `check(tmp)`, rename it to `path`, and fsync the folder.

    content: bytes, text (stored as UTF-8), or a function that writes the file whose path it is given.
    shared: other machines may write this file at once, so that what they have left is not looked for.
    Returns what `check` returns. Raises OSError (e.g. for a full disk) with the temporary file removed, so that its
    space is free again.
    """
    if not shared:
        _remove_leftovers(path)
    tmp = _temporary(path)
    handle = os.open(tmp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        if callable(content):
            content(tmp)
        else:
            tmp.write_bytes(content.encode() if isinstance(content, str) else content)
        with suppress(OSError):  # a library may have put a file for its user alone in its place
            tmp.chmod(os.fstat(handle).st_mode & 0o777)
        sync(tmp)
        checked = check(tmp)
        tmp.replace(path)
    except BaseException:
        with suppress(OSError):
            tmp.unlink()
        raise
    finally:
        os.close(handle)
    sync(path.parent)
    return checked


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, renamed to `out` at the end, or removed if anything fails.

    Raises UsageError if `out` contains something, at the start or at the end.
    """
    _refuse_filled(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(out)
    partial = _temporary(out)
    partial.mkdir()
    handle = os.open(partial, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield partial
        _refuse_filled(out)
        partial.rename(out)  # replaces an empty folder
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        os.close(handle)


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}{TMP_SUFFIX}")


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files and folders of killed writers of `path`."""
    pattern = re.compile(re.escape(path.name) + r"\.[0-9a-f]{8}" + re.escape(TMP_SUFFIX))
    with suppress(OSError):
        for entry in os.scandir(path.parent):
            if pattern.fullmatch(entry.name) and not entry.is_symlink():
                _remove_unlocked(Path(entry.path))


def _remove_unlocked(path: Path) -> None:
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        finally:
            os.close(handle)


def _refuse_filled(out: Path) -> None:
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise UsageError(f"{out} is not empty; choose a new folder, or delete this one")


def sync(path: Path) -> None:
    """Flush a file or the entries of a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
