"""One stage of the training, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel

from avw.model.av_cdit import AvCdit
from avw.model.diffusion import Diffusion
from avw.model.frames import EncodedFrames
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.training.batches import Batches, Part, StageBatch
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.cost.flops import peak_flops, step_flops
from avw.model.training.cost.out_of_memory import memory_advice
from avw.model.training.held_out import HeldOut
from avw.model.training.losses import stage_losses
from avw.model.training.ranks import Ranks, lost_ranks
from avw.model.training.sharding import outline, shard
from avw.model.training.stage_state import StageState, file_of, schedule
from avw.model.training.train_log import Board, TrainLog
from avw.model.training.weights import prepare
from avw.sim_bridge.errors import TrainingError

Report = Callable[[str, int, int, dict[str, float]], None]
"""report(stage, step, steps, losses) is called after every step; losses is empty except at log lines."""


class StageLoss(nn.Module):
    """The loss terms of a batch, as one module: DistributedDataParallel averages the gradients of a `forward`."""

    def __init__(
        self, net: AvCdit, stage: str, diffusion: Diffusion, config: TrainConfig, device: torch.device
    ) -> None:
        super().__init__()
        self.net, self.stage, self.diffusion, self.config = net, stage, diffusion, config
        self.device_type = device.type

    def forward(self, batch: StageBatch, step: int) -> dict[str, Tensor]:
        with torch.autocast(self.device_type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            return stage_losses(self.net, self.stage, batch, self.diffusion, self.config, step)


def run_stage(
    net: AvCdit, stage: str, frames: EncodedFrames, tokenizers: Tokenizers, config: TrainConfig, out: Path,
    device: torch.device, report: Report, *, validation: EncodedFrames | None = None, boards: Sequence[Board] = (),
    ranks: Ranks | None = None,
) -> None:  # fmt: skip
    """Run one stage, from its last checkpoint if there is one. Afterwards `net` has the EMA weights of the stage.

    validation: frames of the validation split, whose losses are measured too
    Raises TrainingError for a gradient that is not finite, too little memory, and a process that is lost.
    """
    ranks = ranks or Ranks()
    sharded = ranks.count > 1 and config.sharded
    state = StageState(net, stage, config, device)
    finished = state.restore(out, receives=sharded and not ranks.first)
    ranks.wait()  # nobody writes before everybody has read
    if finished:
        report(stage, state.steps, state.steps, {})
        return
    loss = StageLoss(net, stage, Diffusion(config.diffusion, device), config, device)
    batches = Batches(frames, tokenizers, config, stage, device)
    share = None if state.finished else _share_of_peak(loss, batches, ranks, device)
    shared: nn.Module = loss
    if sharded:
        copy = outline(net)  # what was sharded cannot be made whole again in place
        prepare(copy, config)
        shared = loss = StageLoss(copy, stage, loss.diffusion, config, device)
        shard(loss, ranks, device)
        state.continue_with(copy)
    elif ranks.count > 1:
        shared = parallel = DistributedDataParallel(loss, find_unused_parameters=True)
        parallel.broadcast_buffers = False  # they never change; PyTorch 2.13 warns of the argument of this name
    first = ranks.rank * config.accumulate
    parts = [Part(first + n, ranks.count * config.accumulate) for n in range(config.accumulate)]
    held_out = HeldOut(validation, tokenizers, config, stage, device, out, boards)
    targets = config.contexts_of(stage) * config.targets
    log = TrainLog(out / "log.jsonl", stage, state.step, targets, boards=boards, ranks=ranks, share=share)
    loss.train()
    updating = False
    try:
        with memory_advice(config, stage, ranks.count, device), lost_ranks(f"in stage {stage}"):
            for step, mine in batches.steps(state.step, state.steps, parts):
                losses = gradients(shared, mine, step)
                updating = True
                try:
                    norm = state.update(config.learning_rate * schedule(step, state.steps, config))
                except FloatingPointError:
                    raise _not_finite(state, step, losses, out, ranks) from None
                updating = False
                log.add(losses, norm)
                due = state.step % config.log_every == 0 or state.finished
                shown = {}
                asked = due or state.step % config.save_every == 0
                if asked and (stopped := state.stopped_at()) is not None:
                    state.step = stopped
                    raise _not_finite(state, stopped, {}, out, ranks)
                beside = None
                if held_out.due(state.step, at_line=due) and (ranks.first or state.sharded):
                    updating = True  # weights and average are exchanged
                    with state.averaged() as average:
                        beside = held_out.measure(average, loss.diffusion, state.step, at_line=due)
                    updating = False
                if due:
                    shown = log.write(state.step, beside)
                report(stage, state.step, state.steps, shown)
                if state.step % config.save_every == 0 and not state.finished:
                    state.save(out, write=ranks.first)
    except KeyboardInterrupt:
        # During an update, weights and EMA may belong to different steps: keep the last checkpoint. It is kept too if
        # this process has a part of the state only.
        if not updating and not state.sharded and ranks.first and state.stopped_at() is None:
            state.save(out)
        raise
    state.save(out, write=ranks.first)
    ranks.wait()  # the next stage reads the file
    state.finish()


def gradients(loss: nn.Module, parts: Sequence[StageBatch], step: int) -> dict[str, Tensor]:
    """Compute the gradient of the mean loss of the parts, of all processes. Returns the loss terms of these parts."""
    loss.zero_grad(set_to_none=True)
    means: dict[str, Tensor] = {}
    for number, part in enumerate(parts):
        last = number + 1 == len(parts)
        # The gradients of the processes are averaged once per step, with the last part.
        later = nullcontext() if last or not isinstance(loss, DistributedDataParallel) else loss.no_sync()
        if isinstance(loss, FSDPModule):
            loss.set_requires_gradient_sync(last)
        with later:
            losses = loss(part, step)
            total = sum(losses.values(), torch.zeros((), device=next(iter(losses.values())).device))
            (total if len(parts) == 1 else total / len(parts)).backward()
        for name, value in losses.items():
            means[name] = means.get(name, 0.0) + value.detach() / len(parts)
    return means


def _share_of_peak(loss: StageLoss, batches: Batches, ranks: Ranks, device: torch.device) -> float:
    """The share of the FLOP/s of all devices that one target per second uses."""
    config, stage = loss.config, loss.stage
    sizes = [config.contexts_of(stage)] + ([config.reward_contexts] if stage == "3" else [])
    flops = step_flops(loss, loss.net, batches, math.gcd(*sizes)) / (sizes[0] * config.targets)
    return flops / (peak_flops(device, config.precision) * ranks.count)


def _not_finite(state: StageState, step: int, losses: dict[str, Tensor], out: Path, ranks: Ranks) -> TrainingError:
    """Save the state before the step, and name the batch."""
    state.save(out, write=ranks.first)
    wrong = [name for name, value in losses.items() if not torch.isfinite(value)]
    cause = f" (its {', '.join(wrong)} loss is {float(losses[wrong[0]])})" if wrong else ""
    return TrainingError(
        f"the gradient of the batch with seed {state.config.seed}, stage {state.stage}, step {step} is not finite"
        f"{cause}. The state before this step is in {file_of(out, state.stage)}. The same command fails "
        "again: choose a lower --learning-rate, a smaller --set clip, or --set precision=fp32, and another --out"
    )
