"""The processes of a training that `torchrun` started, and how they wait for each other.

    torchrun --nproc-per-node 8 -m avw.cli train data/avw-4k --size B

Without torchrun there is one process, and nothing here communicates.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from avw.sim_bridge.errors import TrainingError, UsageError

LONGEST_WAIT = timedelta(days=2)
"""For tokenizers and latents, which the first process makes while the others wait."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process and the number of all. waiting: the group whose members may wait for a long time"""

    rank: int = 0
    count: int = 1
    waiting: Any = None

    @property
    def first(self) -> bool:
        """Whether this process writes the files of the run."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            with lost_ranks("while this one waited for it"):
                dist.barrier(self.waiting)

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean of a tensor over all processes."""
        if self.count > 1:
            dist.all_reduce(tensor)
            tensor = tensor / self.count
        return tensor

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first process runs the block alone. Then the others do, and find the files that it has written."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()


def launched() -> tuple[int, int]:
    """(number of this process, number of all) as `torchrun` states them."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def own_device(device: str) -> str:
    """The device of this process: of several GPUs, one per process. Raises UsageError for a GPU that is not there."""
    if launched()[1] == 1 or device != "cuda":
        return device
    local, found = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if local >= found:
        raise UsageError(
            f"process {local} of this machine has no GPU of its own: PyTorch finds {found}. Start at most {found} "
            f"processes, with torchrun --nproc-per-node {max(found, 1)}, or use --device cpu"
        )
    torch.cuda.set_device(local)
    return f"cuda:{local}"


@contextmanager
def joined(device: str, timeout: float) -> Iterator[Ranks]:
    """Join the processes that torchrun started; without torchrun, this process alone.

    timeout: seconds after which a process that does not answer is an error
    """
    rank, count = launched()
    if count == 1:
        yield Ranks()
        return
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    with lost_ranks("at the start"):
        dist.init_process_group(backend, timeout=timedelta(seconds=timeout))
        waiting = dist.new_group(backend="gloo", timeout=LONGEST_WAIT)
    try:
        yield Ranks(rank, count, waiting)
    finally:
        dist.destroy_process_group()


@contextmanager
def lost_ranks(where: str) -> Iterator[None]:
    """One sentence for a process that has ended or does not answer. where: e.g. "in stage 1, step 20" """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not _is_of_gloo(error):
            raise
        reason = str(error).strip().splitlines()[0][:200]
        raise TrainingError(
            f"another process of this training has ended or does not answer, {where} ({reason}). The first error "
            "above, of another process, is the cause. Type the same command to continue from the last checkpoint"
        ) from error


def _is_of_gloo(error: RuntimeError) -> bool:
    """Gloo raises plain RuntimeErrors, which name its source files or the connection."""
    text = str(error)
    return any(word in text for word in ("gloo", "Connection closed by peer", "Connection reset by peer", "Timed out"))
