"""Training of AV-CDiT: first the tokenizers, then three stages (AV-CDiT, arXiv 2512.00883).

    tokenizers  image and audio tokenizer, fitted on the training split
    1           vision: attention, conditions, and the adapter, experts and head of vision
    2           sound: the adapter, experts and head of audio; all weights of stage 1 (its EMA) are frozen
    3           everything jointly, with the reward output

Each stage has its own checkpoint, which is written every `save_every` steps and at the end. Batches are pure functions
of (seed, stage, step), so a resumed run gives the same result as an uninterrupted one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import Windows
from avw.model import checkpoint
from avw.model.av_cdit import AvCdit
from avw.model.diffusion import Diffusion
from avw.model.frames import EncodedFrames
from avw.model.run_folder import read_log, read_result_object
from avw.model.tokenizers.fit import fit_tokenizers
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.training.batches import Batches
from avw.model.training.calibrate import calibrate
from avw.model.training.config import TrainConfig
from avw.model.training.losses import stage_losses
from avw.model.training.pixels import fit_compositor
from avw.model.world_model import FILE, WorldModel
from avw.sim_bridge.config_differences import config_differences
from avw.sim_bridge.errors import CheckpointError, UsageError
from avw.sim_bridge.storage.atomic_write import atomic_write
from avw.sim_bridge.storage.disk_errors import readable_errors
from avw.sim_bridge.storage.file_lock import claimed

STAGES = ("tokenizers", "1", "2", "3")


Report = Callable[[str, int, int, dict[str, float]], None]
"""report(stage, step, steps, losses) is called after every step; losses is empty except at log lines."""


def train(
    dataset: Dataset, out: Path, config: TrainConfig, *, stages: tuple[str, ...] = STAGES, device: str = "cpu",
    report: Report = lambda stage, step, steps, losses: None,
) -> WorldModel:  # fmt: skip
    """Train into the folder `out`. Resumes a run with the same configuration that is there. Returns the model.

    Raises UsageError for a folder that another command is training in, or that holds another run.
    """
    busy = f"{out} is being written by another `avw train`; wait for it, or name another folder with --out"
    with claimed(out, busy):
        with readable_errors("cannot write the run", out):
            out.mkdir(parents=True, exist_ok=True)
        return _train(dataset, out, config, stages, device, report)


def _train(
    dataset: Dataset, out: Path, config: TrainConfig, stages: tuple[str, ...], device: str, report: Report
) -> WorldModel:
    claim(out, config, dataset)
    place = torch.device(device)
    tokenizers = fit_tokenizers(dataset, out / "tokenizers.safetensors", config.tokenizers, config.seed, report)
    net = AvCdit(config.net).to(place)
    init_weights(net, config.seed)
    if stages == ("tokenizers",):
        return _world_model(net, tokenizers, config, dataset, device)

    windows = Windows(dataset, "train", replace(config.windows, ages=config.net.ages))
    key = f"{fingerprint(dataset)}/{checkpoint.fingerprint(out / 'tokenizers.safetensors')}"
    frames = EncodedFrames(
        windows, tokenizers, config.net, out / "latents", key=key, progress=_count(report, windows.frames)
    )
    tokenizers = tokenizers.to(place)
    for stage in [s for s in ("1", "2", "3") if s in stages]:
        run_stage(net, stage, frames, tokenizers, config, out, place, report)
    model = _world_model(net, tokenizers, config, dataset, device)
    if "3" in stages:
        if config.net.prior == "memory" and config.compositor_steps:
            model.compositor = fit_compositor(model, frames, config, out / "compositor.safetensors", report)
        if dataset.episodes("val"):
            model.calibration = calibrate(model, dataset)
        model.save(out / FILE)
    return model


def run_stage(
    net: AvCdit, stage: str, frames: EncodedFrames, tokenizers: Tokenizers, config: TrainConfig, out: Path,
    device: torch.device, report: Report,
) -> None:  # fmt: skip
    """Run one stage, from its last checkpoint if there is one. Afterwards `net` has the EMA weights of the stage."""
    path, steps = out / f"stage-{stage}.safetensors", config.steps[stage]
    trained = dict(parameters_of(net, stage))
    names = list(trained)
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name in trained)
    optimizer = torch.optim.AdamW(trained.values(), lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    start, ema = 0, {}
    if path.exists():
        tensors, note = checkpoint.load(path)
        start = _step(note, path)
        if start >= steps:
            checkpoint.restore(net, tensors, "ema", path)
            report(stage, steps, steps, {})
            return
        checkpoint.restore(net, tensors, "net", path)
        checkpoint.restore_optimizer(optimizer, names, tensors)
        ema = {n: tensors[f"ema.{n}"].to(device) for n in names}
    elif stage != "1":
        before = out / f"stage-{int(stage) - 1}.safetensors"
        tensors, note = checkpoint.load(before)
        if _step(note, before) < config.steps[str(int(stage) - 1)]:
            raise CheckpointError(f"{before}: stage {int(stage) - 1} is not complete; run avw train without --stages")
        checkpoint.restore(net, tensors, "ema", before)
    ema = ema or {n: p.detach().clone() for n, p in trained.items()}
    diffusion = Diffusion(config.diffusion, device)
    batches = Batches(frames, tokenizers, config, stage, device)

    def save(step: int) -> None:
        averaged = {n: ema.get(n, p) for n, p in net.state_dict().items()}
        tensors = {
            **checkpoint.prefixed("net", net.state_dict()),
            **checkpoint.prefixed("ema", averaged),
            **checkpoint.optimizer_tensors(optimizer, names),
        }
        checkpoint.save(path, tensors, {"stage": stage, "step": step})

    net.train()
    log = LossLog(out / "log.jsonl", stage, start)
    done, updating = start, False
    try:
        for step, batch in batches.steps(start, steps):
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * schedule(step, steps, config)
            losses = stage_losses(net, stage, batch, diffusion, config, step)
            total = sum(losses.values(), torch.zeros((), device=device))
            optimizer.zero_grad(set_to_none=True)
            total.backward()
            norm = nn.utils.clip_grad_norm_(trained.values(), config.clip)
            if not torch.isfinite(norm):
                raise CheckpointError(
                    f"stage {stage}, step {step}: the gradient is not finite. The last checkpoint ({path}) is intact; "
                    "choose a lower --learning-rate and another --out"
                )
            updating = True
            optimizer.step()
            keep = min(config.ema, (step + 1) / (step + 10))
            with torch.no_grad():
                torch._foreach_lerp_([ema[n] for n in names], [trained[n] for n in names], 1 - keep)
            done, updating = step + 1, False
            log.add(losses)
            due = (step + 1) % config.log_every == 0 or step + 1 == steps
            report(stage, step + 1, steps, log.write(step + 1) if due else {})
            if (step + 1) % config.save_every == 0:
                save(step + 1)
    except KeyboardInterrupt:
        if not updating:  # during an update, weights and EMA may belong to different steps: keep the last checkpoint
            save(done)
        raise
    save(steps)
    net.load_state_dict({**net.state_dict(), **ema})


def _step(note: dict[str, Any], path: Path) -> int:
    """The step in the note of a stage."""
    step = note.get("step")
    if not isinstance(step, int) or step < 0:
        raise CheckpointError(f"{path}: its note has no step; delete it and run avw train again")
    return step


def parameters_of(net: AvCdit, stage: str) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that a stage trains.

    The parameters of a modality have its name in theirs. Stage 2 trains those of audio only: shared attention, its
    modulation and the condition embeddings stay as in stage 1 (according to the paper, training them there diverges).
    """
    for name, parameter in net.named_parameters():
        owner = next((m for m in ("vision", "audio", "reward") if m in name.split(".")), "shared")
        if {"1": owner in ("shared", "vision"), "2": owner == "audio", "3": True}[stage]:
            yield name, parameter


