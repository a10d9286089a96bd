"""SHA-256 of shards. A reader compares it with the manifest before it opens a shard, once per process and file stamp.

HDF5's own checksum of arrays, Fletcher-32, does not see a 16-bit word that changes between 0000 and FFFF; a SHA-256
sees every change. Hashing takes about as long as reading from a fast disk (docs/dataset.md has the figures), so
it is done once, and again if the file's size, times or inode have changed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.storage.small_files import refuse_irregular

SWITCH = "AVW_CHECKSUMS"
Stamp = tuple[str, int, int, int, int, int]
_known: dict[Stamp, str] = {}


def checksums_wanted(asked: bool | None = None) -> bool:
    """Whether readers compare the SHA-256 of shards: as `asked`, else unless $AVW_CHECKSUMS is 0."""
    return os.environ.get(SWITCH, "1") != "0" if asked is None else asked


def shard_sha256(path: Path) -> str:
    """SHA-256 of a file, read only if its stamp is new to this process. Raises DatasetError like `file_sha256`."""
    try:
        found = path.stat()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error
    stamp = (str(path.absolute()), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    if stamp not in _known:
        _known[stamp] = file_sha256(path)
    return _known[stamp]


def file_sha256(path: Path) -> str:
    """SHA-256 of a regular file. Raises DatasetError where it cannot be read."""
    try:
        refuse_irregular(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DatasetError(f"{path} is not read: {error}") from error
