"""Sharded training (FSDP2): every process keeps a part of weights, gradients, moments and moving average.

The weights are gathered for a step and freed after it, as one group (`torch.distributed.fsdp.fully_shard`). So a
process needs memory for the weights and activations of a step, and a share of all else: of the 28 GB of XL, 4 GB of
weights and an eighth of 24 GB with eight processes. Gradients are summed in another order than by
DistributedDataParallel, and everything else is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from avw.model.training.ranks import Ranks


def shard(loss: nn.Module, ranks: Ranks, device: torch.device) -> None:
    """Shard the parameters of a module whose `forward` is the loss. They become DTensors, except single numbers, which
    every process keeps."""
    numbers = {parameter for parameter in loss.parameters() if parameter.ndim == 0}
    mesh = init_device_mesh(device.type, (ranks.count,))
    fully_shard(loss, mesh=mesh, reshard_after_forward=False, ignored_params=numbers)


def clip(parameters: Sequence[nn.Parameter], most: float) -> Tensor:
    """`clip_grad_norm_` for parameters of which some are DTensors. The gradients of the others are averaged first, as
    FSDP averages those of its own."""
    groups = [
        [p for p in parameters if isinstance(p, DTensor) is sharded and p.grad is not None] for sharded in (True, False)
    ]
    for parameter in groups[1]:
        dist.all_reduce(parameter.grad)
        cast("Tensor", parameter.grad).div_(dist.get_world_size())
    norms = [whole(nn.utils.get_total_norm([cast("Tensor", p.grad) for p in group])) for group in groups if group]
    norm = torch.stack(norms).norm()
    for group in groups:
        nn.utils.clip_grads_with_norm_(group, most, norm)
    return norm


def whole(tensor: Tensor) -> Tensor:
    """A plain tensor with all parts. All processes must call this together."""
    return tensor.full_tensor().detach() if isinstance(tensor, DTensor) else tensor.detach()


def wholes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: whole(tensor).cpu() for name, tensor in tensors.items()}


def local(tensor: Tensor) -> Tensor:
    """The part of this process, which shares its memory."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A whole tensor as a part like that of `parameter`, or itself if that is whole."""
    if not isinstance(parameter, DTensor):
        return tensor
    return distribute_tensor(
        tensor.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
    )
