"""Training of AV-CDiT: first the tokenizers, then three stages (AV-CDiT, arXiv 2512.00883).

    tokenizers  image and audio tokenizer, fitted on the training split
    1           vision: attention, conditions, and the adapter, experts and head of vision
    2           sound: the adapter, experts and head of audio; all weights of stage 1 (its EMA) are frozen
    3           everything jointly, with the reward output

Each stage has its own checkpoint, which is written every `save_every` steps and at the end. Batches are pure functions
of (seed, stage, step), so a resumed run gives the same result as an uninterrupted one.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model import checkpoint
from avw.model.av_cdit import DISTANCE_EDGES, AvCdit, AvCditConfig, RewardPrediction
from avw.model.diffusion import Diffusion, DiffusionConfig
from avw.model.rotation import Rotation
from avw.model.tokenizers.fit import TokenizerBudget, fit_tokenizers
from avw.model.training.calibrate import calibrate
from avw.model.training.latents import Batch, Latents
from avw.model.world_model import FILE, WorldModel
from avw.sim_bridge.config_differences import config_differences
from avw.sim_bridge.errors import CheckpointError, UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.storage.atomic_write import atomic_write

STAGES = ("tokenizers", "1", "2", "3")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Configuration of a training run. Batch sizes count contexts; each context has `targets` targets (4, as in NWM).

    reward_contexts, reward_targets: size of additional batches in stage 3 that contain only the reward token. One token
        per target, instead of a whole image and sound, allows about ten times more targets per step
    """

    net: AvCditConfig
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    windows: WindowConfig = field(default_factory=WindowConfig)
    tokenizers: TokenizerBudget = field(default_factory=TokenizerBudget)
    seed: int = 0
    # optimisation
    steps: dict[str, int] = field(default_factory=lambda: {"1": 800, "2": 300, "3": 1500})
    contexts: int = 16
    targets: int = 4
    learning_rate: float = 1e-3
    warmup: int = 100
    decay: bool = True  # cosine, to 0.1 % of the rate; NWM uses a constant rate
    clip: float = 10.0
    ema: float = 0.998
    mirror: bool = True
    # reward
    reward_contexts: int = 64
    reward_targets: int = 12
    progress_weight: float = 1.0
    distance_weight: float = 0.25
    imagined_weight: float = (
        0.5  # of the reward predicted beside noisy tokens; the reward from the context alone has weight 1
    )
    # running
    save_every: int = 500
    log_every: int = 20


Report = Callable[[str, int, int, dict[str, float]], None]
"""report(stage, step, steps, losses) is called after every step; losses is empty except at log lines."""


def train(
    dataset: Dataset, out: Path, config: TrainConfig, *, stages: tuple[str, ...] = STAGES, device: str = "cpu",
    report: Report = lambda stage, step, steps, losses: None,
) -> WorldModel:  # fmt: skip
    """Train into the folder `out`. Resumes a run with the same configuration that is there. Returns the model."""
    claim(out, config, dataset)
    place = torch.device(device)
    image, audio = fit_tokenizers(dataset, out / "tokenizers.safetensors", config.tokenizers, config.seed, report)
    net = AvCdit(config.net).to(place)
    init_weights(net, config.seed)
    if stages == ("tokenizers",):
        return _world_model(net, image, audio, config, dataset, device)

    windows = Windows(dataset, "train", replace(config.windows, ages=config.net.ages))
    key = f"{fingerprint(dataset)}/{checkpoint.fingerprint(out / 'tokenizers.safetensors')}"
    latents = Latents(windows, image, audio, out / "latents", key=key, progress=_count(report, windows.frames))
    image, audio = image.to(place), audio.to(place)
    for stage in [s for s in ("1", "2", "3") if s in stages]:
        run_stage(net, stage, latents, config, out, place, report)
    model = _world_model(net, image, audio, config, dataset, device)
    if "3" in stages:
        if dataset.episodes("val"):
            model.calibration = calibrate(model, dataset)
        model.save(out / FILE)
    return model


def run_stage(
    net: AvCdit, stage: str, latents: Latents, config: TrainConfig, out: Path, device: torch.device, report: Report
) -> None:
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
        start = note["step"]
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
        if note["step"] < config.steps[str(int(stage) - 1)]:
            raise CheckpointError(f"{before}: stage {int(stage) - 1} is not complete; run avw train without --stages")
        checkpoint.restore(net, tensors, "ema", before)
    ema = ema or {n: p.detach().clone() for n, p in trained.items()}
    diffusion = Diffusion(config.diffusion, device)
    size = latents.windows.dataset.spec.simulator.size
    hfov = latents.windows.dataset.spec.simulator.hfov
    rotation = Rotation(size, hfov, device) if config.net.rotation_prior and stage != "2" else None

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
        for step in range(start, steps):
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate * schedule(step, steps, config)
            losses = stage_losses(net, stage, step, latents, rotation, diffusion, config, device)
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


