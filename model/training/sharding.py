"""Sharded training (FSDP2): every process keeps a part of weights, gradients, moments and moving average.

The weights are gathered for a step and freed after it, as one group (`torch.distributed.fsdp.fully_shard`). So in a
step a process needs memory for the weights and activations, and a share of all else: of the 28 GB of XL, 5.5 GB of
weights and an eighth of 22 GB with eight processes. At the start of a stage only the first process reads the state,
and sends the others their parts, one tensor after another. It has room for all of it, and every process for the weights
and gradients of one step, because that is when FLOPs are counted. Gradients are summed in another order than
by DistributedDataParallel, and everything else is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from avw.model.training.ranks import Ranks

Module = TypeVar("Module", bound=nn.Module)


def outline(module: Module) -> Module:
    """A copy whose parameters have no memory (they are on the meta device). Buffers are copied."""
    return deepcopy(module, {id(parameter): _without_memory(parameter) for parameter in module.parameters()})


def release(module: nn.Module) -> None:
    """Free the memory of the parameters, which then are like those of `outline`."""
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            setattr(part, name, _without_memory(parameter))


def _without_memory(parameter: nn.Parameter) -> nn.Parameter:
    return nn.Parameter(torch.empty_like(parameter, device="meta"), requires_grad=parameter.requires_grad)


def shard(loss: nn.Module, ranks: Ranks, device: torch.device) -> None:
    """Shard the parameters of an `outline` whose `forward` is the loss. They become DTensors, except single numbers,
    which every process keeps. Their values are not set."""
    numbers = {parameter for parameter in loss.parameters() if parameter.ndim == 0}
    mesh = init_device_mesh(device.type, (ranks.count,))
    fully_shard(loss, mesh=mesh, reshard_after_forward=False, ignored_params=numbers)
    buffers = {name: buffer.clone() for name, buffer in loss.named_buffers()}
    loss.to_empty(device=device)
    for name, buffer in loss.named_buffers():
        buffer.copy_(buffers[name])


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


@torch.no_grad()
def received(tensor: Tensor | None, parameter: Tensor) -> Tensor:
    """A whole tensor of the first process, as a part like that of `parameter`, or whole if that is. The others pass
    None, and all processes must call this together."""
    device, shape = parameter.device, parameter.shape
    found = torch.empty(shape, dtype=parameter.dtype, device=device) if tensor is None else tensor.detach().to(device)
    if isinstance(parameter, DTensor):
        return distribute_tensor(found, parameter.device_mesh, parameter.placements)
    dist.broadcast(found, 0)
    return found


def names_of_first(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names in the first process. All processes must call this together."""
    names = [list(tensors)]
    dist.broadcast_object_list(names, 0)
    return names[0]
