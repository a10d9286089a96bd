"""What a training needs: parameters, disk space, memory and hours, from configuration and size of the dataset."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from avw.avw4k.reading.dataset import Dataset
from avw.model.av_cdit import MODALITIES, AvCdit
from avw.model.memory.config import MemoryConfig
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.cost.hours import gpu_hours, step_costs
from avw.model.training.weights import parameters_of

NUMBER = 4  # bytes of a float32


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainForecast:
    """parameters: by owner: shared, vision, audio, reward. All others are bytes
    state: memory for weights, moving average, gradients and moments, per process, without activations
    checkpoint: the largest file of a stage that is running · latents: encoded frames of both splits
    disk_peak: at most, during the training; a checkpoint exists twice while it is written · disk_after: in the end
    free: on the disk of the run now
    step_flops: of each stage, over all processes · gpu_hours: of the stages on one GPU, see `hours.py`; both are empty
        for networks with a sound memory
    """

    parameters: dict[str, int]
    state: int
    checkpoint: int
    latents: int
    disk_peak: int
    disk_after: int
    free: int
    step_flops: dict[str, int]
    gpu_hours: dict[str, float]


def forecast(dataset: Dataset, out: Path, config: TrainConfig) -> TrainForecast:
    """The forecast of a training into the folder `out`, from the start."""
    with torch.device("meta"):  # without memory
        net = AvCdit(config.net)
    owners = dict.fromkeys(("shared", *MODALITIES), 0)
    for name, parameter in net.named_parameters():
        owners[next((m for m in MODALITIES if m in name.split(".")), "shared")] += parameter.numel()
    whole = sum(owners.values())
    trained = {stage: sum(p.numel() for _, p in parameters_of(net, stage)) for stage in "123"}
    # All weights, and of the trained ones the average and two moments (`StageState.save`).
    running = {stage: NUMBER * (whole + 3 * count) if config.steps[stage] else 0 for stage, count in trained.items()}
    finished = NUMBER * whole
    held_out = (config.validate_every or config.sample_every) and dataset.episodes("val")
    splits = ["train", "val"] if held_out else ["train"]
    frames = sum(ref.steps + 1 for split in splits for ref in dataset.episodes(split))
    latents = frames * frame_bytes(config, dataset.spec.simulator.size)
    after = latents + finished * (len(running) + 1)  # the stages and the model
    during = [finished * number + 2 * size for number, size in enumerate(running.values())]
    existing = next(folder for folder in (out.resolve(), *out.resolve().parents) if folder.exists())
    return TrainForecast(
        parameters=owners,
        state=NUMBER * (whole + 4 * max(trained.values())),
        checkpoint=max(running.values()),
        latents=latents,
        disk_peak=max(latents + max(during), after),
        disk_after=after,
        free=shutil.disk_usage(existing).free,
        step_flops=step_costs(config),
        gpu_hours=gpu_hours(config),
    )


def frame_bytes(config: TrainConfig, size: int) -> int:
    """Bytes of a frame in the cache of `EncodedFrames`: colours, latents of both mirror images, depth and tracks."""
    net = config.net
    latents = net.latent_size**2 * net.latent_channels + net.audio_tokens * net.audio_channels
    total = 3 * size**2 + 2 * 2 * latents
    if net.prior == "memory" or net.depth_channels:
        total += 2 * size**2
    if net.prior == "memory":
        total += 4 * 8 + 3 * 4 * config.windows.max_offset + 4 * MemoryConfig().keyframes
    return total
