"""The costs of imagining are those of the parts that a planner uses, for both priors and every setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from avw.sim_bridge.scenes.meshes.glb_export import export_glb
from benchmarks.imagine import Cost, Setting, imagine, table
from tests.sim_bridge.boxes import box_scene, flat


@pytest.mark.slow
def test_every_setting_has_the_costs_of_both_priors(tmp_path: Path) -> None:
    export_glb(box_scene(*flat()), tmp_path / "flat.glb")
    arguments = ["--quick", "--json", "--scene", str(tmp_path / "flat.glb")]
    document = json.loads(CliRunner().invoke(imagine, arguments, catch_exceptions=False).stdout)
    settings = [tuple(row["setting"].values()) for row in document["rows"]]
    assert settings[::2] == settings[1::2] == [(32, 16, 6, 1), (32, 1, 6, 1), (32, 16, 1, 1), (32, 16, 6, 4)]
    assert [row["prior_kind"] for row in document["rows"]] == ["memory", "rotation"] * 4
    for row in document["rows"]:
        count = row["setting"]["candidates"]
        assert min(row[name] for name in ("observe", "encode", "prior", "predict", "reward_only")) > 0
        assert row["per_candidate"] * count == row["encode"] + row["predict"]


def test_the_table_has_one_line_per_cost() -> None:
    row = Cost(
        prior_kind="memory", setting=Setting(candidates=10), observe=1.0, encode=20.0, prior=3.0, predict=80.0,
        reward_only=5.0, decode=100.0,
    )  # fmt: skip
    assert table([row]).splitlines()[-1] == (
        "| memory | 128 | 10 | 6 | 1 | 1.0 | 20.0 | 3.0 | 80.0 | 5.0 | 100.0 | 10.00 | 20.00 |"
    )
