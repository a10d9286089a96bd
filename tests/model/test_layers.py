"""Attention in bfloat16 on CPUs is computed by matrix products, and is the same attention."""

from __future__ import annotations

import torch
from torch.nn import functional

from avw.model.layers import attended


def test_attention_in_bfloat16_is_that_in_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, n, 32, generator=generator).requires_grad_() for n in (17, 40, 40))
    exact = functional.scaled_dot_product_attention(q, k, v)
    wanted = torch.autograd.grad(exact.square().sum(), (q, k, v))
    near = attended(q.bfloat16(), k.bfloat16(), v.bfloat16())
    assert near.dtype == torch.bfloat16
    found = torch.autograd.grad(near.float().square().sum(), (q, k, v))
    assert float((near - exact).detach().norm() / exact.detach().norm()) < 1e-2
    for a, b in zip(wanted, found, strict=True):
        assert float((a - b).norm() / a.norm()) < 2e-2


def test_attention_in_float32_is_that_of_pytorch_to_the_last_bit() -> None:
    q, k, v = (torch.randn(2, 3, n, 32) for n in (17, 40, 40))
    assert torch.equal(attended(q, k, v), functional.scaled_dot_product_attention(q, k, v))
    known = torch.rand(2, 1, 1, 40) < 0.5
    known[..., 0] = True
    q, k, v = q.bfloat16(), k.bfloat16(), v.bfloat16()
    assert torch.equal(attended(q, k, v, known), functional.scaled_dot_product_attention(q, k, v, known))
