"""The cost of a decision is given beside that of CEM, for every setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from benchmarks.plan import plan
from tests.sim_bridge.boxes import box_scene, flat


@pytest.mark.slow
def test_every_setting_has_a_peer_with_as_many_predictions(tmp_path: Path) -> None:
    export_glb(box_scene(*flat()), tmp_path / "flat.glb")
    arguments = ["--quick", "--json", "--scene", str(tmp_path / "flat.glb")]
    document = json.loads(CliRunner().invoke(plan, arguments, catch_exceptions=False).stdout)
    assert [row["name"] for row in document["rows"]] == ["decisions/s, 8 candidates"] * 2
    assert [row["conditions"].split(",")[0] for row in document["rows"]] == ["nothing imagined", "1 denoising step"]
    assert all(row["peer_name"] == "CEM, 4 x 2" and min(row["ours"], row["peer"]) > 0 for row in document["rows"])
