"""Windows as batches of tensors: read, decoded and assembled by worker processes, each sample once per epoch.

Shapes: B contexts · T context frames · K targets a context · H W image · E ears · S samples.

    loader = WindowLoader(Windows(dataset, "train", WindowConfig()), LoaderConfig(workers=4))
    for batch in loader:                      # the rest of the epoch; the next loop is the next epoch
        ...
        saved = loader.state_dict()           # a few numbers; after `load_state_dict` the next batch follows

Workers may be forked or spawned and may persist: they receive batch numbers and open the shards themselves.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, get_worker_info

from avw.avw4k.plan.episode import DEPTH_UNITS
from avw.avw4k.reading.epochs import EpochConfig, EpochOrder
from avw.avw4k.reading.windows import Windows
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng

SENSES = ("rgb", "depth", "audio")
MOST_WORKERS = 1024  # of a DataLoader over a WindowStream


@dataclass(frozen=True, kw_only=True, slots=True)
class LoaderConfig:
    """targets: K targets per context · senses: which of rgb, depth and audio to read
    workers: processes; 0 reads in this process · start: "fork", "spawn" or "forkserver" · prefetch: batches per worker
    rank, ranks: number of this process, and of all processes that train together
    """

    epochs: EpochConfig = field(default_factory=EpochConfig)
    targets: int = 4
    senses: tuple[str, ...] = ("rgb", "audio")
    workers: int = 0
    start: str = "spawn"
    persistent: bool = True
    prefetch: int = 2
    pin_memory: bool = False
    rank: int = 0
    ranks: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameBatch:
    """rgb: uint8 (…, H, W, 3) · depth: float32 (…, H, W) metres · audio: float32 (…, 2, 2400), linear; None if not read
    The other fields are those of `WindowBatch`: frame numbers, motions and labels.
    """

    context_BT: Tensor
    target_BK: Tensor
    past_BT3: Tensor
    motion_BK3: Tensor
    offset_BK: Tensor
    progress_BK: Tensor
    distance_BK: Tensor
    reward_BK: Tensor
    context_rgb_BTHWC: Tensor | None = None
    target_rgb_BKHWC: Tensor | None = None
    context_depth_BTHW: Tensor | None = None
    target_depth_BKHW: Tensor | None = None
    context_audio_BTES: Tensor | None = None
    target_audio_BKES: Tensor | None = None

    def __len__(self) -> int:
        return len(self.context_BT)

    def pin_memory(self) -> FrameBatch:
        """A copy in page-locked memory; DataLoader calls this."""
        return self._each(lambda tensor: tensor.pin_memory())

    def to(self, device: torch.device | str) -> FrameBatch:
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Any) -> FrameBatch:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: change(value) for name, value in values.items() if value is not None})


class WindowFrames(Dataset[FrameBatch]):
    """Batches by (epoch, number). Decodes whole episodes, and keeps the episodes of the pools in use."""

    def __init__(self, windows: Windows, config: LoaderConfig) -> None:
        unknown = set(config.senses) - set(SENSES)
        if unknown or not config.senses:
            raise UsageError(f"unknown senses {sorted(unknown)}: expected some of {', '.join(SENSES)}")
        self.windows, self.config = windows, config
        samples_E = windows.lengths_E - 1
        self.order = EpochOrder(samples_E, config.epochs, windows.split, rank=config.rank, ranks=config.ranks)
        self._decoded: OrderedDict[int, dict[str, np.ndarray]] = OrderedDict()

    def __getitem__(self, key: tuple[int, int]) -> FrameBatch:
        epoch, number = key
        config = self.config
        episode_B, step_B = self.order.batch(epoch, number)
        t_B = self.windows.first_n[episode_B] + step_B
        rng = keyed_rng(config.epochs.seed, "targets", self.windows.split, epoch, config.rank, config.ranks, number)
        window = self.windows.window(t_B, self.windows.offsets(t_B, config.targets, rng))
        labels = {name: torch.from_numpy(array) for name, array in asdict(window).items()}
        return FrameBatch(**labels, **self._frames(episode_B, window.context_BT, window.target_BK))

    def _frames(self, episode_B: np.ndarray, context_BT: np.ndarray, target_BK: np.ndarray) -> dict[str, Tensor]:
        first_B = self.windows.first_n[episode_B]
        T = context_BT.shape[1]
        frame_BN = np.concatenate([context_BT, target_BK], 1) - first_B[:, None]
        rows = [self._episode(episode) for episode in episode_B.tolist()]
        found: dict[str, Tensor] = {}
        for sense in self.config.senses:
            stored = rows[0][sense]
            array = np.empty((*frame_BN.shape, *stored.shape[1:]), stored.dtype)
            for place, row, frame_N in zip(array, rows, frame_BN, strict=True):
                row[sense].take(frame_N, 0, out=place, mode="clip")  # "raise" would copy everything once more
            if sense == "audio":
                array = np.multiply(array, np.float32(self.windows.dataset.audio_scale), dtype=np.float32)
            elif sense == "depth":
                array = np.multiply(array, np.float32(1 / DEPTH_UNITS), dtype=np.float32)
            suffix = {"rgb": "HWC", "depth": "HW", "audio": "ES"}[sense]
            tensor = torch.from_numpy(array)
            found[f"context_{sense}_BT{suffix}"] = tensor[:, :T]
            found[f"target_{sense}_BK{suffix}"] = tensor[:, T:]
        return found

    def _episode(self, number: int) -> dict[str, np.ndarray]:
        """A whole decoded episode: its chunks are then read once for all of its windows."""
        found = self._decoded.get(number)
        if found is None:
            windows = self.windows
            found = self._decoded[number] = windows.dataset.read(windows.episodes[number], self.config.senses)
            if len(self._decoded) > self._room():
                self._decoded.popitem(last=False)
        else:
            self._decoded.move_to_end(number)
        return found

    def _room(self) -> int:
        """How many episodes to keep: those of the pools that this process reads, and one at each end of each pool."""
        info, epochs = get_worker_info(), self.config.epochs
        workers = info.num_workers if info else 1
        return (epochs.pool + 2) * (epochs.lanes // math.gcd(epochs.lanes, workers))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_decoded": OrderedDict()}


class WindowStream(IterableDataset[FrameBatch]):
    """The batches of one epoch, for a DataLoader: `DataLoader(stream, batch_size=None, num_workers=4)`.

    Each iteration is the next epoch, in another order. The workers of the DataLoader share the batches of an epoch
    between them. `WindowLoader` can also resume in the middle of an epoch; this class cannot.
    """

    def __init__(self, windows: Windows, config: LoaderConfig | None = None) -> None:
        self.frames = WindowFrames(windows, config or LoaderConfig())
        # The epochs that each worker has begun. Workers may be new processes in every epoch, so it is shared memory.
        self._begun = torch.zeros(MOST_WORKERS, dtype=torch.int64).share_memory_()
        self._workers = torch.full((1,), -1, dtype=torch.int64).share_memory_()

    def __len__(self) -> int:
        """Batches per epoch, the same on every rank."""
        return self.frames.order.batches

    def __iter__(self) -> Iterator[FrameBatch]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        if workers > MOST_WORKERS or int(self._workers) not in (-1, workers):
            raise UsageError(
                f"this stream of windows is shared between {int(self._workers)} workers, and now {workers} read it: "
                "call dataset.torch(...) again for a DataLoader with another num_workers"
            )
        self._workers.fill_(workers)
        epoch = int(self._begun[worker])
        self._begun[worker] += 1
        return (self.frames[epoch, number] for number in range(worker, len(self), workers))


class _Rest(Sampler[tuple[int, int]]):
    """The numbers of the remaining batches of the loader's epoch."""

    def __init__(self, loader: WindowLoader) -> None:
        self.loader = loader

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.loader.epoch
        return ((epoch, number) for number in range(self.loader.done, len(self.loader)))


