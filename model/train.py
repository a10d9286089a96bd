"""`avw.train`: train a world model with the defaults of `avw train`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.model.device import pick_device
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.configuration.presets import preset
from avw.model.training.stage import Report
from avw.model.training.train import STAGES
from avw.model.training.train import train as train_config
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import UsageError


def train(
    data: str | Path | Dataset,
    out: str | Path = "runs/latest",
    *,
    size: str = "nano",
    stages: Sequence[str] = STAGES,
    steps: Sequence[int] | None = None,
    scale: float = 1.0,
    batch: int | None = None,
    learning_rate: float | None = None,
    settings: Sequence[str] = (),
    config_file: str | Path | None = None,
    init: str = "",
    image_tokenizer: str = "",
    audio_tokenizer: str = "",
    seed: int | None = None,
    device: str = "auto",
    report: Report = lambda stage, step, steps, losses: None,
) -> WorldModel:
    """Train the world model on a dataset into the run folder `out`, or continue the training that is there.

    data: a dataset or its folder · size: "nano" trains on a laptop CPU; S, B, L and XL are NWM's sizes
    stages: some of "tokenizers", "1", "2", "3" · steps: of stages 1, 2 and 3; None: those of the size
    scale: a factor for the steps
    batch: contexts per batch, four targets each · learning_rate: its maximum; None: that of the size
    settings: changes of single fields of the configuration, e.g. ["net.prior=none", "net.sound_memory=0"]
    config_file: a TOML file with fields of the configuration, or the config.json of another run
    init: "nwm:FILE" starts from a checkpoint of Navigation World Models; "" from random weights
    image_tokenizer: "pca", "kl" or "sd-vae" · audio_tokenizer: "cues" or "codec" · "": those of the size
        With ":PATH", e.g. "kl:runs/first/tokenizers.safetensors", the one in this file, which is not trained again
    seed: of weights, windows and noise; None: that of the file, or 0
    device: "auto", "cpu", "cuda", … · report: called in every step with (stage, step, steps, losses)

    The same arguments as `avw train` has options. Raises UsageError for a wrong value, and if `out` holds another run.
    """
    dataset, config = configured(
        data, out, size=size, stages=stages, steps=steps, scale=scale, batch=batch, learning_rate=learning_rate,
        settings=settings, config_file=config_file, init=init, seed=seed, image_tokenizer=image_tokenizer,
        audio_tokenizer=audio_tokenizer,
    )  # fmt: skip
    return train_config(dataset, Path(out), config, stages=tuple(stages), device=pick_device(device), report=report)


def configured(
    data: str | Path | Dataset, out: str | Path, *, size: str, stages: Sequence[str], steps: Sequence[int] | None,
    scale: float, batch: int | None, learning_rate: float | None, settings: Sequence[str],
    config_file: str | Path | None, init: str, seed: int | None, image_tokenizer: str = "", audio_tokenizer: str = "",
) -> tuple[Dataset, TrainConfig]:  # fmt: skip
    """The dataset and the configuration of a training. Arguments and errors as for `train`."""
    if not stages or any(stage not in STAGES for stage in stages):
        raise UsageError(f"--stages {','.join(stages)}: expected one or more of {','.join(STAGES)}, e.g. --stages 2,3")
    if steps is not None and (len(steps) != 3 or min(steps) < 0):
        raise UsageError(f"steps={list(steps)}: expected three numbers of at least 0, for the stages 1, 2 and 3")
    if (Path(out) / "manifest.jsonl").exists():
        raise UsageError(f"{out} is a dataset; name another folder for the run, e.g. runs/{Path(out).name}")
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    chosen = {"tokenizers.image": image_tokenizer, "tokenizers.audio": audio_tokenizer}
    settings = [*settings, *(f"{name}={value}" for name, value in chosen.items() if value)]
    config = preset(
        size,
        dataset,
        seed=seed,
        steps=list(steps) if steps else None,
        scale=scale,
        contexts=batch,
        learning_rate=learning_rate,
        settings=settings,
        config_file=None if config_file is None else Path(config_file),
        init=init,
    )
    return dataset, config
