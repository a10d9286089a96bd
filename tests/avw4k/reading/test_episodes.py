"""A dataset as a sequence of episodes, in physical units, and as a torch dataset."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from avw import EpisodeDataset, open_dataset
from avw.sim_bridge.errors import UsageError


@pytest.fixture(scope="module")
def dataset(reference: Path) -> EpisodeDataset:
    return open_dataset(reference)


def test_it_is_a_sequence_of_its_committed_episodes(dataset: EpisodeDataset) -> None:
    assert len(dataset) == 6
    assert [episode.index for episode in dataset] == list(range(6))
    assert dataset[-1].index == 5
    assert [episode.index for episode in dataset[1:3]] == [1, 2]
    with pytest.raises(IndexError, match="6 episodes; there is no episode 6"):
        dataset[6]


def test_a_split_holds_its_scenes_only(dataset: EpisodeDataset) -> None:
    for name in ("train", "val", "test"):
        assert {episode.scene for episode in dataset.split(name)} == set(dataset.info["splits"][name])


def test_its_repr_says_what_it_holds(dataset: EpisodeDataset, reference: Path, copy: Path) -> None:
    text = repr(dataset)
    for part in (str(reference), "6 episodes (2 train, 2 val, 2 test)", "72 steps", "3 scenes", "MB"):
        assert part in text
    assert "incomplete" not in text
    (copy / "train-00000.h5").unlink()
    manifest = copy / "manifest.jsonl"
    rows = [row for row in manifest.read_text().splitlines(keepends=True) if "train-00000" not in row]
    manifest.write_text("".join(rows))
    assert "5 episodes" in repr(open_dataset(copy))
    assert "incomplete" in repr(open_dataset(copy))


def test_an_episode_is_in_physical_units(dataset: EpisodeDataset) -> None:
    episode = dataset[0]
    stored = dataset.read(episode.ref)
    T = len(episode)
    assert episode.rgb.shape == (T + 1, 32, 32, 3)
    np.testing.assert_allclose(episode.depth, stored["depth"] / 1000, rtol=1e-6)
    np.testing.assert_allclose(episode.audio, stored["audio"] * dataset.audio_scale, rtol=1e-6)
    assert episode.audio.dtype == episode.depth.dtype == np.float32
    np.testing.assert_array_equal(episode.waveform[:, 2400:4800], episode.audio[1])
    np.testing.assert_array_equal(episode.poses[:, 3], stored["yaw"])
    np.testing.assert_array_equal(episode.counterfactual, stored["counterfactual"])
    assert (len(episode.actions), len(episode.rewards), len(episode.poses)) == (T, T, T + 1)
    assert episode.source == dataset.source(episode.ref)
    for part in (episode.mode, episode.scene, episode.split, "12 steps"):
        assert part in repr(episode)


def test_an_episode_reopens_in_its_simulator(dataset: EpisodeDataset) -> None:
    episode = dataset[2]
    with episode.reopen() as live:
        np.testing.assert_array_equal(live.observation.rgb_HWC, episode.rgb[0])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataloader_gives_each_sample_once_per_epoch_in_another_order(dataset: EpisodeDataset, workers: int) -> None:
    stream = dataset.torch("train", contexts=3, targets=2, ages=(1, 0), max_offset=4, senses=("rgb", "depth", "audio"))
    loader = DataLoader(stream, batch_size=None, num_workers=workers)
    assert len(loader) == len(stream)
    epochs = []
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(stream)
        epochs.append([int(frame) for batch in batches for frame in batch.context_BT[:, -1]])
    samples = sorted(set(range(26)) - {12, 25})  # every frame but the last of each episode
    assert sorted(epochs[0]) == sorted(epochs[1]) == samples
    assert epochs[0] != epochs[1]
    assert batches[0].context_audio_BTES.shape[1:] == (2, 2, 2400)
    assert batches[0].target_rgb_BKHWC.shape[1:] == (2, 32, 32, 3)


def test_another_number_of_workers_needs_another_stream(dataset: EpisodeDataset) -> None:
    stream = dataset.torch("train")
    next(iter(stream))
    with pytest.raises(UsageError, match=r"call dataset.torch\(...\) again"):
        list(DataLoader(stream, batch_size=None, num_workers=2))


def test_windows_take_the_options_by_name(dataset: EpisodeDataset) -> None:
    windows = dataset.windows("test", ages=(2, 0), max_offset=3)
    assert windows.split == "test"
    assert windows.at(3, 5).context_BT.shape == (5, 2)


def test_without_torch_the_message_says_what_to_install(
    dataset: EpisodeDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("avw.avw4k.reading.loader", raising=False)
    monkeypatch.delitem(sys.modules, "avw.avw4k.reading.loader", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'avw\[model\]'"):
        dataset.torch("train")


def test_the_loader_resumes_inside_an_epoch(dataset: EpisodeDataset) -> None:
    options = {"contexts": 4, "targets": 2, "ages": (1, 0), "max_offset": 3, "seed": 5}
    whole = [batch.context_BT.tolist() for batch in dataset.loader("train", **options)]
    first = dataset.loader("train", **options)
    next(iter(first))
    again = dataset.loader("train", **options)
    again.load_state_dict(first.state_dict())
    assert [batch.context_BT.tolist() for batch in again] == whole[1:]
    streamed = [batch.context_BT.tolist() for batch in dataset.torch("train", **options)]
    assert streamed == whole
