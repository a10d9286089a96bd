"""The order in which an epoch visits the windows of a split: shuffled, close together on disk, each exactly once.

Shapes: B contexts of a batch. A *sample* is a frame that ends a context: every frame except the last of an episode.

    episodes, in the random order of the epoch     ▒▒▒▒|▒▒▒▒|▒▒▒▒|▒▒▒▒|▒▒▒▒|▒▒▒▒|▒▒▒▒|▒▒▒▒
    divided evenly into ranks, then into lanes     rank 0: lane 0 | lane 1    rank 1: lane 0 | lane 1
    a lane's samples, shuffled within pools        one pool of episodes is in memory while its windows are read

Batch b of a rank comes from lane b mod `lanes`, so a worker that reads every W-th batch stays in its own lanes, and an
episode is decoded once. A batch is a pure function of (seed, epoch, rank, b): its number is the only state to save, and
the number of workers does not change it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng

KEPT_ORDERS = 2  # epochs whose episode order is kept: workers may be one epoch apart
KEPT_POOLS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochConfig:
    """contexts: per batch, on each rank; batches differ by one context at most, so none is padded or dropped
    lanes: streams that batches alternate between; as many as workers, or a multiple · pool: episodes shuffled together
    """

    contexts: int = 16
    lanes: int = 4
    pool: int = 8
    seed: int = 0


class EpochOrder:
    """The batches of any epoch for one of `ranks` processes. samples_E: number of samples of each episode."""

    def __init__(
        self, samples_E: np.ndarray, config: EpochConfig, purpose: str, *, rank: int = 0, ranks: int = 1
    ) -> None:
        if not 0 <= rank < ranks:
            raise UsageError(f"rank {rank} of {ranks}: expected a rank from 0 to {ranks - 1}")
        if min(config.contexts, config.lanes, config.pool) < 1:
            raise UsageError(f"{config}: expected whole numbers of at least 1")
        self.samples_E, self.config, self.purpose = np.asarray(samples_E, np.int64), config, purpose
        self.rank, self.ranks, self.total = rank, ranks, int(self.samples_E.sum())
        if self.total < ranks:
            raise UsageError(f"{self.total} samples for {ranks} ranks: each rank needs at least one")
        self._low, self._high = self.total * rank // ranks, self.total * (rank + 1) // ranks
        # The same number of batches on every rank; otherwise the rank with more would wait for the others forever.
        most, least = (self.total + ranks - 1) // ranks, self.total // ranks
        self.batches = min((most + config.contexts - 1) // config.contexts, least)
        lanes = np.array([len(range(lane, self.batches, config.lanes)) for lane in range(config.lanes)])
        self._lane_end = np.cumsum(lanes)
        self._lane_start = self._lane_end - lanes
        self._pool = max(1, config.pool * -(-self.total // len(self.samples_E)))
        self._orders: OrderedDict[int, tuple[np.ndarray, np.ndarray]] = OrderedDict()
        self._pools: OrderedDict[tuple[int, int, int], np.ndarray] = OrderedDict()

    def batch(self, epoch: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(episode_B, step_B) of batch `number` of an epoch, on this rank."""
        if not 0 <= number < self.batches:
            raise UsageError(f"batch {number} does not exist: the epoch has batches 0 to {self.batches - 1}")
        lane = number % self.config.lanes
        q = int(self._lane_start[lane]) + number // self.config.lanes
        low, high = self._cut(int(self._lane_start[lane])), self._cut(int(self._lane_end[lane]))
        return self._place(epoch, self._shuffled(epoch, lane, low, high, self._cut(q), self._cut(q + 1)))

    def _cut(self, q: int) -> int:
        """The first sample of the q-th batch, counting lane after lane."""
        return self._low + (self._high - self._low) * q // self.batches

    def _shuffled(self, epoch: int, lane: int, low: int, high: int, start: int, stop: int) -> np.ndarray:
        """Samples start…stop of the lane low…high, whose pools are shuffled."""
        parts = []
        size, pools = high - low, -(-(high - low) // self._pool)  # divided evenly: no pool is a small remainder
        for pool in range(((start - low + 1) * pools - 1) // size, ((stop - low) * pools - 1) // size + 1):
            first, last = low + size * pool // pools, low + size * (pool + 1) // pools
            key = (epoch, lane, pool)
            if key not in self._pools:
                rng = keyed_rng(self.config.seed, "pool", self.purpose, epoch, first, last)
                self._pools[key] = first + rng.permutation(last - first)
                if len(self._pools) > KEPT_POOLS:
                    self._pools.popitem(last=False)
            parts.append(self._pools[key][max(start, first) - first : min(stop, last) - first])
        return np.concatenate(parts)

    def _place(self, epoch: int, sample_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(episode, step) of samples, which are numbered in the episode order of the epoch."""
        if epoch not in self._orders:
            order_E = keyed_rng(self.config.seed, "epoch", self.purpose, epoch).permutation(len(self.samples_E))
            self._orders[epoch] = order_E, np.cumsum(self.samples_E[order_E])
            if len(self._orders) > KEPT_ORDERS:
                self._orders.popitem(last=False)
        order_E, end_E = self._orders[epoch]
        place_B = np.searchsorted(end_E, sample_B, side="right")
        return order_E[place_B], sample_B - (end_E - self.samples_E[order_E])[place_B]
