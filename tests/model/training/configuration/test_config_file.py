"""`avw train --config FILE`: every field, types, and messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from avw.avw4k.reading.dataset import Dataset
from avw.model import checkpoint
from avw.model.av_cdit import AvCditConfig
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.configuration.config_file import from_file
from avw.model.training.configuration.presets import preset
from avw.sim_bridge.errors import UsageError

CONFIG = TrainConfig(net=AvCditConfig())


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_a_file_replaces_the_fields_that_it_names(tmp_path: Path) -> None:
    text = """
    learning_rate = 1
    precision = "bf16"
    [steps]
    2 = 7
    [net]
    ages = [4, 2, 0]
    prior = "none"
    [diffusion]
    sampling_steps = 2
    """
    found = from_file(CONFIG, written(tmp_path, text))
    assert (found.learning_rate, found.precision, found.steps) == (1.0, "bf16", {**CONFIG.steps, "2": 7})
    assert isinstance(found.learning_rate, float)
    assert (found.net.ages, found.net.prior, found.diffusion.sampling_steps) == ((4, 2, 0), "none", 2)
    assert found.net.width == CONFIG.net.width


def test_every_field_of_the_configuration_of_a_run_is_read_back(tmp_path: Path) -> None:
    other = from_file(CONFIG, written(tmp_path, 'wandb = "x"\ncontexts = 3\n[compositor]\nwidth = 5'))
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"train": checkpoint.as_json(other), "dataset": "", "data": ""}))
    assert from_file(CONFIG, path) == other


def test_a_stage_that_a_file_leaves_out_stays_out(dataset: Dataset, tmp_path: Path) -> None:
    path = written(tmp_path, "compositor_steps = 0\n[steps]\n1 = 0\n2 = 0\n3 = 5")
    for scale, third in ((1.0, 5), (0.01, 1)):
        found = preset("nano", dataset, config_file=path, scale=scale)
        assert ({stage: n for stage, n in found.steps.items() if n}, found.compositor_steps) == ({"3": third}, 0)


def test_a_scale_multiplies_the_steps_that_are_asked_for(dataset: Dataset) -> None:
    found = preset("nano", dataset, steps=[0, 20, 200], scale=0.1)
    assert (found.steps, found.compositor_steps) == ({"1": 0, "2": 2, "3": 20}, 20)


def test_options_of_the_command_line_replace_the_file(dataset: Dataset, tmp_path: Path) -> None:
    path = written(tmp_path, "seed = 3\ncontexts = 6\nlearning_rate = 0.5\nsave_every = 11")
    found = preset("nano", dataset, config_file=path, contexts=9, settings=["learning_rate=0.25"])
    assert (found.seed, found.contexts, found.learning_rate, found.save_every) == (3, 9, 0.25, 11)
    assert preset("nano", dataset, config_file=path, seed=4).seed == 4
    assert preset("nano", dataset).seed == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat = 1", r"config\.toml: there is no field 'learning_rat'; did you mean learning_rate\?"),
        ("[net]\nheds = 1", r"no field 'net\.heds'; did you mean net\.heads\?"),
        ("prior = 'none'", r"did you mean net\.prior\?"),
        ("contexts = 2.5", "contexts is 2.5: expected a whole number"),
        ("net = 3", r"expected a table \[net\]"),
        ("[steps]\n4 = 3", "no stage '4'"),
        ("[net]\nprior = 'cake'", "expected one of none, rotation, memory"),
        ("precision = 'fp8'", "expected one of fp32, bf16"),
        ("contexts = ", "Invalid value"),
    ],
)
def test_a_wrong_file_is_one_clear_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_file(CONFIG, written(tmp_path, text))
    with pytest.raises(UsageError, match="does not exist"):
        from_file(CONFIG, tmp_path / "none.toml")
