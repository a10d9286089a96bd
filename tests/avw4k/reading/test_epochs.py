"""An epoch visits every sample exactly once, whatever the ranks, lanes and sizes; and stays near itself on disk."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avw.avw4k.reading.epochs import EpochConfig, EpochOrder
from avw.sim_bridge.errors import UsageError

lengths = st.lists(st.integers(1, 40), min_size=1, max_size=25)
configs = st.builds(
    EpochConfig,
    contexts=st.integers(1, 30),
    lanes=st.integers(1, 6),
    pool=st.integers(1, 6),
    seed=st.integers(0, 3),
)


def visited(order: EpochOrder, epoch: int) -> list[tuple[int, int]]:
    batches = [order.batch(epoch, number) for number in range(order.batches)]
    return [pair for episodes, steps in batches for pair in zip(episodes.tolist(), steps.tolist(), strict=True)]


@given(lengths, configs, st.integers(1, 5), st.integers(0, 2))
def test_every_sample_exactly_once_across_ranks(samples: list[int], config: EpochConfig, ranks: int, epoch: int):
    if sum(samples) < ranks:
        return
    orders = [EpochOrder(np.array(samples), config, "train", rank=rank, ranks=ranks) for rank in range(ranks)]
    assert len({order.batches for order in orders}) == 1  # else a rank would wait for another for ever
    seen = [pair for order in orders for pair in visited(order, epoch)]
    assert sorted(seen) == [(episode, step) for episode, count in enumerate(samples) for step in range(count)]


@given(lengths, configs, st.integers(1, 5))
def test_batches_are_full_to_within_one(samples: list[int], config: EpochConfig, ranks: int):
    if sum(samples) < ranks:
        return
    orders = [EpochOrder(np.array(samples), config, "train", rank=rank, ranks=ranks) for rank in range(ranks)]
    sizes = [len(order.batch(0, number)[0]) for order in orders for number in range(order.batches)]
    assert min(sizes) >= 1
    assert max(sizes) <= config.contexts + (ranks > 1)
    for order in orders:
        of_rank = [len(order.batch(0, number)[0]) for number in range(order.batches)]
        assert max(of_rank) - min(of_rank) <= 1


@given(lengths, configs, st.integers(0, 10_000))
def test_a_batch_needs_nothing_but_its_number(samples: list[int], config: EpochConfig, pick: int):
    whole = EpochOrder(np.array(samples), config, "train")
    all_of_it = [whole.batch(1, number) for number in range(whole.batches)]
    number = pick % whole.batches
    alone = EpochOrder(np.array(samples), config, "train").batch(1, number)
    assert all(np.array_equal(a, b) for a, b in zip(alone, all_of_it[number], strict=True))


def test_epochs_seeds_and_splits_differ():
    samples, config = np.full(12, 20), EpochConfig(contexts=10)
    first = visited(EpochOrder(samples, config, "train"), 0)
    assert visited(EpochOrder(samples, config, "train"), 0) == first
    assert visited(EpochOrder(samples, config, "train"), 1) != first
    assert visited(EpochOrder(samples, config, "val"), 0) != first
    assert visited(EpochOrder(samples, EpochConfig(contexts=10, seed=1), "train"), 0) != first


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_worker_decodes_an_episode_about_once(workers: int):
    """Worker w does batches w, w + W, …; it keeps what its lanes' pools need."""
    config = EpochConfig(contexts=16, lanes=4, pool=3)
    order = EpochOrder(np.full(48, 100), config, "train")
    decoded = 0
    for worker in range(workers):
        kept: list[int] = []
        room = (config.pool + 2) * config.lanes // workers
        for number in range(worker, order.batches, workers):
            for episode in order.batch(0, number)[0].tolist():
                decoded += episode not in kept
                kept = [other for other in kept if other != episode] + [episode]
                kept = kept[-room:]
    assert decoded <= 48 + 4 * 4 + 4  # once, and again where a pool's border cuts an episode


def test_neighbours_are_not_in_one_batch():
    """Shuffled: a batch holds steps of several episodes in no order."""
    order = EpochOrder(np.full(40, 150), EpochConfig(contexts=32, pool=8), "train")
    for number in range(0, order.batches, 7):
        episodes, steps = order.batch(0, number)
        assert len(set(episodes.tolist())) >= 5
        assert any(b < a for a, b in itertools.pairwise(steps.tolist()))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"rank": 2, "ranks": 2}, "rank 2 of 2"),
        ({"ranks": 50}, "3 samples for 50 ranks"),
    ],
)
def test_impossible_orders_are_named(arguments: dict[str, int], says: str):
    with pytest.raises(UsageError, match=says):
        EpochOrder(np.array([1, 2]), EpochConfig(), "train", **arguments)
    with pytest.raises(UsageError, match="at least 1"):
        EpochOrder(np.array([1, 2]), EpochConfig(lanes=0), "train")
    with pytest.raises(UsageError, match="batch 9 does not exist"):
        EpochOrder(np.array([1, 2]), EpochConfig(), "train").batch(0, 9)
