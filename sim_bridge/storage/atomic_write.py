"""Writing a file so that it is either complete or as it was before, whenever the process or the machine stops."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

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
    shared: several processes or machines may write this file at once, so each needs a temporary file of its own.
        Otherwise the temporary file is always PATH.tmp, so that what a kill leaves is overwritten next time.
    Returns what `check` returns. Raises OSError (e.g. for a full disk) with the temporary file removed, so that its
    space is free again.
    """
    unique = f".{secrets.token_hex(4)}" if shared else ""  # not the process id: those repeat across machines
    tmp = path.with_name(f"{path.name}{unique}{TMP_SUFFIX}")
    try:
        if callable(content):
            content(tmp)
        else:
            tmp.write_bytes(content.encode() if isinstance(content, str) else content)
        sync(tmp)
        checked = check(tmp)
        tmp.replace(path)
    except BaseException:
        with suppress(OSError):
            tmp.unlink()
        raise
    sync(path.parent)
    return checked


def sync(path: Path) -> None:
    """Flush a file or the entries of a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
