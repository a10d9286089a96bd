"""Batches of tensors: what is in them, each sample once whoever reads it, and exact resume in the midst of an epoch."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from avw.avw4k.reading.dataset import Dataset, open_dataset
from avw.avw4k.reading.epochs import EpochConfig
from avw.avw4k.reading.loader import FrameBatch, LoaderConfig, WindowLoader
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.sim_bridge.errors import DatasetError, UsageError

EPOCHS = EpochConfig(contexts=5, lanes=2, pool=1)
CONFIG = LoaderConfig(epochs=EPOCHS, targets=3, senses=("rgb", "depth", "audio"))


@pytest.fixture(scope="module")
def dataset(reference: Path) -> Dataset:
    return open_dataset(reference)


@pytest.fixture(scope="module")
def windows(dataset: Dataset) -> Windows:
    return Windows(dataset, "train", WindowConfig(ages=(2, 1, 0), min_offset=-4, max_offset=6))


def rest(loader: WindowLoader, count: int | None = None) -> list[FrameBatch]:
    return list(itertools.islice(loader, count))


def same(a: FrameBatch, b: FrameBatch) -> bool:
    """Equal tensors; NaN (the reward of the past) equals itself."""
    return all(torch.equal(torch.nan_to_num(getattr(a, name)), torch.nan_to_num(getattr(b, name)))
               for name in a.__slots__)  # fmt: skip


def now(batches: list[FrameBatch]) -> list[int]:
    return [int(frame) for batch in batches for frame in batch.context_BT[:, -1]]


def test_a_batch_holds_the_frames_that_it_names(dataset: Dataset, windows: Windows):
    batch = rest(WindowLoader(windows, CONFIG), 1)[0]
    rows = [dataset.read(ref, ["rgb", "depth", "audio"]) for ref in windows.episodes]
    whole = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    context, target = batch.context_BT.numpy(), batch.target_BK.numpy()
    assert batch.context_rgb_BTHWC.dtype == torch.uint8
    np.testing.assert_array_equal(batch.context_rgb_BTHWC.numpy(), whole["rgb"][context])
    np.testing.assert_array_equal(batch.target_rgb_BKHWC.numpy(), whole["rgb"][target])
    np.testing.assert_allclose(batch.target_depth_BKHW.numpy(), whole["depth"][target] / 1000.0, rtol=1e-6)
    np.testing.assert_allclose(
        batch.context_audio_BTES.numpy(), whole["audio"][context] * dataset.audio_scale, rtol=1e-6
    )
    assert batch.target_audio_BKES.shape == (len(batch), 3, 2, 2400)
    window = windows.window(context[:, -1], batch.offset_BK.numpy())
    np.testing.assert_array_equal(batch.motion_BK3.numpy(), window.motion_BK3)
    np.testing.assert_array_equal(batch.reward_BK.numpy(), window.reward_BK)


def test_only_what_is_asked_for_is_read(windows: Windows):
    batch = rest(WindowLoader(windows, replace(CONFIG, senses=("audio",))), 1)[0]
    assert batch.context_rgb_BTHWC is None
    assert batch.context_depth_BTHW is None
    assert batch.to("cpu").target_audio_BKES is not None
    with pytest.raises(UsageError, match="unknown senses"):
        WindowLoader(windows, replace(CONFIG, senses=("smell",)))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on fewer cores than workers
@pytest.mark.parametrize(
    ("workers", "start", "persistent"),
    [
        (1, "fork", True),
        (3, "fork", False),
        (1, "spawn", True),
        pytest.param(2, "spawn", False, marks=pytest.mark.slow),
        pytest.param(2, "forkserver", True, marks=pytest.mark.slow),
    ],
)
def test_workers_change_nothing(windows: Windows, workers: int, start: str, persistent: bool):
    windows.dataset.read(windows.episodes[0], ["rgb"])  # a handle is open here when the workers are forked
    alone = WindowLoader(windows, CONFIG)
    many = WindowLoader(windows, replace(CONFIG, workers=workers, start=start, persistent=persistent))
    for _ in range(2):
        here, there = rest(alone), rest(many)
        assert len(here) == len(there) == len(alone)
        assert all(same(a, b) for a, b in zip(here, there, strict=True))


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_each_sample_once_an_epoch_over_all_ranks(windows: Windows, ranks: int, seed: int):
    config = replace(CONFIG, epochs=replace(EPOCHS, seed=seed), senses=("audio",), ranks=ranks)
    loaders = [WindowLoader(windows, replace(config, rank=rank)) for rank in range(ranks)]
    first = [rest(loader) for loader in loaders]
    assert len({len(batches) for batches in first}) == 1
    samples = set(range(windows.frames)) - set(windows.end_F.tolist())
    assert sorted(frame for batches in first for frame in now(batches)) == sorted(samples)
    second = [rest(loader) for loader in loaders]
    assert sorted(frame for batches in second for frame in now(batches)) == sorted(samples)
    assert [now(batches) for batches in second] != [now(batches) for batches in first]


@pytest.mark.parametrize(("before", "after"), [(0, 0), (1, 0), (0, 2)])
def test_resume_is_exact_and_workers_may_change(windows: Windows, before: int, after: int):
    whole = WindowLoader(windows, CONFIG)
    expected = rest(whole) + rest(whole)
    for cut in (1, len(whole) - 1, len(whole), len(whole) + 1):
        loader = WindowLoader(windows, replace(CONFIG, workers=before, start="fork"))
        done = rest(loader, min(cut, len(whole)))
        if cut > len(whole):
            done += rest(loader, cut - len(whole))
        state = json.loads(json.dumps(loader.state_dict()))  # plain values
        again = WindowLoader(windows, replace(CONFIG, workers=after, start="fork"))
        again.load_state_dict(state)
        done += rest(again)
        if len(done) < len(expected):
            done += rest(again)
        assert len(done) == len(expected)
        assert all(same(a, b) for a, b in zip(done, expected, strict=True))


def test_breaking_off_and_iterating_again_goes_on(windows: Windows):
    whole = now(rest(WindowLoader(windows, CONFIG)))
    loader = WindowLoader(windows, replace(CONFIG, workers=1, start="fork"))
    assert now(rest(loader, 2)) + now(rest(loader)) == whole


def test_a_position_in_another_sequence_is_refused(windows: Windows):
    state = WindowLoader(windows, CONFIG).state_dict()
    other = WindowLoader(windows, replace(CONFIG, epochs=replace(EPOCHS, contexts=6)))
    with pytest.raises(UsageError, match=r"another sequence.*contexts=5.*contexts=6"):
        other.load_state_dict(state)


def test_damage_is_an_error_in_workers_too(copy: Path):
    dataset = open_dataset(copy)
    windows = Windows(dataset, "train", WindowConfig())
    dataset.close()
    shard = copy / windows.episodes[-1].shard
    content = shard.read_bytes()
    third = len(content) // 3
    shard.write_bytes(content[:third] + bytes(third) + content[2 * third :])
    with pytest.raises(DatasetError, match=shard.name):
        rest(WindowLoader(windows, replace(CONFIG, workers=1, start="fork")))
