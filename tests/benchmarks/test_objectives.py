"""The study of objectives: sharpness is what it says, and every objective is measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from avw.avw4k.execution.this_process import run_in_this_process
from avw.avw4k.plan.spec import DatasetSpec
from avw.avw4k.writing.generate import generate
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from avw.sim_bridge.simulators.protocol import SimulatorConfig
from benchmarks.objectives import OBJECTIVES, difference_energy, objectives
from tests.sim_bridge.boxes import box_scene, flat


def test_the_energy_of_differences_counts_pairs_inside_the_mask_only() -> None:
    rgb = np.zeros((1, 4, 4, 3), np.uint8)
    rgb[0, :, 2:] = 10  # an edge between columns 1 and 2
    mask = np.ones((1, 4, 4), bool)
    assert difference_energy(rgb, mask) == 4 * 10.0**2
    assert difference_energy(rgb.transpose(0, 2, 1, 3), mask) == 4 * 10.0**2
    mask[0, :2, 1] = False
    assert difference_energy(rgb, mask) == 2 * 10.0**2


@pytest.mark.slow
def test_every_objective_is_trained_and_measured(tmp_path: Path) -> None:
    for name in ("a.glb", "b.glb", "c.glb"):
        export_glb(box_scene(*flat()), tmp_path / name)
    spec = DatasetSpec(
        scenes=tuple(str(tmp_path / name) for name in ("a.glb", "b.glb", "c.glb")),
        trajectories=9,
        steps=24,
        simulator=SimulatorConfig(backend="embedded", size=32, emitters=500),
    )
    generate(tmp_path / "data", spec, execute=run_in_this_process)
    arguments = [str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--quick", "--json"]
    rows = json.loads(CliRunner().invoke(objectives, arguments, catch_exceptions=False).stdout)["rows"]
    measured = {(row["objective"], row["steps"]) for row in rows}
    first, *others = OBJECTIVES
    assert measured == {(first, 1), *((name, steps) for name in others for steps in (1, 2, 4))}
    assert all(np.isfinite([row["unseen_psnr"], row["sharpness"]]).all() for row in rows)
