"""`avw imagine` with a model that was trained for a moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
from click.testing import CliRunner, Result

from avw.cli.main import avw


@pytest.fixture
def run(tiny_run: Path) -> Path:
    return tiny_run


def imagine(*arguments: object) -> Result:
    return CliRunner().invoke(avw, ["imagine", *map(str, arguments)])


def test_an_episode_is_imagined_and_written(run, data_path, tmp_path):
    result = imagine(run, data_path, "--episode", 1, "--step", 6, "--horizon", 3, "--swap-action", "left*3",
                     "--swap-sound", 2, "--out", tmp_path / "here")  # fmt: skip
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "here" / "imagination.json").read_text())
    assert (written["episode"], written["step"], len(written["actions"])) == (1, 6, 3)
    assert [future["name"] for future in written["futures"]] == ["imagined", "other-actions", "other-sound"]
    assert [future["truth"] is None for future in written["futures"]] == [False, False, True]
    assert len(written["futures"][0]["psnr"]) == 3
    assert {"strip.png", "truth.wav", "imagined.wav", "other-actions-truth.wav", "other-sound.wav"} <= set(
        written["files"]
    )
    assert soundfile.info(tmp_path / "here" / "imagined.wav").frames == 3 * 2400
    assert "PSNR" in result.output
    assert f"{tmp_path / 'here'}" in result.output


def test_json_is_the_only_output_on_stdout(run, tmp_path):
    result = imagine(run, "--step", 0, "--horizon", 2, "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["futures"][0]["truth"]["recorded"] is True
    assert "first observation" in result.stderr


def test_a_scene_is_walked_and_imagined(run, data_path, tmp_path):
    result = imagine(run, "--scene", "flat-a.glb", "--seed", 3, "--walk", 5,
                     "--actions", "left*2,forward", "--out", tmp_path, "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    written = json.loads(result.stdout)
    assert (written["data"], written["walk"], written["step"]) == (None, 5, 5)
    assert written["futures"][0]["truth"]["recorded"] is False


def test_a_dry_run_writes_nothing(run):
    before = sorted(run.rglob("*"))
    result = imagine(run, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "step 8" in result.output
    assert str(run / "imagination") in result.output
    assert sorted(run.rglob("*")) == before


def test_longer_than_the_model_was_trained_for(run, data_path, tmp_path):
    result = imagine(
        run, data_path, "--step", 4, "--actions", "left*80", "--autoregressive", "--out", tmp_path, "--json"
    )
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)["futures"][0]["reward"]) == 80


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--episode", "99"], "there is no episode 99"),
        (["--step", "99"], "observations 0 to 24"),
        (["--step", "20", "--horizon", "9"], "4 are left after step 20"),
        (["--actions", "stop,forward"], "can only be the last action"),
        (["--actions", "jump"], "'jump' is not an action"),
        (["--actions", "forward*400"], "Add --autoregressive"),
        (["--actions", "forward", "--horizon", "3"], "cannot be used with --actions"),
        (["--actions", "forward", "--swap-action"], "the actions have no turn"),
        (["--scene", "procedural-0001", "--step", "3"], "cannot be combined"),
        (["--scene", "procedural-1"], "procedural-1"),
        (["--swap-sound", "99"], "there is no episode 99"),
    ],
)
def test_wrong_usage_is_a_sentence_and_exit_code_2(run, arguments, message):
    result = imagine(run, *arguments)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert message in result.stderr.replace("\n", " ")
    assert "Traceback" not in result.stderr


def test_a_run_without_a_model_is_refused(tmp_path):
    result = imagine(tmp_path)
    assert result.exit_code == 2
    assert "model.safetensors" in result.stderr


def test_a_dataset_of_another_size_is_refused(run, tmp_path):
    from avw import SimulatorConfig, generate

    config = SimulatorConfig(size=16, emitters=100)
    generate(tmp_path / "small", scenes="procedural:3", trajectories=3, steps=4, simulator=config)
    result = imagine(run, tmp_path / "small", "--step", 1)
    assert result.exit_code == 2
    assert "16 x 16 pixels" in result.stderr
