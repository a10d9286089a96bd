"""Measure the reference values again and write them: `python -m tests.golden`."""

from __future__ import annotations

import json

from tests.golden.measure import FILE, measure

FILE.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
print(f"wrote {FILE.name}; the diff shows what your change does to houses, episodes and plans")