class WindowLoader:
    """Iterating gives the remaining batches of the current epoch; iterating again, those of the next epoch."""

    def __init__(self, windows: Windows, config: LoaderConfig | None = None) -> None:
        self.config = config or LoaderConfig()
        self.frames = WindowFrames(windows, self.config)
        self.epoch, self.done = 0, 0
        many: dict[str, Any] = {}
        if self.config.workers:
            many = {"multiprocessing_context": self.config.start, "persistent_workers": self.config.persistent,
                    "prefetch_factor": self.config.prefetch}  # fmt: skip
        self._loader = DataLoader(
            self.frames,
            batch_size=None,
            sampler=_Rest(self),
            num_workers=self.config.workers,
            pin_memory=self.config.pin_memory,
            **many,
        )

    def __len__(self) -> int:
        """Batches per epoch, the same on every rank."""
        return self.frames.order.batches

    def __iter__(self) -> Iterator[FrameBatch]:
        for batch in self._loader:
            self.done += 1
            if self.done == len(self):
                self.epoch, self.done = self.epoch + 1, 0
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """The position of the loader, as plain numbers. Call it after using a batch and before fetching the next."""
        return {"epoch": self.epoch, "batch": self.done, "of": self._identity()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue after the last batch of `state`. Raises UsageError if `state` is of another sequence of batches."""
        here = self._identity()
        differing = [f"{key} {state['of'].get(key)} then, {here[key]} now" for key in here
                     if state["of"].get(key) != here[key]]  # fmt: skip
        if differing:
            raise UsageError(
                f"the saved position belongs to another sequence of batches ({'; '.join(differing)}): resume with the "
                "configuration that it was saved with, or start again. Only the number of workers may change."
            )
        self.epoch, self.done = int(state["epoch"]), int(state["batch"])

    def _identity(self) -> dict[str, Any]:
        """All values that the sequence of batches depends on."""
        windows, config = self.frames.windows, self.config
        return {
            "dataset": windows.dataset.spec.sha256,
            "split": windows.split,
            "samples": self.frames.order.total,
            "windows": repr(windows.config),
            "epochs": repr(config.epochs),
            "targets": config.targets,
            "ranks": config.ranks,
        }
