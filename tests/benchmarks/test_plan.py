"""The cost of a decision is given beside that of CEM, for every setting."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from avw.model.context import Observer
from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from benchmarks import shipped_cem
from benchmarks.plan import plan
from tests.model.planning.room_walk import KnowingModel, RoomWalk
from tests.sim_bridge.boxes import box_scene, flat


@pytest.mark.slow
def test_every_setting_has_a_peer_with_as_many_predictions(tmp_path: Path) -> None:
    export_glb(box_scene(*flat()), tmp_path / "flat.glb")
    arguments = ["--quick", "--json", "--scene", str(tmp_path / "flat.glb")]
    document = json.loads(CliRunner().invoke(plan, arguments, catch_exceptions=False).stdout)
    rows = [row for row in document["rows"] if row["peer_name"] == "CEM, 4 x 2"]
    assert [row["name"] for row in rows] == ["decisions/s, 8 candidates"] * 2
    assert [row["conditions"].split(",")[0] for row in rows] == ["nothing imagined", "1 denoising step"]
    assert all(min(row["ours"], row["peer"]) > 0 for row in document["rows"])


def test_a_solver_with_the_interface_of_stable_worldmodel_gets_the_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the package, which CI does not install: it samples once and returns the best candidate."""

    class Solver:
        def __init__(self, model, *, num_samples, n_steps, topk, seed):
            self.model, self.samples = model, num_samples

        def configure(self, *, action_space, n_envs, config):
            assert (action_space.shape, n_envs, config.horizon, config.action_block) == ((1, 3), 1, 1, 1)

        def solve(self, info):
            candidates = torch.randn(1, self.samples, 1, 3, generator=torch.Generator().manual_seed(0))
            cost = self.model.get_cost(info, candidates)
            assert cost.shape == (1, self.samples)
            return {"actions": candidates[:, int(cost.argmin())]}

    monkeypatch.setattr(shipped_cem, "solvers", lambda: SimpleNamespace(CEMSolver=Solver))
    model = KnowingModel(lambda place_2: float(np.linalg.norm(place_2 - np.array([2.0, 1.0]))))
    observer = Observer(model.needs)
    observer.observe(RoomWalk().observation(), None)
    found = shipped_cem.solve(model, observer.context(), 64, 1, 2, 0)
    assert np.linalg.norm(found[:2] - [2.0, 1.0]) < 2.0
