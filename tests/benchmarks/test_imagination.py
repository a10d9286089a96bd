"""The table of criteria, from evaluations with known values."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from avw.sim_bridge.errors import UsageError
from benchmarks.imagination import imagination, table

EVALUATION = {
    "horizons": {
        "1": {"psnr": {"model": 27.0, "reprojection": 26.0}},
        "16": {"psnr": {"model": 19.0, "reprojection": 18.0}, "lsd": {"model": 8.0, "persistence": None}},
    },
    "paired": {
        "1": {"psnr_unseen": {"reprojection": [0.4, 0.1, 0.7]}, "ssim": {"reprojection": [-0.004, -0.01, 0.001]}},
        "16": {
            "psnr": {"reprojection": [1.0, -0.1, 2.0]},
            "psnr_unseen": {"reprojection": [0.8, 0.5, 1.1]},
            "depth_absrel_unseen": {"reprojection": [-0.2, -0.3, -0.1]},
            "lsd": {"persistence": [-0.5, -0.7, -0.3], "stitched": [0.1, 0.05, 0.2]},
        },
    },
    "sequences": {"model": {"av_lag_error_seconds": 0.2}},
    "ranking": {"rank_correlation": 0.65, "distance_error": 0.4},
    "counterfactuals": {"action": {"ild": {"score": 0.97}, "itd": {"score": None}}},
    "rollouts": {"psnr_seen": {"64": {"difference": -0.6}}, "level_drift_db": {"mean": -3.5}},
}


def cells(text: str, name: str) -> list[str]:
    [line] = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_criteria_are_met_or_not():
    text = table({"a": EVALUATION})
    met = {
        "PSNR of unseen pixels, dB: model − reprojection, Δ = 1": "+0.400 [+0.100, +0.700] ✓",
        "PSNR of unseen pixels, dB: model − reprojection, Δ = 16": "+0.800 [+0.500, +1.100] ✗",  # at least 1 dB
        "PSNR, dB: model − reprojection, Δ = 16": "+1.000 [-0.100, +2.000] ✗",  # the interval contains 0
        "SSIM: model − reprojection, Δ = 1": "-0.004 [-0.010, +0.001] ✓",
        "depth AbsRel, unseen: model − reprojection, Δ = 16": "-0.200 [-0.300, -0.100] ✓",
        "LSD, dB: model − persistence, Δ = 16": "-0.500 [-0.700, -0.300] ✓",
        "LSD, dB: model − stitched, Δ = 16": "+0.100 [+0.050, +0.200] ✗",
        "AV-lag error, s": "0.200 ✓",
        "rank correlation of poses 1 to 6 m away": "0.650 ✗",
        "distance error below 4 m, m": "0.400 ✓",
        "sign of the ILD after a swapped turn, share": "0.970 ✓",
        "sign of the ITD after a swapped turn, share": "–",
        "64 steps step by step: PSNR of seen pixels, dB": "-0.600 ✓",
        "64 steps step by step: level, dB": "-3.500 ✗",
    }
    for name, expected in met.items():
        assert cells(text, name)[1] == expected, name
    assert "model − reprojection, Δ = 1 |" not in text.split("PSNR, dB")[1].split("\n")[0]  # only at 4 and 16


def test_runs_are_columns_and_their_mean_is_the_last(tmp_path: Path):
    other = copy.deepcopy(EVALUATION)
    other["ranking"]["rank_correlation"] = 0.75
    for name, evaluation in (("seed-0", EVALUATION), ("seed-1", other)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "evaluation.json").write_text(json.dumps(evaluation))
    runs = [str(tmp_path / name) for name in ("seed-0", "seed-1")]
    done = CliRunner().invoke(imagination, runs)
    assert done.exit_code == 0, done.output
    assert cells(done.stdout, "criterion") == ["wanted", "seed-0", "seed-1", "mean"]
    assert cells(done.stdout, "rank correlation of poses 1 to 6 m away") == ["≥ 0.7", "0.650 ✗", "0.750 ✓", "0.700"]
    assert "| psnr | model | 27.000 | 19.000 |" in done.stdout
    assert "| lsd | persistence | – | – |" in done.stdout
    found = json.loads(CliRunner().invoke(imagination, [*runs, "--json"]).stdout)
    assert found["AV-lag error, s"]["seed-1"] == {"value": 0.2, "interval": None, "met": True}


def test_a_run_without_an_evaluation_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"has no evaluation.json; type: avw evaluate"):
        CliRunner().invoke(imagination, [str(tmp_path)], catch_exceptions=False)


def test_the_tables_of_a_page_are_replaced(tmp_path: Path) -> None:
    evaluation = copy.deepcopy(EVALUATION)
    there = {
        name: {"model": 2.0, "reprojection": 1.0, "persistence": 3.0, "recall": 2.004}
        for name in ("psnr", "psnr_unseen", "depth_absrel_unseen", "lsd", "ild_error")
    }
    evaluation["horizons"] = dict.fromkeys(("1", "4", "16"), there)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "evaluation.json").write_text(json.dumps(evaluation))
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- imagination:short -->\nold\n<!-- imagination:end -->\nb\n<!-- imagination:criteria -->\n"
                    "<!-- imagination:end -->\n")  # fmt: skip
    result = CliRunner().invoke(imagination, [str(tmp_path / "run"), "--write", str(page)])
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("a\n<!-- imagination:short -->\n| ")
    assert "| PSNR, dB ↑ | AV-CDiT (nano) | 2.00 | 2.00 | 2.00 |\n|  | reprojection | 1.00 | 1.00 | 1.00 |\n" in text
    assert "|  | persistence | **3.00** | **3.00** | **3.00** |" in text
    assert (
        "| log-spectral distance, dB ↓ | AV-CDiT (nano) | **2.00** | **2.00** | **2.00** |\n|  | recall | **2.00**"
        in text
    )
    assert "| AV-lag error, s | ≤ 0.3 | 0.200 ✓ | 0.200 |" in text
    assert str(tmp_path) not in text
