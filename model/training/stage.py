"""One stage of the training, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from avw.model.av_cdit import AvCdit
from avw.model.diffusion import Diffusion
from avw.model.frames import EncodedFrames
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.training.batches import Batches, Part, StageBatch
from avw.model.training.config import TrainConfig
from avw.model.training.losses import stage_losses
from avw.model.training.out_of_memory import memory_advice
from avw.model.training.ranks import Ranks, lost_ranks
from avw.model.training.stage_state import StageState, file_of, schedule
from avw.model.training.train_log import Board, TrainLog
from avw.model.training.validation import Validation
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
    state = StageState(net, stage, config, device)
    finished = state.restore(out)
    ranks.wait()  # nobody writes before everybody has read
    if finished:
        report(stage, state.steps, state.steps, {})
        return
    loss = StageLoss(net, stage, Diffusion(config.diffusion, device), config, device)
    shared: nn.Module = loss
    if ranks.count > 1:
        shared = DistributedDataParallel(loss, broadcast_buffers=False, find_unused_parameters=True)
    first = ranks.rank * config.accumulate
    parts = [Part(first + n, ranks.count * config.accumulate) for n in range(config.accumulate)]
    batches = Batches(frames, tokenizers, config, stage, device)
    measured = None
    if validation is not None and config.validate_every and ranks.first:
        measured = Validation(validation, tokenizers, config, stage, device)
    log = TrainLog(
        out / "log.jsonl", stage, state.step, config.contexts_of(stage) * config.targets, boards=boards, ranks=ranks
    )
    net.train()
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
                if due:
                    beside = None
                    if measured is not None and measured.due(state.step):
                        updating = True  # weights and average are exchanged
                        with state.averaged():
                            beside = measured.measure(net, loss.diffusion)
                        updating = False
                    shown = log.write(state.step, beside)
                report(stage, state.step, state.steps, shown)
                if state.step % config.save_every == 0 and not state.finished and ranks.first:
                    state.save(out)
    except KeyboardInterrupt:
        # During an update, weights and EMA may belong to different steps: keep the last checkpoint.
        if not updating and ranks.first and state.stopped_at() is None:
            state.save(out)
        raise
    if ranks.first:
        state.save(out)
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
        with later:
            losses = loss(part, step)
            total = sum(losses.values(), torch.zeros((), device=next(iter(losses.values())).device))
            (total if len(parts) == 1 else total / len(parts)).backward()
        for name, value in losses.items():
            means[name] = means.get(name, 0.0) + value.detach() / len(parts)
    return means


def _not_finite(state: StageState, step: int, losses: dict[str, Tensor], out: Path, ranks: Ranks) -> TrainingError:
    """Save the state before the step, and name the batch."""
    if ranks.first:
        state.save(out)
    wrong = [name for name, value in losses.items() if not torch.isfinite(value)]
    cause = f" (its {', '.join(wrong)} loss is {float(losses[wrong[0]])})" if wrong else ""
    return TrainingError(
        f"the gradient of the batch with seed {state.config.seed}, stage {state.stage}, step {step} is not finite"
        f"{cause}. The state before this step is in {file_of(out, state.stage)}. The same command fails "
        "again: choose a lower --learning-rate, a smaller --set clip, or --set precision=fp32, and another --out"
    )
