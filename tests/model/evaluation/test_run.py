"""`avw.evaluate` and the command, with a model whose tokenizers were fitted; horizons that cannot be evaluated."""

from __future__ import annotations

import dataclasses
import functools
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import avw as face
from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.cli.evaluate import table
from avw.cli.main import avw
from avw.model.evaluation.config import EvaluationConfig
from avw.model.evaluation.measures import MEASURES
from avw.model.evaluation.run import possible_horizons
from avw.model.metrics.perceptual import PERCEPTUAL
from avw.model.run_folder import MODEL
from avw.model.training.configuration.presets import preset
from avw.model.training.train import train
from avw.sim_bridge.errors import UsageError


@pytest.fixture(scope="module")
def run(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose network was not trained: only its tokenizers were fitted."""
    out = tmp_path_factory.mktemp("runs") / "run"
    config = preset("nano", dataset, steps=[1, 1, 1])
    config = dataclasses.replace(
        config,
        net=dataclasses.replace(config.net, width=32, depth=1, heads=2),
        tokenizers=dataclasses.replace(config.tokenizers, frames=40, steps=1),
    )
    train(dataset, out, config, stages=("tokenizers",)).save(out / MODEL)
    return out


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few sequences, for speed: the command has no option for their number. No packages of the extra `metrics`."""
    small = functools.partial(EvaluationConfig, sequences=1, states=4, clips=4, candidates=4, shown=1)
    monkeypatch.setattr("avw.model.evaluation.run.EvaluationConfig", small)
    for name in list(PERCEPTUAL):
        monkeypatch.setitem(PERCEPTUAL, name, lambda futures: 1.0)


@pytest.fixture
def windows(dataset: Dataset) -> Windows:
    return Windows(dataset, "test", WindowConfig(ages=(0,)))


def test_a_horizon_longer_than_every_episode_is_skipped_with_its_reason(windows: Windows):
    longest = max(ref.steps for ref in windows.episodes)
    possible, skipped = possible_horizons(windows, (longest, 1, longest + 1), 1000)
    assert possible == [longest, 1]
    assert skipped == {str(longest + 1): f"the longest episode of the test split has {longest} steps"}


def test_a_horizon_that_the_model_was_not_trained_for_is_skipped(windows: Windows):
    possible, skipped = possible_horizons(windows, (1, 4, 9), 8)
    assert possible == [1, 4]
    assert skipped == {"9": "the model was trained to look at most 8 steps ahead"}


def test_no_horizon_left_is_an_error_that_names_one_that_works(windows: Windows):
    longest = max(ref.steps for ref in windows.episodes)
    with pytest.raises(UsageError, match=rf"test split has {longest} steps.*--horizons 1,{longest // 2},{longest}"):
        possible_horizons(windows, (longest + 1, 99), 1000)


def test_the_command_writes_what_it_prints(run: Path, short: None):
    arguments = ["evaluate", str(run), "--horizons", "1,99", "--count", "2", "--parts", "ranking,sequences"]
    done = CliRunner().invoke(avw, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result == json.loads((run / "evaluation.json").read_text())
    assert not list(run.glob("*.tmp"))
    assert list(result["horizons"]) == ["1"]
    assert set(result["horizons"]["1"]) == set(MEASURES)
    parts = [done.stderr.rfind(f", {name}]") for name in ("sequences", "ranking", "samples")]  # beside the bar
    assert -1 < parts[0] < parts[1] < parts[2], done.stderr
    assert "Horizon 99 was skipped: the longest episode of the test split has" in done.stderr
    assert result["perceptual"] == dict.fromkeys(PERCEPTUAL, 1.0)
    sequences = {"model", "model_with_true_sound", "model_with_true_images", "oracle_tokenizer"}
    assert set(result["sequences"]) == sequences
    assert result["ranking"]["states"] > 0
    assert result["ranking"]["possible_gain"] > 0.0
    assert "counterfactuals" not in result
    assert [note["name"] for note in json.loads((run / "samples" / "samples.json").read_text())] == ["sample-0"]
    as_text = table(result)
    assert "PSNR" in as_text
    assert "model minus reprojection" in as_text
    assert "ranking of poses" in as_text


def test_runs_are_compared_on_the_same_windows(run: Path, short: None):
    result = face.evaluate(run, horizons=(2,), count=3, against=[run, run], parts=())
    row = result["horizons"]["2"]
    for metric in ("psnr", "lsd", "reward_error"):
        assert row[metric]["stitched"] == row[metric]["model"]
        assert result["paired"]["2"][metric]["stitched"] == [0.0, 0.0, 0.0]
    assert result["against"] == ["run", "run"]
    # What the memory shows is the same for all methods; the baseline is the paste without a network.
    assert row["psnr"]["reprojection_realised"] >= row["psnr"]["reprojection"] - 1e-6


def test_unknown_parts_and_too_many_runs_are_refused(run: Path):
    with pytest.raises(UsageError, match="unknown part 'everything'"):
        face.evaluate(run, parts=("everything",))
    with pytest.raises(UsageError, match="3 runs to compare with"):
        face.evaluate(run, against=["a", "b", "c"])
