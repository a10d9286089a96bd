"""`benchmarks.train`: every entry is measured, CDiT is read from a repository, and the page has a line for each."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from avw.sim_bridge.errors import UsageError
from benchmarks.train import Measured, page, train
from benchmarks.train_steps import Work, nwm_models, optional, ours


@pytest.mark.slow
def test_every_entry_has_a_rate_and_a_cost() -> None:
    document = json.loads(CliRunner().invoke(train, ["--quick", "--json"], catch_exceptions=False).stdout)
    assert [row["name"] for row in document["sizes"] if row["name"].startswith("ours")] == ["ours, fp32", "ours, bf16"]
    assert len(document["gains"]) == 5
    assert len(document["costs"]) == 6
    for row in document["sizes"] + document["gains"] + document["costs"]:
        assert row["targets_per_second"] > 0
        assert row["gflop"] > 0
        assert row["mfu"] > 0
    alone, shared = (row["gflop"] for row in document["gains"][:2])
    assert alone > 1.2 * shared  # the work that sharing saves does not depend on the machine


def test_a_step_trains() -> None:
    step = ours(Work(size="nano", contexts=1, targets=2, frames=2))
    losses = [float(torch.as_tensor(step())) for _ in range(30)]
    assert losses[-1] < losses[0]


def test_the_page_compares_with_the_network_of_the_same_precision() -> None:
    bf16 = Work(precision="bf16")
    rows = [
        Measured(name="ours, fp32", work=Work(), targets_per_second=6.0, gflop=12.0, mfu=0.6),
        Measured(name="DiT, fp32", work=Work(), targets_per_second=8.0, gflop=9.0, mfu=0.7),
        Measured(name="ours, bf16", work=bf16, targets_per_second=9.0, gflop=12.0, mfu=0.5),
        Measured(name="CDiT, bf16", work=bf16, targets_per_second=4.5, gflop=18.0, mfu=0.4),
    ]
    text = page(rows, rows[:2], rows[:2], {"diffusers": "1.0", "nwm": "abc", "peaks": {"fp32": 90, "bf16": 190}})
    assert "| S | DiT, fp32 | 8 | 0.75 | 9 | 70% |" in text
    assert "| S | CDiT, bf16 | 4.5 | 2.00 | 18 | 40% |" in text
    assert "| DiT, fp32 | 8 | 1.33 | 9 | 70% |" in text
    assert "90 GFLOP/s in float32 and 190 in bfloat16" in text


def test_the_models_come_from_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.train_steps.optional", lambda name: None)
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "models.py").write_text("class CDiT:\n    pass\n")
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "models"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True)
    models, commit = nwm_models(str(repository))
    assert models.CDiT.__name__ == "CDiT"
    assert len(commit) == 10
    with pytest.raises(UsageError, match=r"--nwm .*nowhere"):
        nwm_models(str(tmp_path / "nowhere"))


def test_a_package_that_is_missing_is_named() -> None:
    with pytest.raises(UsageError, match=r"no_such_package is not installed .*pip install no_such_package"):
        optional("no_such_package")
