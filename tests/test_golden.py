"""Houses, episodes and plans are those of `tests/golden/golden.json`; to renew it, type: python -m tests.golden.

Hashes are compared on machines like the one that recorded them. Elsewhere the last bit may differ (see determinism.md),
so the recorded figures are compared with a tolerance instead.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.golden.measure import FILE, machine, measure

RECORDED = json.loads(FILE.read_text(encoding="utf-8"))


def differences(recorded: Any, measured: Any, where: str = "", *, exact: bool) -> list[str]:
    """The places where two documents differ. exact: hashes must be equal too, and figures to the last bit."""
    if isinstance(recorded, dict):
        names = recorded.keys() | measured.keys()
        pairs = [(name, recorded.get(name), measured.get(name)) for name in sorted(names)]
        return [line for name, a, b in pairs for line in differences(a, b, f"{where}/{name}", exact=exact)]
    if isinstance(recorded, list):
        if len(recorded) != len(measured):
            return [f"{where}: {len(recorded)} values recorded, {len(measured)} measured"]
        pairs = [(str(index), a, b) for index, (a, b) in enumerate(zip(recorded, measured, strict=True))]
        return [line for name, a, b in pairs for line in differences(a, b, f"{where}/{name}", exact=exact)]
    if not exact and where.endswith("/sha256"):
        return []
    same = recorded == measured
    if not exact and isinstance(recorded, float):
        same = recorded == pytest.approx(measured, rel=1e-3)
    return [] if same else [f"{where}: {recorded} recorded, {measured} measured"]


def test_nothing_simulated_has_changed() -> None:
    found = measure()
    exact = RECORDED.pop("machine") == found.pop("machine")
    assert not differences(RECORDED, found, exact=exact), "if this is on purpose, type: python -m tests.golden"


def test_the_comparison_notices_a_change() -> None:
    house = {"sha256": "a", "area": 100.0, "rooms": ["hall"]}
    assert differences({"h": house}, {"h": house}, exact=True) == []
    assert differences({"h": house}, {"h": {**house, "sha256": "b"}}, exact=False) == []
    assert len(differences({"h": house}, {"h": {**house, "sha256": "b"}}, exact=True)) == 1
    assert len(differences({"h": house}, {"h": {**house, "area": 100.2}}, exact=False)) == 1
    assert len(differences({"h": house}, {"h": {**house, "rooms": []}}, exact=False)) == 1
    assert set(machine()) > {"processor", "numpy"}