def init_weights(net: AvCdit, seed: int) -> None:
    """Xavier initialisation of linear maps, except those that are zero (AdaLN-Zero). Depends on `seed` only."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.split(".")[0] in ("positions", "ages"):
                parameter.copy_(0.02 * torch.randn(parameter.shape, generator=generator))
            elif parameter.ndim == 2 and bool(parameter.any()):
                bound = math.sqrt(6 / sum(parameter.shape))
                parameter.copy_((torch.rand(parameter.shape, generator=generator) * 2 - 1) * bound)
            elif name.endswith("bias"):
                parameter.zero_()


def schedule(step: int, steps: int, config: TrainConfig) -> float:
    """Factor of the learning rate: linear warm-up, then cosine decay (or constant)."""
    warm = min(1.0, (step + 1) / max(1, min(config.warmup, steps // 5)))
    return warm * (0.5 + 0.4995 * math.cos(math.pi * step / steps) if config.decay else 1.0)


class LossLog:
    """Appends mean losses to log.jsonl. Lines of the stage after step `start`, from an interrupted run, are removed."""

    def __init__(self, path: Path, stage: str, start: int) -> None:
        self.path, self.stage = path, stage
        self.sums: dict[str, float] = {}
        self.count, self.time = 0, time.perf_counter()
        kept = []
        if path.exists():
            for row in read_log(path):
                if row["stage"] != stage or row["step"] <= start:
                    kept.append(json.dumps(row) + "\n")
        path.write_text("".join(kept))

    def add(self, losses: dict[str, Tensor]) -> None:
        self.count += 1
        for name, loss in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(loss.detach())

    def write(self, step: int) -> dict[str, float]:
        means = {name: total / self.count for name, total in self.sums.items()}
        now = time.perf_counter()
        row = {"stage": self.stage, "step": step, "loss": sum(means.values()), **means, "seconds": now - self.time}
        with self.path.open("a") as file:
            file.write(json.dumps({k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}) + "\n")
        self.sums, self.count, self.time = {}, 0, now
        return means


def claim(out: Path, config: TrainConfig, dataset: Dataset) -> None:
    """Make `out` the folder of this training. Raises UsageError if it holds a run with another configuration."""
    wanted = {"train": checkpoint.as_json(config), "dataset": fingerprint(dataset), "data": str(dataset.path)}
    path = out / "config.json"
    if path.exists():
        found = read_result_object(path)
        differing = config_differences({**found, "data": None}, {**wanted, "data": None})
        if differing:
            name, old, new = differing[0]
            raise UsageError(
                f"{out} holds a run with {name} = {old}, but this command has {new}. Choose another --out, delete the "
                "folder, or repeat the command that started the run to resume it"
            )
        return
    atomic_write(path, json.dumps(wanted, indent=2))


def fingerprint(dataset: Dataset) -> str:
    """Identifies the data: the spec determines every byte, and the count is the number of episodes written so far."""
    return f"{dataset.spec.sha256}:{len(dataset.episodes())}"


def _world_model(net: AvCdit, tokenizers: Tokenizers, config: TrainConfig, dataset: Dataset, device: str) -> WorldModel:
    note = {
        "data": str(dataset.path),
        "dataset": fingerprint(dataset),
        "licences": dataset.info.get("licences", []),
        "max_offset": config.windows.max_offset,
    }
    hfov = dataset.spec.simulator.hfov
    return WorldModel(net, tokenizers, config.diffusion, hfov=hfov, note=note, device=device)


def _count(report: Report, total: int) -> Callable[[int], None]:
    done = 0

    def add(frames: int) -> None:
        nonlocal done
        done += frames
        report("latents", done, total, {})

    return add
