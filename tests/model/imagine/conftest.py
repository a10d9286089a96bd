"""A scripted model: the future looks and sounds like the last observation, turned grey by the number of steps."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from avw.avw4k.reading.episodes import DatasetEpisode, EpisodeDataset, open_dataset
from avw.model.context import ContextNeeds
from avw.model.imagination import Imagination, commanded_motion


class ScriptedModel:
    """What `avw imagine` uses of a `WorldModel`. It remembers what it was asked."""

    hfov, max_offset, prior, predicts_depth = 90.0, 12, "memory", True
    image = SimpleNamespace(config=SimpleNamespace(size=32))
    needs = ContextNeeds(ages=(0,), sound_memory=0, memory=True, hfov=hfov, size=32)

    def __init__(self) -> None:
        self.asked: list[dict] = []

    def imagine(self, episode, *, t, actions, every_step, autoregressive, denoising_steps, seed):
        self.asked.append({"t": t, "actions": tuple(actions), "autoregressive": autoregressive, "seed": seed})
        count, last = len(actions), episode.rgb[t]
        coverage = np.ones((count, *last.shape[:2]), bool)
        coverage[:, :8] = False
        progress = -0.1 * np.arange(1, count + 1, dtype=np.float32)
        return Imagination(
            rgb=np.stack([np.where(np.arange(32)[:, None, None] < 8, 128, last).astype(np.uint8)] * count),
            depth=np.stack([episode.depth[t]] * count),
            audio=np.stack([episode.audio[t]] * count),
            reward=progress - 0.01 * np.arange(1, count + 1),
            progress=progress,
            success=np.full(count, 0.25),
            distance=3.0 - progress,
            motion=commanded_motion(actions),
            coverage=coverage,
        )


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture(scope="session")
def episodes(data_path) -> EpisodeDataset:
    return open_dataset(data_path)


@pytest.fixture(scope="session")
def episode(episodes: EpisodeDataset) -> DatasetEpisode:
    return episodes.split("test")[0]
