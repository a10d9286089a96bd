"""Floating-point operations: of a training step, and those that a device can do. Their ratio is the MFU of a training.

A multiplication and an addition count as two. As usual, matrix products and attention count, and operations that are
repeated to save memory do not (model FLOP utilisation, arXiv 2204.02311).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from avw.model.av_cdit import AvCdit
from avw.model.training.batches import Batches, Part

DENSE_PEAKS: dict[str, tuple[float, float]] = {
    "H200": (67e12, 989e12),
    "H100 PCIe": (51e12, 756e12),
    "H100": (67e12, 989e12),
    "A100": (19.5e12, 312e12),
    "L40S": (91.6e12, 362e12),
    "L4": (30.3e12, 121e12),
    "A10": (31.2e12, 125e12),
    "V100": (15.7e12, 125e12),
    "RTX 4090": (82.6e12, 165e12),
    "RTX 3090": (35.6e12, 71e12),
}
"""FLOP/s without sparsity that NVIDIA states, in float32 and in bfloat16 with float32 sums (V100: float16)."""
MATRIX = 768  # width of the product that measures a device without a stated peak


Shape = tuple[int, ...]


def _attention(q: Shape, k: Shape, v: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(q, k, v))


def _attention_backward(gradient: Shape, q: Shape, k: Shape, v: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(gradient, q, k, v))


# PyTorch counts attention on GPUs only.
CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


def counted(task: Callable[[], object]) -> int:
    """FLOPs of one call of `task`, which must not be compiled."""
    with FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as counter:
        task()
    return counter.get_total_flops()


def step_flops(loss: nn.Module, net: AvCdit, batches: Batches, contexts: int, steps: Sequence[int] = (0, 1)) -> float:
    """FLOPs of a training step over all processes: the mean over some steps, because batches of a kind take turns.

    loss: gives the loss terms of a batch from `net`
    contexts: a divisor of the contexts of all batches. The FLOPs of a part with a share of them are counted
    """
    kept, net.recompute = net.recompute, False
    total = 0
    try:
        with torch.compiler.set_stance("force_eager"):
            for step in steps:
                part = batches.at(step, Part(0, contexts))
                total += counted(lambda part=part, step=step: _backward(loss(part, step)))  # type: ignore[misc]
    finally:
        net.recompute = kept
        loss.zero_grad(set_to_none=True)
    return total * contexts / len(steps)


def _backward(losses: dict[str, Tensor]) -> None:
    torch.stack(list(losses.values())).sum().backward()


def peak_flops(device: torch.device, precision: str = "fp32") -> float:
    """FLOP/s that a device can do: those that its maker states or, if they are not listed, those of a matrix product.

    On a CPU, the product uses as many threads as PyTorch does.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        stated = next((peaks for part, peaks in DENSE_PEAKS.items() if re.search(rf"\b{part}\b", name)), None)
        if stated is not None:
            return stated[precision == "bf16"]
    return measured_flops(device, precision)


def measured_flops(device: torch.device, precision: str = "fp32", rounds: int = 8) -> float:
    """FLOP/s of a large matrix product, the best of some rounds. On a CPU in CPU time, which other programs do not
    change."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.ones(MATRIX, MATRIX, device=device, dtype=kind) for _ in range(2))
    on_cpu = device.type == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    seconds = []
    for _ in range(rounds + 1):
        start = clock()
        product = a @ b
        float(product[0, 0])  # waits for the device
        seconds.append(clock() - start)
    return 2 * MATRIX**3 / min(seconds) * (torch.get_num_threads() if on_cpu else 1)
