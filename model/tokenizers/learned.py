"""Fitting of tokenizers that are trained step by step: their optimizer, and a checkpoint from which a fit continues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from avw.model import checkpoint
from avw.model.tokenizers.protocol import OnStep
from avw.sim_bridge.errors import CheckpointError
from avw.sim_bridge.randomness import keyed_rng

BETAS, CLIP, WARMUP = (0.9, 0.99), 1.0, 20

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a fit keeps its state. path: of the checkpoint; None keeps nothing · key: what is fitted, and to what

    A checkpoint with another key is not of this fit, and is ignored: it belongs to an earlier command.
    """

    path: Path | None = None
    key: str = ""
    every: int = 100

    def restore(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        """The number of steps that were made before."""
        if self.path is None or not self.path.exists():
            return 0
        try:
            tensors, note = checkpoint.load(self.path)
            if note.get("key") != self.key:
                return 0
            checkpoint.restore(module, tensors, "module", self.path)
            checkpoint.restore_optimizer(optimizer, [name for name, _ in module.named_parameters()], tensors)
            return int(note["step"])
        except (CheckpointError, KeyError, TypeError):  # damaged: it saves time and is not needed
            return 0

    def save(self, step: int, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Keep the state after a step, every `every` steps."""
        if self.path is None or step % self.every:
            return
        names = [name for name, _ in module.named_parameters()]
        tensors = checkpoint.prefixed("module", module.state_dict())
        checkpoint.save(
            self.path, {**tensors, **checkpoint.optimizer_tensors(optimizer, names)}, {"step": step, "key": self.key}
        )

    def remove(self) -> None:
        """Delete the checkpoint of a finished fit."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def initialised(create: Callable[[], Module], rng: np.random.Generator) -> Module:
    """A module whose initial weights come from `rng`. The global generator of PyTorch is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        return create()


def statistics(
    encode: Callable[[Tensor], Tensor], data_N: Tensor, count: int, rng: np.random.Generator, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each latent number over `count` data, encoded on `device`."""
    chosen_N = data_N[torch.from_numpy(rng.permutation(len(data_N))[:count])]
    latents = torch.cat([encode(part.to(device)) for part in chosen_N.split(50)]).flatten(0, -2)
    return latents.mean(0), latents.std(0).clamp(min=1e-3)


def train_tokenizer(
    module: nn.Module,
    loss: Callable[[Tensor, torch.Generator], Tensor],
    data_N: Tensor,
    mirrored: Callable[[Tensor], Tensor],
    *,
    steps: int,
    batch: int,
    rate: float,
    seed: int,
    progress: Progress,
    on_step: OnStep,
) -> None:
    """Minimise `loss(batch, generator)` on random batches of `data_N` and their mirror images, where the module is.

    The numbers of a step depend on (seed, step) only, so a fit that continues gives the weights of one that was not
    interrupted.
    """
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, betas=BETAS, weight_decay=0.0)
    device = next(module.parameters()).device
    for step in range(progress.restore(module, optimizer), steps):
        rng = keyed_rng(seed, "learned tokenizer", step)
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / WARMUP) * (0.5 + 0.5 * float(np.cos(np.pi * step / steps)))
        chosen = data_N[torch.from_numpy(rng.integers(0, len(data_N), batch))].to(device)
        chosen = mirrored(chosen) if rng.random() < 0.5 else chosen
        error = loss(chosen, torch.Generator().manual_seed(int(rng.integers(2**62))))
        optimizer.zero_grad(set_to_none=True)
        error.backward()
        nn.utils.clip_grad_norm_(module.parameters(), CLIP)
        optimizer.step()
        progress.save(step + 1, module, optimizer)
        on_step(step + 1, error.item())
