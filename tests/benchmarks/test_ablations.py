"""The table of ablations."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from benchmarks.ablations import ablations


def evaluation(lsd: float, rank: float | None, psnr: float | None = None) -> dict[str, object]:
    there: dict[str, object] = {"lsd": {"model": lsd, "persistence": 9.0}}
    if psnr is not None:
        there["psnr_unseen"] = {"model": psnr}
    return {"horizons": {"4": there}, "ranking": {} if rank is None else {"rank_correlation": rank}}


def write(folder: Path, values: dict[str, object]) -> str:
    folder.mkdir()
    (folder / "evaluation.json").write_text(json.dumps(values))
    return str(folder)


def test_differences_from_the_first_run_are_printed(tmp_path: Path) -> None:
    runs = [
        write(tmp_path / "full", evaluation(5.0, 0.7)),
        write(tmp_path / "no-recall", evaluation(5.25, 0.66, 17.0)),
        write(tmp_path / "no-reward", evaluation(4.75, None)),
    ]
    printed = CliRunner().invoke(ablations, runs).output.splitlines()
    assert printed[0] == "| model | LSD, dB ↓, Δ = 4 | rank correlation ↑ |"
    assert printed[2:] == ["| full | 5.00 | 0.70 |", "| no-recall | +0.25 | -0.04 |", "| no-reward | -0.25 | – |"]


def test_a_run_that_was_not_evaluated_is_named(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    result = CliRunner().invoke(ablations, [str(tmp_path / "full")])
    assert "avw evaluate" in str(result.exception)
