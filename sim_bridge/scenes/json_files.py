"""JSON from someone else, read only as far as it is what was expected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_object(path: Path, largest: int) -> dict[str, Any]:
    """The object in a file of at most `largest` bytes. Raises OSError or ValueError with the reason."""
    if path.stat().st_size > largest:
        raise ValueError(f"more than {largest:,} bytes")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("brackets within brackets without end") from None
    if not isinstance(values, dict):
        raise ValueError("no JSON object")
    return values
