"""Where Numba keeps compiled kernels if it can write neither beside the package nor in the home folder."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"


def choose_kernel_cache() -> None:
    """Set $NUMBA_CACHE_DIR to a folder of this user under $TMPDIR where no other place can be written to.

    In a container with a read-only installation and without a home, Numba would refuse to import our kernels. The
    cached files are pickles, so a folder that belongs to somebody else, or that others can write to, is not used.
    """
    if os.environ.get(VARIABLE) or _writable(Path(__file__).resolve().parent) or _writable(_home_cache()):
        return
    folder = Path(tempfile.gettempdir()) / f"avw-numba-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o22
        chosen = str(folder) if private else tempfile.mkdtemp(prefix="avw-numba-")
    except OSError:
        return  # Numba says what it lacks
    os.environ[VARIABLE] = chosen


def _home_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111


def _writable(folder: Path) -> bool:
    """Whether files can be made in a folder, or the folder itself where it is missing."""
    while not folder.exists():
        if folder.parent == folder:
            return False
        folder = folder.parent
    return os.access(folder, os.W_OK)
