"""SHA-256 of scene files, kept on disk so that a file that has not changed is read only once.

The cache is one small JSON file, $XDG_CACHE_HOME/avw/digests.json or ~/.cache/avw/digests.json. An entry counts as long
as the path, the size and the times of the file are the same. A damaged cache is ignored and replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.small_files import read_object

_MOST = 20_000  # entries; the oldest are dropped
_LARGEST = 20_000_000  # bytes of a cache file that is read
_SETTLED = 2.0  # seconds since the last change before a digest is kept: two changes may share one time stamp
_THREADS = 4  # hashing releases the interpreter's lock


def known_digests(paths: Iterable[Path]) -> dict[Path, str]:
    """The SHA-256 of those files whose digest is in the cache. Reads no file."""
    cache = _load()
    found = ((path, cache.get(_key(path))) for path in paths)
    return {path: entry[-1] for path, entry in found if entry is not None and entry[:-1] == _state(path)}


def digests(paths: Iterable[Path]) -> dict[Path, str]:
    """The SHA-256 of every file, from the cache or by reading it in full. Raises OSError."""
    wanted = list(dict.fromkeys(paths))
    found = known_digests(wanted)
    missing = [path for path in wanted if path not in found]
    states = {path: _state(path) for path in missing}
    with ThreadPoolExecutor(_THREADS) as pool:
        found |= zip(missing, pool.map(file_sha256, missing), strict=True)
    newest = time.time_ns() - int(_SETTLED * 1e9)
    _store({_key(path): [*states[path], found[path]] for path in missing if states[path][1] < newest})
    return found


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, which is read in full."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cache_file() -> Path:
    """Where the digests are kept."""
    folder = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(folder):  # noqa: PTH117 (the standard says to ignore it then)
        folder = os.path.expanduser("~/.cache")  # noqa: PTH111 (never raises)
    return Path(folder) / "avw" / "digests.json"


def _key(path: Path) -> str:
    return os.path.realpath(path)


def _state(path: Path) -> list[int]:
    """[size, modification time, change time], times in ns; [] for a file that is missing.

    Tools that copy files set the modification time, as `cp --preserve` and `rsync` do. Nothing sets the change time.
    """
    try:
        state = path.stat()
    except OSError:
        return []
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns]


def _load() -> dict[str, list[Any]]:
    try:
        values = read_object(cache_file(), _LARGEST, links=True)
    except (OSError, ValueError):
        return {}
    return {key: entry for key, entry in values.items() if _is_entry(entry)}


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, list)
        and [type(value) for value in entry] == [int, int, int, str]
        and len(entry[-1]) == 64
        and set(entry[-1]) <= set("0123456789abcdef")
    )


def _store(entries: Mapping[str, list[Any]]) -> None:
    """Add entries to the cache. A cache that cannot be written is no reason to fail."""
    if not entries:
        return
    kept = {key: entry for key, entry in _load().items() if key not in entries} | dict(entries)
    kept = dict(list(kept.items())[-_MOST:])
    with suppress(OSError):
        path = cache_file()
        if not path.is_absolute():  # a user without a home, as in a container: never a folder called ~
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(kept, indent=0), shared=True)
