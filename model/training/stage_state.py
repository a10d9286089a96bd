"""What a stage of the training changes, one update of it, and its checkpoint.

While a stage runs, its checkpoint has all weights, the moving average of those that it trains, and the moments of their
optimizer. Of a finished stage only the moving average is kept, a quarter of that: the next stage starts from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from avw.model import checkpoint
from avw.model.av_cdit import AvCdit
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.sharding import clip, local, names_of_first, received, release, wholes
from avw.model.training.weights import parameters_of
from avw.sim_bridge.errors import CheckpointError


class StageState:
    """The network in one stage. `step` is the number of finished updates.

    On CUDA devices nothing here waits for the device. A gradient that is not finite must not reach the weights, and the
    host does not know of it yet: the device itself then skips this update and all later ones (`found_inf` of the fused
    optimizer), until the next line of the log asks `stopped_at`.
    """

    def __init__(self, net: AvCdit, stage: str, config: TrainConfig, device: torch.device) -> None:
        self.net, self.stage, self.config = net, stage, config
        self.whole = net  # the network that gets the result
        self.trained = dict(parameters_of(net, stage))
        for name, parameter in net.named_parameters():
            parameter.requires_grad_(name in self.trained)
        self.deferred = config.fused_optimizer or device.type == "cuda"
        self.sharded = False
        self.optimizer = self._optimizer()
        self.step = 0
        self.ema: dict[str, Tensor] = {}
        self._stopped_at = torch.full((), -1.0, device=device)  # step of the first gradient that is not finite

    @property
    def steps(self) -> int:
        return self.config.steps[self.stage]

    @property
    def finished(self) -> bool:
        return self.step >= self.steps

    def restore(self, folder: Path, *, receives: bool = False) -> bool:
        """Continue from the checkpoint of this stage, or start from the stage before.

        receives: read only the step, because `continue_with` receives the state from the first process
        Returns whether the stage was finished before; the network then has its moving average. Raises CheckpointError
        for a stage before that is missing or not finished.
        """
        path = file_of(folder, self.stage)
        if path.exists():
            self.step = step_of(checkpoint.read_note(path), path)
            if receives and not self.finished:
                return False
            tensors, _ = checkpoint.load(path)
            if self.finished:
                checkpoint.restore(self.net, tensors, "ema", path)
                return True
            checkpoint.restore(self.net, tensors, "net", path)
            checkpoint.restore_optimizer(self.optimizer, list(self.trained), tensors)
            self.ema = {name: tensors[f"ema.{name}"].to(p.device) for name, p in self.trained.items()}
            return False
        if self.stage != "1":
            before = str(int(self.stage) - 1)
            path = file_of(folder, before)
            if step_of(checkpoint.read_note(path), path) < self.config.steps[before]:
                raise CheckpointError(f"{path}: stage {before} is not complete; run avw train without --stages")
            if not receives:
                tensors, _ = checkpoint.load(path)
                checkpoint.restore(self.net, tensors, "ema", path)
        if receives:
            return False
        self.ema = {name: p.detach().clone() for name, p in self.trained.items()}
        return False

    def _optimizer(self) -> torch.optim.AdamW:
        # One kernel of the optimizer cannot take whole tensors and shards together.
        groups: dict[bool, list[nn.Parameter]] = {}
        for parameter in self.trained.values():
            groups.setdefault(isinstance(parameter, DTensor), []).append(parameter)
        return torch.optim.AdamW(
            [{"params": group} for group in groups.values()], lr=self.config.learning_rate, betas=(0.9, 0.99),
            weight_decay=0.0, fused=True if self.deferred else None,
        )  # fmt: skip

    def continue_with(self, net: AvCdit) -> None:
        """Train an outline of the network instead, whose parameters `sharding.shard` has sharded, with the state of the
        first process. The memory of the whole network is freed until `finish`."""
        weights = dict(self.whole.named_parameters())
        moments = checkpoint.optimizer_tensors(self.optimizer, list(self.trained))
        first = dist.get_rank() == 0
        found = dict(net.named_parameters())
        for name, parameter in found.items():
            local(parameter.data).copy_(local(received(weights[name] if first else None, parameter)))
        names = sorted(self.trained, key=lambda name: isinstance(found[name], DTensor), reverse=True)
        self.net, self.trained = net, {name: found[name] for name in names}
        self.ema = {name: received(self.ema.get(name), self.trained[name]) for name in names}
        weights.clear()
        release(self.whole)
        # The fused kernel takes no `found_inf` beside shards, so the host looks at every gradient.
        self.deferred, self.sharded = False, True
        self.optimizer = self._optimizer()
        number = torch.zeros(())
        parts = {
            name: received(moments.get(name), number if name.endswith(".step") else self.trained[_parameter_of(name)])
            for name in names_of_first(moments)
        }
        checkpoint.restore_optimizer(self.optimizer, list(self.trained), parts)

    def save(self, folder: Path, *, write: bool = True) -> None:
        """Write the checkpoint: everything that resuming needs, and of a finished stage its moving average.

        write: whether this process writes. With shards all processes must call this, and one of them writes
        """
        if not write and not self.sharded:
            return
        weights = wholes(self.net.state_dict())
        if self.finished:
            tensors = checkpoint.prefixed("ema", {**weights, **wholes(self.ema)})
        else:
            tensors = {
                **checkpoint.prefixed("net", weights),
                **checkpoint.prefixed("ema", wholes(self.ema)),
                **wholes(checkpoint.optimizer_tensors(self.optimizer, list(self.trained))),
            }
        if write:
            checkpoint.save(file_of(folder, self.stage), tensors, {"stage": self.stage, "step": self.step})

    def update(self, rate: float) -> Tensor:
        """One step of the optimizer and of the moving average. Returns the norm of the gradient, before clipping.

        Raises FloatingPointError for a gradient that is not finite, with the weights as they were before the step. On
        CUDA devices it does not raise: see `stopped_at`.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        parameters = list(self.trained.values())
        most = self.config.clip
        norm = clip(parameters, most) if self.sharded else nn.utils.clip_grad_norm_(parameters, most)
        lag = 1 - min(self.config.ema, (self.step + 1) / (self.step + 10))
        averages = [local(average) for average in self.ema.values()]
        weights: list[Tensor] = [local(self.trained[name]) for name in self.ema]
        if self.deferred:
            bad = ~torch.isfinite(norm) & (self._stopped_at < 0)
            self._stopped_at = torch.where(bad, float(self.step), self._stopped_at)
            stopped = (self._stopped_at >= 0).to(norm.dtype)
            self.optimizer.found_inf = stopped  # type: ignore[attr-defined]
            self.optimizer.step()
            lags: Any = [lag * (1 - stopped)] * len(averages)  # tensors: 0 once the device has stopped
            with torch.no_grad():
                torch._foreach_lerp_(averages, weights, lags)
        else:
            if not torch.isfinite(norm):
                raise FloatingPointError
            self.optimizer.step()
            with torch.no_grad():
                torch._foreach_lerp_(averages, weights, lag)
        self.step += 1
        return norm

    def stopped_at(self) -> int | None:
        """The step at which the device stopped to update, if it did: its weights are those before this step."""
        if not self.deferred or (step := int(self._stopped_at)) < 0:
            return None
        return step

    @contextmanager
    def averaged(self) -> Iterator[AvCdit]:
        """A network with the moving average of the weights, and without gradients: the same one, until the end of the
        block, or with shards a whole copy. Then all processes must call this."""
        if self.sharded:
            copy = AvCdit(self.net.config).to(self._stopped_at.device)
            copy.load_state_dict({**wholes(self.net.state_dict()), **wholes(self.ema)})
            with torch.no_grad():
                yield copy
            return
        self._swap()
        try:
            with torch.no_grad():
                yield self.net
        finally:
            self._swap()

    def finish(self) -> None:
        """Give the network the moving average for good."""
        average = {**wholes(self.net.state_dict()), **wholes(self.ema)}
        if self.sharded:  # its parameters have no memory
            self.whole.load_state_dict(average, assign=True)
            self.whole.to(self._stopped_at.device)
        else:
            self.whole.load_state_dict(average)

    def _swap(self) -> None:
        for name, parameter in self.trained.items():
            parameter.data, self.ema[name] = self.ema[name], parameter.data


def _parameter_of(moment: str) -> str:
    """The name of the parameter in optimizer.NAME.exp_avg."""
    return moment.removeprefix("optimizer.").rpartition(".")[0]


def file_of(folder: Path, stage: str) -> Path:
    """The checkpoint of a stage."""
    return folder / f"stage-{stage}.safetensors"


def step_of(note: dict[str, Any], path: Path) -> int:
    """The step in the note of a stage."""
    step = note.get("step")
    if not isinstance(step, int) or step < 0:
        raise CheckpointError(f"{path}: its note has no step; delete it and run avw train again")
    return step


def schedule(step: int, steps: int, config: TrainConfig) -> float:
    """Factor of the learning rate: linear warm-up, then cosine decay (or constant)."""
    warm = min(1.0, (step + 1) / max(1, min(config.warmup, steps // 5)))
    return warm * (0.5 + 0.4995 * math.cos(math.pi * step / steps) if config.decay else 1.0)
