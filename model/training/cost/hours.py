"""How long a training takes on a device: FLOPs of its steps, counted without memory, over the FLOP/s of the device.

Only networks without a sound memory (S to XL) are counted: the memory of nano depends on data.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from avw.model.av_cdit import PRIOR_EXTRA, AvCdit, AvCditConfig
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.cost.flops import DENSE_PEAKS, counted
from avw.model.training.weights import parameters_of

GPUS = ("A100", "H100", "L40S", "RTX 4090")
ASSUMED_MFU = 0.3
"""Of a GPU. Published: 23 % for a compiled 22 M ViT on an H100, and 40 % and more for networks of billions. Ours was
not measured on a GPU."""


def step_costs(config: TrainConfig) -> dict[str, int]:
    """FLOPs of a step of each stage, over all processes: forward and backward. {} for networks that are not counted."""
    if config.net.sound_memory or config.net.cdit:
        return {}
    return {stage: _stage(config, stage) for stage, steps in config.steps.items() if steps}


def gpu_hours(config: TrainConfig, mfu: float = ASSUMED_MFU) -> dict[str, float]:
    """Hours of the three stages on one GPU of each kind, at a share of the FLOP/s that its maker states."""
    total = sum(cost * config.steps[stage] for stage, cost in step_costs(config).items())
    place = config.precision == "bf16"
    return {name: total / (mfu * DENSE_PEAKS[name][place]) / 3600 for name in GPUS} if total else {}


def _stage(config: TrainConfig, stage: str) -> int:
    K = config.targets
    net = outline(config.net, stage)
    senses = config.predicted(stage)
    futures = config.futures or stage != "3"
    total = 0
    if futures:
        both = _counted(net, config, senses, K, futures=True, reward=stage == "3")
        total += both * config.contexts_of(stage)
    if stage == "3":  # half of the reward batches have no images, or all of them
        blind = [("audio",)] if "audio" in config.net.modalities else []
        kinds = blind if config.net.blind_reward else [config.net.modalities, *blind]
        alone = sum(_counted(net, config, kind, config.reward_targets, futures=False, reward=True) for kind in kinds)
        total += alone * config.reward_contexts // len(kinds)
    return total


def outline(config: AvCditConfig, stage: str) -> AvCdit:
    """The network of a stage without memory (on the meta device)."""
    with torch.device("meta"):
        net = AvCdit(replace(config))
    trained = {name for name, _ in parameters_of(net, stage)}
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name in trained)
    return net


def _counted(net: AvCdit, config: TrainConfig, senses: tuple[str, ...], K: int, *, futures: bool, reward: bool) -> int:
    """FLOPs of one context with K targets, forward and backward."""
    size = config.net
    image = (size.latent_size, size.latent_size, size.latent_channels)
    sound = (size.audio_tokens, size.audio_channels)

    def some(*shape: int) -> Tensor:
        return torch.ones(shape, device="meta")

    def step() -> None:
        context = net.context(
            some(1, size.context, *image) if "vision" in senses else None,
            some(1, size.context, *sound) if "audio" in senses else None,
            some(1, size.context, 3),
        )  # fmt: skip
        noisy = {name: some(K, *shape) for name, shape in (("vision", image), ("audio", sound)) if name in senses}
        prior = None
        if futures and "vision" in senses and size.prior != "none":
            prior = F.pad(noisy["vision"], (0, PRIOR_EXTRA[size.prior]))
        outputs, found = net(
            noisy if futures else {}, some(1, K), some(1, K, 3), some(1, K), context, prior_PHWC=prior, reward=reward
        )  # fmt: skip
        losses = [output.sum() for output in outputs.values()]
        if found is not None:
            losses.append(found.distance_logits_BKn.sum())
        torch.stack(losses).sum().backward()

    return counted(step)
