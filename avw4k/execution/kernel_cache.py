"""Whether Numba's kernels have been compiled on this machine."""

from __future__ import annotations

from pathlib import Path

from avw import sim_bridge


def kernels_cached() -> bool:
    """Whether each source file with kernels has an entry in Numba's cache that is newer than the file.

    A cache in another place (a read-only installation, NUMBA_CACHE_DIR) counts as missing, which only costs time.
    """
    for source in Path(sim_bridge.__file__).parent.rglob("*.py"):
        if b"cache=True" not in source.read_bytes():
            continue
        entries = source.parent.glob(f"__pycache__/{source.stem}.*.nbi")
        if max((entry.stat().st_mtime for entry in entries), default=0.0) < source.stat().st_mtime:
            return False
    return True
