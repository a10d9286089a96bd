"""A small model and a finished training of it, for all tests of the training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from avw.avw4k.reading.dataset import Dataset
from avw.model.tokenizers.budget import TokenizerBudget
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.configuration.presets import preset
from avw.model.training.train import train


@pytest.fixture(scope="package")
def config(dataset: Dataset) -> TrainConfig:
    config = preset("nano", dataset, steps=[5, 4, 6])
    return replace(
        config,
        net=replace(config.net, width=32, depth=2, heads=2),
        tokenizers=TokenizerBudget(frames=60, steps=4, depth_channels=4),
        compositor_steps=3,
        contexts=4,
        sound_contexts=4,
        reward_contexts=4,
        reward_targets=3,
        save_every=2,
        log_every=2,
        sample_every=4,
    )


@pytest.fixture(scope="package")
def run(dataset: Dataset, config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    train(dataset, out, config)
    return out
