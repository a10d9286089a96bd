"""Training: three stages, exact resume, and folders that refuse another configuration."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from avw import open_dataset
from avw.avw4k.reading.dataset import Dataset
from avw.model import checkpoint
from avw.model.av_cdit import AvCdit
from avw.model.context import context_at
from avw.model.diffusion import DiffusionConfig
from avw.model.frames import ContextTensors
from avw.model.run_folder import MODEL, run_data
from avw.model.sound_memory import SoundHistory
from avw.model.training.batches import forgetful
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.configuration.presets import preset
from avw.model.training.configuration.run_config import claim
from avw.model.training.cost.forecast import forecast
from avw.model.training.losses import stage_losses
from avw.model.training.samples import FOLDER
from avw.model.training.stage_state import schedule
from avw.model.training.train import train
from avw.model.training.train_log import WeightsAndBiases
from avw.model.training.weights import init_weights
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import CheckpointError, RunError, TrainingError, UsageError
from tests.model.training.runs import copied


@pytest.mark.parametrize(("sense", "stages"), [("audio", {"2", "3"}), ("vision", {"1", "3"})])
def test_a_model_of_one_sense_skips_the_stage_of_the_other(
    dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path, sense: str, stages: set[str]
):
    alone = preset("nano", dataset, steps=[2, 2, 2], settings=[f"net.modalities={sense}"])
    assert {stage for stage, steps in alone.steps.items() if steps} == stages
    assert (alone.compositor_steps > 0) == (sense == "vision")
    alone = replace(config, steps=alone.steps, net=replace(config.net, modalities=alone.net.modalities))
    shutil.copy(run / "tokenizers.safetensors", tmp_path)
    train(dataset, tmp_path, alone)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {row["stage"] for row in rows} == stages
    assert not {"audio": {"vision"}, "vision": {"audio"}}[sense] & {name for row in rows for name in row}


def test_histories_forget_steps_and_never_the_last_one():
    age = torch.where(torch.arange(64) < 50, torch.arange(64.0), -1.0).expand(200, 64)
    sound = SoundHistory(torch.zeros(200, 64, 5, 6), torch.zeros(200, 64, 3), age)
    context = ContextTensors(torch.zeros(200, 1), torch.zeros(200, 1), torch.zeros(200, 1, 3), sound)
    forgotten = forgetful(context, np.random.default_rng(0), 0.8, 200, slice(0, 200)).sound
    assert forgotten is not None
    known = forgotten.age_BM >= 0
    assert torch.equal(forgotten.age_BM[known], age[known])
    assert known[:, 0].all()
    assert not known[:, 50:].any()
    share = known[:, :50].float().mean(1)
    assert share.min() < 0.1
    assert share.max() > 0.9
    assert forgetful(context, np.random.default_rng(0), 0.0, 200, slice(0, 200)) is context


def test_a_run_writes_the_files_that_other_commands_read(dataset: Dataset, run: Path):
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [(r["stage"], r["step"]) for r in rows] == [
        ("1", 2), ("1", 4), ("1", 5), ("2", 2), ("2", 4), ("3", 2), ("3", 4), ("3", 6)
    ]  # fmt: skip
    assert set(rows[0]) >= {"vision", "loss", "gradient", "targets_per_second", "val_vision"}
    assert rows[0]["gradient"] > 0 < rows[0]["targets_per_second"]
    assert all(0 < row["mfu"] < 1 for row in rows)
    assert ["val_vision" in row for row in rows[:3]] == [True, True, True]  # the lines 1 and 2, and the last
    assert "val_loss" not in rows[0]
    assert "audio" not in rows[0]
    assert "vision" not in rows[4]
    assert set(rows[-1]) >= {"vision", "audio", "distance", "distance_imagined"}
    model = WorldModel.load(run)
    assert model.ages[-1] == 0
    assert model.calibration.temperature > 0
    assert model.note["licences"] == dataset.info["licences"] != {}


def test_samples_show_what_a_stage_predicts(run: Path):
    names = {path.name for path in (run / FOLDER).iterdir()}
    for stage, steps in (("1", (4, 5)), ("2", (4,)), ("3", (4, 6))):
        for step, number in itertools.product(steps, (0, 1)):
            stem = f"stage-{stage}-{step:07d}-{number}"
            assert (f"{stem}.png" in names) == (stage in "13")
            assert (f"{stem}-truth.wav" in names) == (f"{stem}-model.wav" in names) == (stage in "23")
    first, last = (np.asarray(Image.open(run / FOLDER / f"stage-1-000000{step}-0.png")) for step in (4, 5))
    assert first.shape == last.shape
    assert (first != last).any()  # the weights have moved
    truth, model = (soundfile.read(run / FOLDER / f"stage-3-0000006-0-{name}.wav")[0] for name in ("truth", "model"))
    assert truth.shape == model.shape
    assert np.abs(truth).max() == pytest.approx(0.5, abs=1e-3)
    assert (truth != model).any()


def test_a_stage_changes_only_its_own_parameters(run: Path, config: TrainConfig):
    start = AvCdit(config.net)
    init_weights(start, config.seed)
    weights = [start.state_dict()]
    for stage in "123":
        tensors, note = checkpoint.load(run / f"stage-{stage}.safetensors")
        assert note == {"stage": stage, "step": config.steps[stage]}
        weights.append({n: tensors[f"ema.{n}"] for n in weights[0]})
    first, second, third = (
        {name for name in a if not torch.equal(a[name], b[name])} for a, b in itertools.pairwise(weights)
    )
    assert first
    assert second
    assert not any({"audio", "reward"} & set(name.split(".")) for name in first)
    assert all("audio" in name.split(".") for name in second)
    assert {name.split(".")[0] for name in third} >= {"blocks", "adapters", "heads", "condition"}
    assert any("reward" in name.split(".") for name in third)


class KilledError(Exception):
    """In place of a kill: the process ends and nothing more is saved."""


def log_lines(folder: Path) -> list[tuple[str, int]]:
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(row["stage"], row["step"]) for row in rows]


@pytest.mark.parametrize(
    ("stage", "step", "how"),
    [("1", 3, KeyboardInterrupt), ("2", 1, KeyboardInterrupt), ("3", 5, KeyboardInterrupt), ("1", 5, KilledError)],
)
def test_interrupted_and_resumed_equals_uninterrupted(
    dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path, stage: str, step: int, how: type[BaseException]
):
    def interrupt(now: str, at: int, total: int, losses: dict[str, float]) -> None:
        if (now, at) == (stage, step):
            raise how

    out = tmp_path / "cut"
    out.mkdir()
    for name in ("tokenizers.safetensors", "config.json"):  # the slow part, equal by construction
        shutil.copy(run / name, out / name)
    with pytest.raises(how):
        train(dataset, out, config, report=interrupt)
    assert not (out / MODEL).exists()
    # Ctrl-C saves the last complete step; without it, the last checkpoint is at most `save_every` steps old.
    _, note = checkpoint.load(out / f"stage-{stage}.safetensors")
    assert note["step"] == (step if how is KeyboardInterrupt else step // config.save_every * config.save_every)
    done: list[tuple[str, int]] = []
    train(dataset, out, config, report=lambda now, at, total, losses: done.append((now, at)))
    assert min(at for now, at in done if now == stage) == note["step"] + 1  # earlier steps are not repeated
    whole, _ = checkpoint.load(run / MODEL)
    resumed, _ = checkpoint.load(out / MODEL)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert log_lines(out) == log_lines(run)  # each line once, none missing


def test_a_finished_run_is_not_trained_again(dataset: Dataset, config: TrainConfig, run: Path):
    files = [run / "log.jsonl", run / "tokenizers.safetensors", *run.glob("stage-*.safetensors")]
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    done: list[tuple[str, int]] = []
    train(dataset, run, config, report=lambda stage, step, total, losses: done.append((stage, step)))
    # A repeated training would write the same bytes, so what counts is that no step is run and no stage is written.
    assert [entry for entry in done if entry[0] in "123"] == [(stage, config.steps[stage]) for stage in "123"]
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    assert after == before


def test_another_configuration_is_refused(dataset: Dataset, config: TrainConfig, run: Path):
    with pytest.raises(UsageError, match=r"train\.net\.width = 32, but this command has 64.*--out"):
        train(dataset, run, replace(config, net=replace(config.net, width=64)))


def test_a_later_stage_needs_the_one_before(dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path):
    out = tmp_path / "r"
    out.mkdir()
    shutil.copy(run / "tokenizers.safetensors", out)
    with pytest.raises(CheckpointError, match="stage-1"):
        train(dataset, out, config, stages=("tokenizers", "2"))


def test_a_truncated_stage_is_named(dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path):
    out = Path(shutil.copytree(run, tmp_path / "r", ignore=shutil.ignore_patterns("latents")))
    path = out / "stage-3.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"stage-3\.safetensors.*truncated"):
        train(dataset, out, config)


def test_schedule_warms_up_and_decays(config: TrainConfig):
    rates = [schedule(step, 1000, config) for step in range(1000)]
    assert rates[0] < rates[50] < rates[99]
    assert max(rates) <= 1
    assert rates[-1] < 0.01
    assert schedule(999, 1000, replace(config, decay=False)) == 1.0


@pytest.mark.parametrize(
    "objective",
    [
        {"zero_noise": True, "last_share": 0.5},
        {"prediction": "velocity"},
        {"prediction": "shortcut", "steps": 128, "last_share": 0.0},
        {"prediction": "noise", "learn_variance": True},
    ],
    ids=lambda values: values.get("prediction", "clean"),
)
def test_a_run_forecasts_with_the_steps_of_its_objective(
    dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path, objective: dict[str, Any]
):
    out = tmp_path / "r"
    out.mkdir()
    shutil.copy(run / "tokenizers.safetensors", out)
    config = replace(
        config,
        net=replace(config.net, learn_variance="learn_variance" in objective, residual="prediction" not in objective),
        diffusion=replace(config.diffusion, **{"last_share": 0.0, "zero_noise": False, **objective}),
        counterfactual_targets=0 if "prediction" in objective else 2,
        steps=dict.fromkeys("123", 2),
    )
    train(dataset, out, config)
    model = WorldModel.load(out)
    assert model.denoising_steps == DiffusionConfig(**objective).network_calls
    episode = open_dataset(dataset.path).split("test")[0]
    history = model.encode([context_at(episode, 3, model.needs)])
    move = torch.tensor([[[0.6, 0.0, 0.0]]]), torch.tensor([[4]])

    def forecast(steps: int | None, seed: int) -> torch.Tensor:
        return model.predict(history, *move, steps=steps, seed=seed).latents["vision"]

    assert torch.equal(forecast(None, 0), forecast(model.denoising_steps, 0))
    assert not torch.equal(forecast(2, 0), forecast(2, 1))
    # A forecast in one step from zeros has nothing random in it.
    assert torch.equal(forecast(1, 0), forecast(1, 1)) is objective.get("zero_noise", False)


@pytest.mark.parametrize(("prior", "residual"), [("rotation", True), ("none", False)])
def test_every_prior_trains_and_forecasts_images_with_depth(
    dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path, prior: str, residual: bool
):
    shutil.copy(run / "tokenizers.safetensors", tmp_path)
    net = replace(config.net, prior=prior, residual=residual)
    train(dataset, tmp_path, replace(config, net=net, steps=dict.fromkeys("123", 1), compositor_steps=1))
    model = WorldModel.load(tmp_path)
    episode = open_dataset(dataset.path).split("test")[0]
    moves = torch.tensor([[[0.6, 0.0, 0.0], [0.0, 0.0, 0.5]]]), torch.tensor([[4, 3]])
    decoded = model.decode(model.predict(model.encode([context_at(episode, 3, model.needs)]), *moves))
    assert decoded.rgb_PHWC.shape == (2, 32, 32, 3)
    assert decoded.depth_PHW is not None
    assert bool((decoded.depth_PHW > 0).all())


def test_learning_lowers_the_losses(dataset: Dataset, config: TrainConfig, tmp_path: Path):
    """A short training on a few episodes. Compares means over many steps, so a single batch does not decide."""
    config = replace(
        config, steps={"1": 140, "2": 160, "3": 60}, contexts=4, sound_contexts=4, reward_contexts=8, log_every=10
    )
    train(dataset, tmp_path / "r", config)
    rows = [json.loads(line) for line in (tmp_path / "r" / "log.jsonl").read_text().splitlines()]

    def change(stage: str, name: str) -> float:
        values = [row[name] for row in rows if row["stage"] == stage]
        third = len(values) // 3
        return sum(values[-third:]) / sum(values[:third])

    assert change("1", "vision") < 0.95
    assert change("2", "audio") < 0.98
    assert change("3", "distance") < 0.9


@pytest.mark.parametrize("fused", [False, True])
def test_a_gradient_that_is_not_finite_names_its_batch(
    dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fused: bool
):
    """The last good state is kept: that before the step, although the fused optimizer notices at a line of the log."""

    def losses(net: AvCdit, stage: str, batch: Any, diffusion: Any, config: Any, step: int) -> dict[str, torch.Tensor]:
        return {"vision": stage_losses(net, stage, batch, diffusion, config, step)["vision"] / (step != 2)}

    out = copied(run, tmp_path / "r")
    (out / "config.json").unlink()
    config = replace(config, fused_optimizer=fused, log_every=5, save_every=5, validate_every=0, warmup=0, decay=False)
    short = copied(run, tmp_path / "short")
    (short / "config.json").unlink()
    train(dataset, short, replace(config, steps={**config.steps, "1": 2}), stages=("tokenizers", "1"))
    expected, _ = checkpoint.load(short / "stage-1.safetensors")
    monkeypatch.setattr("avw.model.training.stage.stage_losses", losses)
    with pytest.raises(TrainingError, match=r"seed 0, stage 1, step 2 is not finite.*stage-1\.safetensors"):
        train(dataset, out, config, stages=("tokenizers", "1"))
    kept, note = checkpoint.load(out / "stage-1.safetensors")
    assert note == {"stage": "1", "step": 2}
    assert all(torch.isfinite(tensor).all() for tensor in kept.values())
    assert all(torch.equal(tensor, expected[name]) for name, tensor in kept.items() if name.startswith("ema."))


def killed_at(stage: str, step: int) -> Any:
    def report(now: str, at: int, total: int, losses: dict[str, float]) -> None:
        if (now, at) == (stage, step):
            raise KilledError

    return report


def test_fields_that_do_not_change_the_result_may_change(
    dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path
):
    out = copied(run, tmp_path / "r", "123")
    document = json.loads((out / "config.json").read_text())
    for name in ("accumulate", "precision"):  # a run of a version that did not have them
        del document["train"][name]
    (out / "config.json").write_text(json.dumps(document))
    claim(out, replace(config, save_every=3, accumulate=2), dataset)
    assert json.loads((out / "config.json").read_text())["train"]["accumulate"] == 2
    with pytest.raises(UsageError, match=r'train\.precision = "fp32", but this command has "bf16"'):
        claim(out, replace(config, precision="bf16"), dataset)


def test_a_run_that_was_moved_finds_its_data_or_asks_for_it(
    dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(dataset.path.parent)
    here = open_dataset(Path(dataset.path.name))
    out = tmp_path / "project" / "run"
    out.mkdir(parents=True)
    claim(out, config, here)
    assert run_data(out) == Path(dataset.path.name)
    monkeypatch.chdir(tmp_path)  # another folder
    assert run_data(out).resolve() == dataset.path.resolve()
    away = Path(shutil.move(out, tmp_path / "run"))
    with pytest.raises(RunError, match=r"was trained on data, which is not there.*avw evaluate .*run DATA"):
        run_data(away)


def test_the_forecast_is_what_a_run_takes(dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path):
    out = copied(run, tmp_path / "r", "1")
    with pytest.raises(KilledError):
        train(dataset, out, replace(config, validate_every=0, save_every=1), report=killed_at("2", 3))
    files = {path.name: path.stat().st_size for path in run.iterdir()}
    ahead = forecast(dataset, run, replace(config, steps={"1": 0, "2": 1, "3": 0}))
    assert ahead.checkpoint == pytest.approx((out / "stage-2.safetensors").stat().st_size, rel=0.1)
    assert sum(ahead.parameters.values()) == sum(p.numel() for p in AvCdit(config.net).parameters())
    latents = sum(path.stat().st_size for split in ("latents", "latents-val") for path in (run / split).glob("*.npy"))
    assert ahead.latents == pytest.approx(latents, rel=0.05)
    stages = sum(size for name, size in files.items() if name.startswith("stage-"))
    assert ahead.disk_after - ahead.latents == pytest.approx(stages * 4 / 3, rel=0.1)


def test_lines_of_the_log_go_to_the_boards(
    dataset: Dataset, config: TrainConfig, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A stand-in for TensorBoard, which is optional: the name, the value and the step of each curve."""
    curves: list[tuple[str, float, int]] = []

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path / "r" / "tensorboard")

        def add_scalar(self, name: str, value: float, step: int) -> None:
            curves.append((name, value, step))

        def add_image(self, name: str, rgb_HWC: np.ndarray, step: int, dataformats: str) -> None:
            assert dataformats == "HWC"
            assert rgb_HWC.dtype == np.uint8
            curves.append((name, 0.0, step))

        def add_audio(self, name: str, sound_S: np.ndarray, step: int, sample_rate: int) -> None:
            assert sound_S.ndim == 1
            curves.append((name, 0.0, step))

        def close(self) -> None:
            curves.append(("closed", 0.0, 0))

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=SummaryWriter))
    out = copied(run, tmp_path / "r")
    train(dataset, out, config, stages=("tokenizers", "1"))
    row = json.loads((out / "log.jsonl").read_text().splitlines()[0])
    assert ("stage 1/vision", pytest.approx(row["vision"], abs=1e-6), 2) in curves
    assert curves[-1][0] == "closed"
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UsageError, match=r"avw\[wandb\]"):
        train(dataset, copied(run, tmp_path / "w"), replace(config, wandb="project", tensorboard=False))


def test_folders_of_one_name_are_two_runs_of_weights_and_biases(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, Any]] = []
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **options: started.append(options)))
    for folder in ("a", "b", "a"):
        out = tmp_path / folder / "seed-0"
        out.mkdir(parents=True, exist_ok=True)
        WeightsAndBiases(replace(config, wandb="project"), out)
    first, other, again = (options["id"] for options in started)
    assert first == again != other
    assert {options["name"] for options in started} == {"seed-0"}


def test_batches_that_cannot_be_divided_are_refused_before_anything_is_made(
    dataset: Dataset, config: TrainConfig, tmp_path: Path
) -> None:
    wanted = replace(config, contexts=6, sound_contexts=6, reward_contexts=4, accumulate=3)
    with pytest.raises(UsageError, match="4 contexts cannot be divided into 3 equal parts"):
        train(dataset, tmp_path / "run", wanted)
    assert not (tmp_path / "run" / "tokenizers.safetensors").exists()
