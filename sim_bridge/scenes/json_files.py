"""JSON files from other programs, which may be damaged or malicious."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_object(path: Path, largest: int) -> dict[str, Any]:
    """The JSON object in a file of at most `largest` bytes. Raises OSError or ValueError with the reason."""
    if path.stat().st_size > largest:
        raise ValueError(f"more than {largest:,} bytes")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("brackets nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    return values