def stage_losses(
    net: AvCdit, stage: str, step: int, latents: Latents, rotation: Rotation | None, diffusion: Diffusion,
    config: TrainConfig, device: torch.device,
) -> dict[str, Tensor]:  # fmt: skip
    """The loss terms of one training step. Their sum is minimised."""
    windows, purpose = latents.windows, f"stage-{stage}"
    window = windows.draw(config.seed, purpose, step, config.contexts, config.targets)
    rng = keyed_rng(config.seed, purpose, step)
    mirrored = (rng.random(config.contexts) < 0.5) & config.mirror
    batch = latents.batch(window, mirrored, rotation, device)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))

    modalities = {"1": ("vision",), "2": ("audio",), "3": ("vision", "audio")}[stage]
    clean = {"vision": batch.target_vision_PHWC, "audio": batch.target_audio_PAD}
    P = clean["vision"].shape[0]
    step_P = diffusion.draw_steps(P, generator).to(device)  # one diffusion step for both modalities
    noise = {name: torch.randn(clean[name].shape, generator=generator).to(device) for name in modalities}
    noisy = {name: diffusion.training_input(clean[name], step_P, noise[name]) for name in modalities}
    context = net.context(
        batch.vision_BTHWC if "vision" in modalities else None,
        batch.audio_BTAD if "audio" in modalities else None,
        batch.past_BT3,
    )

    def network(latents: dict[str, Tensor], at_P: Tensor) -> tuple[dict[str, Tensor], RewardPrediction | None]:
        at_BK, motion, offset = at_P.view(batch.offset_BK.shape), batch.motion_BK3, batch.offset_BK
        return net(latents, at_BK, motion, offset, context, prior_PHWC=batch.prior_PHWC, reward=stage == "3")

    consistent: dict[str, Tensor] = {}
    if diffusion.config.prediction == "shortcut":
        consistent = diffusion.consistent_targets(noisy, step_P, lambda latents, at_P: network(latents, at_P)[0])
    outputs, reward = network(noisy, step_P)
    losses = {
        name: diffusion.loss(outputs[name], clean[name], noisy[name], noise[name], step_P, consistent.get(name)).mean()
        for name in modalities
    }
    if stage != "3":
        return losses
    assert reward is not None
    progress, distance = reward_losses(reward, batch)
    losses["progress_imagined"] = config.imagined_weight * config.progress_weight * progress
    losses["distance_imagined"] = config.imagined_weight * config.distance_weight * distance

    # The reward from the context alone: without target tokens, large batches are cheap.
    window = windows.draw(config.seed, purpose + "-reward", step, config.reward_contexts, config.reward_targets)
    mirrored = (rng.random(config.reward_contexts) < 0.5) & config.mirror
    batch = latents.batch(window, mirrored, None, device)
    last = torch.full(batch.offset_BK.shape, diffusion.config.steps - 1.0, device=device)
    # Half of these batches have no images: images identify the scene, and a reward that depends on them overfits to the
    # training scenes.
    context = net.context(batch.vision_BTHWC if step % 2 else None, batch.audio_BTAD, batch.past_BT3)
    _, reward = net({}, last, batch.motion_BK3, batch.offset_BK, context, reward=True)
    assert reward is not None
    progress, distance = reward_losses(reward, batch)
    losses["progress"] = config.progress_weight * progress
    losses["distance"] = config.distance_weight * distance
    return losses


def reward_losses(reward: RewardPrediction, batch: Batch) -> tuple[Tensor, Tensor]:
    """(absolute error of the progress relative to the displacement, so that short moves count as much as long ones;
    cross-entropy of the distance at the target)."""
    displacement = torch.hypot(batch.motion_BK3[..., 0], batch.motion_BK3[..., 1])
    progress = ((reward.progress_BK - batch.progress_BK).abs() / (0.15 + displacement)).mean()
    edges = torch.tensor(DISTANCE_EDGES, device=batch.distance_BK.device)
    bins = torch.bucketize(batch.distance_BK.contiguous(), edges, right=True)
    return progress, F.cross_entropy(reward.distance_logits_BKn.flatten(0, 1), bins.flatten())


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
            for line in path.read_text().splitlines():
                with contextlib.suppress(ValueError):  # an incomplete line, from a process that was killed
                    row = json.loads(line)
                    if row["stage"] != stage or row["step"] <= start:
                        kept.append(line + "\n")
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
    out.mkdir(parents=True, exist_ok=True)
    if path.exists():
        found = json.loads(path.read_text())
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


def _world_model(net: AvCdit, image: Any, audio: Any, config: TrainConfig, dataset: Dataset, device: str) -> WorldModel:
    note = {
        "data": str(dataset.path),
        "dataset": fingerprint(dataset),
        "licences": dataset.info.get("licences", []),
        "max_offset": config.windows.max_offset,
    }
    hfov = dataset.spec.simulator.hfov
    return WorldModel(net, image, audio, config.diffusion, hfov=hfov, note=note, device=device)


def _count(report: Report, total: int) -> Callable[[int], None]:
    done = 0

    def add(frames: int) -> None:
        nonlocal done
        done += frames
        report("latents", done, total, {})

    return add
