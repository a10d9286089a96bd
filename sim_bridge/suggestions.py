"""What the user may have meant by a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ " Did you mean 'oracle'?", or "" if nothing is similar."""
    found = _closest(name, known)
    return f" Did you mean {found!r}?" if found else ""


def similar_path(path: Path) -> str:
    """The same for a path: an entry of the folder in which it should be."""
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.name != path.name and entry.name[0] != "."]
    except OSError:
        return ""
    found = _closest(path.name, names)
    return f" Did you mean {str(path.with_name(found))!r}?" if found else ""


def _closest(name: str, known: Iterable[str]) -> str:
    """The name that is most similar; "" if none is."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), "")
