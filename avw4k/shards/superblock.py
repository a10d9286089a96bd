"""Which HDF5 files are opened in this process: those whose metadata have checksums.

The HDF5 library crashes on some damaged metadata. Since schema 2 every shard has superblock version 3, in which all
metadata have checksums, so that a damaged file is an error. Shards of schema 1 have version 0, without checksums. They
are first read in full by a child process, whose crash is harmless.
"""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
from pathlib import Path

WRITTEN = 3  # superblock version of HDF5 1.10, in which AVW writes
OLD_SCHEMA = 1
SIGNATURE = b"\x89HDF\r\n\x1a\n"
CHILD_SECONDS = 60  # of CPU time
CHILD_WAIT = 600  # seconds altogether: a machine may be busy
CHILD_MEMORY = 4 * 2**30
_READ = """
import sys, h5py, hdf5plugin
with h5py.File(sys.argv[1], "r", locking=False) as file:
    file.visititems(lambda name, item: [dict(item.attrs), item[()] if isinstance(item, h5py.Dataset) else None])
"""
_tried: set[tuple[str, int, int]] = set()


def refuse_superblock(path: Path, schema: int) -> None:
    """Raises ValueError, with the reason, for a file that this process must not open as a shard of this schema."""
    with path.open("rb") as file:
        head = file.read(9)
    if len(head) < 9 or head[:8] != SIGNATURE:
        raise ValueError("not an HDF5 file")
    version = head[8]
    if version == WRITTEN:
        return
    if version != 0 or schema != OLD_SCHEMA:
        raise ValueError(f"HDF5 superblock version {version}: AVW writes version {WRITTEN} and opens no other")
    found = path.stat()
    stamp = (str(path), found.st_size, found.st_mtime_ns)
    if stamp not in _tried:
        _try_in_child(path)
        _tried.add(stamp)


def _try_in_child(path: Path) -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _READ, str(path)], capture_output=True, text=True, timeout=CHILD_WAIT,
            preexec_fn=_limit,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ValueError("reading it does not end") from None
    if done.returncode < 0:
        raise ValueError("reading it crashes the HDF5 library, or does not end")
    if done.returncode:
        raise ValueError((done.stderr.strip().splitlines() or ["it cannot be read"])[-1][:200])


def _limit() -> None:
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (CHILD_MEMORY, CHILD_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (CHILD_SECONDS, CHILD_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
