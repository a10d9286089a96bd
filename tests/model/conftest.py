"""A small dataset, and a run of a small model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.model.tokenizers.budget import TokenizerBudget
from avw.model.training.configuration.presets import preset
from avw.model.training.train import train
from tests.model.small_dataset import write_flats, write_small_dataset


@pytest.fixture(scope="session")
def flats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """Five flats with the same rooms, in files below $AVW_SCENES. A simulator of one opens in a tenth of a second, and
    of a generated house in four."""
    folder = tmp_path_factory.mktemp("flats")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AVW_SCENES", str(folder))
        yield write_flats(folder)


@pytest.fixture(scope="session")
def data_path(flats: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_dataset(tmp_path_factory.mktemp("learning"), flats[:3])


@pytest.fixture(scope="session")
def dataset(data_path: Path) -> Dataset:
    return open_dataset(data_path)


@pytest.fixture(scope="session")
def tiny_run(data_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a small model that was trained for three steps: for what does not depend on its quality."""
    dataset = open_dataset(data_path)
    config = preset("nano", dataset, steps=[1, 1, 1])
    config = replace(
        config,
        net=replace(config.net, width=32, depth=1, heads=2, ages=(5, 2, 0)),
        tokenizers=TokenizerBudget(frames=40, steps=2, depth_channels=4),
        compositor_steps=2,
        contexts=2,
        reward_contexts=2,
        reward_targets=2,
    )
    out = tmp_path_factory.mktemp("runs") / "tiny"
    train(dataset, out, config)
    return out
