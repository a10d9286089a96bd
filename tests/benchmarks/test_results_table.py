"""The published tables contain the figures in the files of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from avw.sim_bridge.errors import UsageError
from benchmarks.results_table import results_table, table, with_results

EVALUATION = {
    "horizons": {
        "16": {
            "psnr": {"model": 17.7, "persistence": 15.9, "rotation_warp": 17.5, "oracle_tokenizer": 28.0},
            "reward_error": {"model": 0.457, "persistence": 0.8},
        },
        "1": {
            "psnr": {"model": 23.6, "persistence": 20.6, "rotation_warp": 23.9, "oracle_tokenizer": 28.5},
            "ild_error": {"model": 1.25, "persistence": None},
        },
    }
}
NAVIGATION = {
    "episodes": 100,
    "policies": {"mpc": {"sr": [0.6, 0.5, 0.7], "na": 210.4}, "random": {"sr": [0.0, 0.0, 0.0]}},
    "paired": {"mpc - greedy-audio": {"sr": [0.25, 0.1, 0.4]}},
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "evaluation.json").write_text(json.dumps(EVALUATION))
    (folder / "navigation.json").write_text(json.dumps(NAVIGATION))
    return folder


def row_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def test_horizons_are_in_order_and_the_best_of_model_and_baselines_is_bold(run: Path) -> None:
    text = table(run, "prediction")
    assert "| Δ = 1 | Δ = 16 |" in text
    assert row_of(text, "| PSNR").endswith("| 23.60 | **17.70** |")
    assert row_of(text, "|  | rotation warp").endswith("| **23.90** | 17.50 |")
    assert row_of(text, "|  | oracle").endswith("| 28.50 | 28.00 |")


def test_smaller_errors_are_better(run: Path) -> None:
    assert row_of(table(run, "prediction"), "| reward error").endswith("| – | **0.457** |")


def test_a_single_figure_is_not_marked_as_best(run: Path) -> None:
    assert row_of(table(run, "prediction"), "| ILD error").endswith("| 1.25 | – |")


def test_navigation_shows_intervals_and_paired_differences(run: Path) -> None:
    text = table(run, "navigation")
    assert row_of(text, "| `mpc` ") == "| `mpc` | 0.60 [0.50, 0.70] | 210 |"
    assert row_of(text, "| `mpc - greedy-audio`") == "| `mpc - greedy-audio` | +0.25 [+0.10, +0.40] |"


def test_the_short_table_omits_secondary_metrics(run: Path) -> None:
    assert "ILD" not in table(run, "short")


def test_only_the_section_between_the_markers_changes(run: Path) -> None:
    before = "# Title\n<!-- results:short -->\nSTALE\n<!-- results:end -->\ntail\n"
    after = with_results(before, run)
    assert after.startswith("# Title\n<!-- results:short -->\n")
    assert after.endswith("<!-- results:end -->\ntail\n")
    assert "STALE" not in after
    assert with_results(after, run) == after


def test_a_section_stays_if_the_run_lacks_its_file(run: Path) -> None:
    kept = "<!-- results:prediction -->\nOLD\n<!-- results:end -->\n"
    before = f"{kept}<!-- results:short -->\nOLD\n<!-- results:end -->\n"
    (run / "evaluation.json").unlink()
    after = with_results(before, run)
    assert after.startswith(kept)
    assert "mpc" in after
    assert with_results("<!-- results:seeds -->\nOLD\n<!-- results:end -->\n", run).splitlines()[1] == "OLD"


def test_a_file_without_markers_is_an_error(run: Path) -> None:
    with pytest.raises(UsageError, match="no results section"):
        with_results("# Title\n", run, "README.md")


def test_a_run_without_figures_is_an_error_with_the_command_to_type(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="make results"):
        table(tmp_path, "short")


def test_a_damaged_file_is_an_error_with_its_name(run: Path) -> None:
    (run / "evaluation.json").write_text("{")
    with pytest.raises(UsageError, match=r"evaluation\.json"):
        table(run, "prediction")


def test_the_command_writes_files(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- results:navigation -->\n<!-- results:end -->\n")
    result = CliRunner().invoke(results_table, [str(run), "--write", str(page)])
    assert result.exit_code == 0
    assert "mpc" in page.read_text()
    assert str(run) not in page.read_text()


def test_other_seeds_stand_below_with_the_policies_that_all_have(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "seed-1"
    other.mkdir()
    own = json.loads((run / "navigation.json").read_text())
    document = {**own, "policies": {"mpc": {"sr": [0.7, 0.6, 0.8]}}}
    (other / "navigation.json").write_text(json.dumps({**document, "episodes": own["episodes"] + 1}))
    with pytest.raises(UsageError, match="run and seed-1 ran other episodes"):
        table(run, "seeds", [other])
    (other / "navigation.json").write_text(json.dumps(document))
    text = table(run, "seeds", [other])
    below = text[text.index("other random seeds") :]
    assert row_of(below, "| `mpc` | run |").startswith("| `mpc` | run | 0.60 [0.50, 0.70] |")
    assert row_of(below, "|  | seed-1 |").startswith("|  | seed-1 | 0.70 [0.60, 0.80] |")
    assert "random`" not in below
    (other / "navigation.json").unlink()
    with pytest.raises(UsageError, match=r"seed-1 has no navigation\.json"):
        table(run, "seeds", [other])
    assert "seed-1" not in table(run, "short", [other])
