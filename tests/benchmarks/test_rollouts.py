"""Roll-outs against direct jumps: the pooled figures."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.rollouts import summary


def part(error: float, gain: float) -> dict[str, dict[str, np.ndarray]]:
    count = np.full(10, 100)
    row = {
        "seen_error": error * count,
        "seen_count": count,
        "error": np.full(10, 2 * error),
        "energy": np.full(10, gain),
    }
    return {"truth": {"energy": np.ones(10)}, "direct": row, "rolled_out": {**row, "error": np.full(10, 4 * error)}}


def test_errors_are_pooled_over_episodes_and_levels_are_ratios_of_energy() -> None:
    found = summary([part(100.0, 1.0), part(300.0, 3.0)], 10)
    assert list(found) == ["1-8", "9-10"]
    for rows in found.values():
        assert rows["direct"]["psnr_seen"] == pytest.approx(10 * np.log10(255**2 / 200), abs=1e-3)
        assert rows["direct"]["psnr"] - rows["rolled_out"]["psnr"] == pytest.approx(10 * np.log10(2), abs=2e-3)
        assert rows["direct"]["level_db"] == pytest.approx(10 * np.log10(2), abs=1e-3)
