"""`avw.train` and `avw.evaluate`: a run from a dataset's folder, with the defaults of the command line."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

import avw
from avw.model.tokenizers.budget import TokenizerBudget
from avw.sim_bridge.errors import UsageError


def test_a_dataset_becomes_a_run_and_a_run_is_measured(
    data_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = functools.partial(TokenizerBudget, frames=40, steps=2)
    monkeypatch.setattr("avw.model.training.configuration.presets.TokenizerBudget", small)
    seen: list[str] = []
    run = tmp_path / "run"
    model = avw.train(
        str(data_path), str(run), steps=[1, 1, 2], batch=2, report=lambda stage, *rest: seen.append(stage)
    )
    assert isinstance(model, avw.WorldModel)
    assert list(dict.fromkeys(seen)) == ["tokenizers", "latents", "1", "2", "3", "pixels"]
    config = json.loads((run / "config.json").read_text())
    assert config["train"]["steps"] == {"1": 1, "2": 1, "3": 2}
    assert config["train"]["contexts"] == 2
    assert config["data"] == str(data_path)

    result = avw.evaluate(str(run), count=3, horizons=(1, 2), parts=("ranking",))  # the dataset that the run names
    assert result == json.loads((run / "evaluation.json").read_text())
    assert set(result["horizons"]) == {"1", "2"}
    assert result["windows"] == {"1": 3, "2": 3}
    assert result["split"] == "test"
    assert result["denoising_steps"] == 1  # what nano is trained for
    other = avw.evaluate(run, avw.open_dataset(data_path), split="val", count=3, horizons=(1,), parts=())
    assert other["scenes"] == sorted({episode.scene for episode in avw.open_dataset(data_path).split("val")})
    with pytest.raises(UsageError, match="can take 1"):
        avw.evaluate(run, count=3, horizons=(1,), denoising_steps=2)


def test_unknown_stages_are_refused_before_anything_is_written(data_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"expected one or more of tokenizers,1,2,3"):
        avw.train(data_path, tmp_path / "run", stages=("4",))
    assert not (tmp_path / "run").exists()
