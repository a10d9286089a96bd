"""Files and folders that the user names or owns: one rule for all of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

COMPANION = "._"  # how the names of the files begin that macOS writes beside others on foreign file systems


def local_path(text: str | Path) -> Path:
    """A path as a user types it, with `~` expanded. The home of an unknown user stays as it is, and does not exist."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 (Path.expanduser raises for the home of an unknown user)


def own_files(paths: Iterable[Path]) -> list[Path]:
    """Sorted, without the companion files of macOS: `._flat.glb` is not a mesh, `._train-00000.h5` not a shard."""
    return sorted(path for path in paths if not path.name.startswith(COMPANION))


def plain_name(text: object) -> str:
    """A name that may become part of a path: letters, digits and `_.-`, not first a dot. Raises ValueError for others.

    Names in files from elsewhere go through this, so that none leads to another folder.
    """
    if not isinstance(text, str) or not _PLAIN.fullmatch(text):
        raise ValueError(f"{str(text)[:80]!r} is not a plain name")
    return text


_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")
