"""FLOPs of a step are those of its matrix products and its attention."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from avw.model.training.cost.flops import counted, measured_flops, peak_flops

CPU = torch.device("cpu")


def test_a_linear_map_counts_three_products_and_its_input_none() -> None:
    layer, x_ND = nn.Linear(30, 50), torch.randn(7, 30)
    assert counted(lambda: layer(x_ND)) == 2 * 7 * 30 * 50
    assert counted(lambda: layer(x_ND).sum().backward()) == 2 * (2 * 7 * 30 * 50)  # x needs no gradient
    x_ND.requires_grad_()
    assert counted(lambda: layer(x_ND).sum().backward()) == 3 * (2 * 7 * 30 * 50)


def test_attention_counts_on_cpus_too() -> None:
    q, k, v = (torch.randn(2, 3, n, 16, requires_grad=True) for n in (40, 50, 50))
    product = 2 * 2 * 3 * 40 * 50 * 16
    assert counted(lambda: functional.scaled_dot_product_attention(q, k, v)) == 2 * product
    backward = counted(lambda: functional.scaled_dot_product_attention(q, k, v).sum().backward()) - 2 * product
    assert backward in (4 * product, 5 * product)  # the fused kernel computes the weights again


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_peak_of_a_cpu_is_measured(precision: str) -> None:
    assert 1e8 < measured_flops(CPU, precision, rounds=2) < 1e15
    assert peak_flops(CPU, precision) > 1e8


def test_the_peak_of_a_known_gpu_is_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA A100-SXM4-80GB")
    assert peak_flops(torch.device("cuda", 0), "bf16") == 312e12
    assert peak_flops(torch.device("cuda", 0)) == 19.5e12
