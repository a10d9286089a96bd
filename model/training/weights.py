"""The network in a training: how its weights start, which of them a stage trains, and how its blocks compute."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import nn

from avw.model.av_cdit import AvCdit
from avw.model.training.configuration.config import TrainConfig


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


def prepare(net: AvCdit, config: TrainConfig) -> None:
    """Make the blocks of the network compute as the configuration says."""
    net.recompute = config.recompute
    if config.compiler:
        for block in net.blocks:
            block.compile(backend=config.compiler)
