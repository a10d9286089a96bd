"""Training gives the loss curve of `tests/golden/curve.txt`; to renew it, type: python -m tests.golden.curve.

The recorded values are compared with a tolerance: the last bits differ between processors, and grow in some tens of
steps.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from avw.avw4k.reading.dataset import Dataset
from tests.golden.curve import FILE, STEPS, measure

TOLERANCE = 2e-3


def values(lines: list[str]) -> dict[str, float]:
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_the_loss_curve_has_not_changed(dataset: Dataset, tmp_path: Path) -> None:
    recorded, measured = values(FILE.read_text().splitlines()), values(measure(dataset, tmp_path / "run"))
    assert measured == pytest.approx(recorded, rel=TOLERANCE), "if on purpose, type: python -m tests.golden.curve"


def test_the_recorded_curve_covers_every_stage_and_loss() -> None:
    recorded = values(FILE.read_text().splitlines())
    assert sum(STEPS) <= 60
    for stage, names in {"1": ["vision"], "2": ["audio", "source"], "3": ["vision", "audio", "distance"]}.items():
        for name in (*names, "gradient"):
            curve = [value for key, value in recorded.items() if key.split()[0] == stage and key.split()[2] == name]
            assert len(curve) == STEPS[int(stage) - 1] // 4
            assert max(curve) > (1 + 5 * TOLERANCE) * min(curve)  # a training that changes nothing would be seen
