"""The block and the condition of CDiT, exactly as Navigation World Models have them (Bar et al., arXiv 2412.03572).

`AvCditConfig.cdit` chooses them, so that weights of such a model can be imported (`training/nwm_import.py`). Ours
(`av_cdit.py`, `layers.py`) differ in three things. In CDiT, the context is modulated by the condition too, so its keys
and values depend on the action and are computed for each target. Queries and keys have no norm of their own, and there
is one learned key and value beside those of the context. Motion, time and diffusion step are embedded by sines of 128
frequencies.

Shapes: B contexts · K targets per context · P = B·K · N tokens · M tokens of the context · D width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from avw.model.layers import Attention, applied, last_ones, modulate, read

FREQUENCIES, LONGEST_PERIOD = 128, 10_000.0
OFFSET_UNIT = 128.0
"""Steps; an offset enters as a share of it."""


def waves(x: Tensor) -> Tensor:
    """(…,) → (…, 2·FREQUENCIES): cos and sin of x · LONGEST_PERIOD^(-i/FREQUENCIES)."""
    exponents = torch.arange(FREQUENCIES, device=x.device, dtype=x.dtype) / FREQUENCIES
    angles = x[..., None] * torch.exp(-math.log(LONGEST_PERIOD) * exponents)
    return torch.cat([angles.cos(), angles.sin()], -1)


def embedding(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(2 * FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width))


class CditCondition(nn.Module):
    """c = emb(relative motion) + emb(offset) + emb(diffusion step): (B, K, D). unit: metres of one unit of motion"""

    def __init__(self, width: int, unit: float) -> None:
        super().__init__()
        self.unit = unit
        third = width // 3
        widths = {"ahead": third, "left": third, "turn": width - 2 * third}
        self.motion = nn.ModuleDict({name: embedding(size) for name, size in widths.items()})
        self.offset, self.step = embedding(width), embedding(width)

    def forward(self, motion_BK3: Tensor, offset_BK: Tensor, step_BK: Tensor) -> Tensor:
        ahead, left, turn = motion_BK3.unbind(-1)
        parts = {"ahead": ahead / self.unit, "left": left / self.unit, "turn": turn}
        motion = torch.cat([self.motion[name](waves(x)) for name, x in parts.items()], -1)
        return motion + self.offset(waves(offset_BK / OFFSET_UNIT)) + self.step(waves(step_BK))


class CditAttention(Attention):
    """Attention without norms of queries and keys. extra: one learned key and value more"""

    def __init__(self, width: int, heads: int, *, extra: bool = False) -> None:
        super().__init__(width, heads)
        self.norm_q, self.norm_k = nn.Identity(), nn.Identity()
        if extra:
            self.extra = nn.Parameter(0.02 * torch.randn(2, width))

    def with_extra(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (P, heads, M, D/heads) and the learned ones."""
        more = rearrange(self.extra, "two (h d) -> two 1 h 1 d", h=self.heads).expand(-1, len(k), -1, -1, -1)
        return torch.cat([k, more[0]], 2), torch.cat([v, more[1]], 2)


class CditBlock(nn.Module):
    """Self-attention, cross-attention to the context, then the expert of each modality; used as `av_cdit.Block` is."""

    def __init__(self, width: int, heads: int, experts: nn.ModuleDict) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.self_attention = CditAttention(width, heads)
        self.cross_attention = CditAttention(width, heads, extra=True)
        self.modulation = nn.Linear(width, 8 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        self.experts = experts

    def context_keys_values(self, context_BND: Tensor) -> tuple[Tensor, Tensor]:
        """The context as far as it does not depend on the target: (B, 1, M, D), twice."""
        normed = self.norm(context_BND)[:, None]
        return normed, normed

    def forward(
        self,
        tokens: dict[str, Tensor],
        c_BKD: Tensor,
        context: tuple[Tensor, Tensor],
        hidden: tuple[int, int] = (0, 0),
        wanted: Sequence[str] | None = None,
    ) -> dict[str, Tensor]:
        """tokens: modality → (P, N, D); context: that of `context_keys_values`; hidden, wanted: as for
        `av_cdit.Block`."""
        c_PD = F.silu(c_BKD).flatten(0, 1)
        x_PND = torch.cat(list(tokens.values()), 1)
        shift1, scale1, gate1, shift0, scale0, shift2, scale2, gate2 = self.modulation(c_PD).chunk(8, -1)

        aside = "reward" in tokens and len(tokens) > 1  # the reward token, which is the last one
        normed = modulate(self.norm(x_PND), shift1, scale1)
        first, tokens = last_ones(tokens, wanted)
        among = self.self_attention.among(normed, aside=aside, hidden=hidden[0], first=first)
        x_PND = x_PND[:, first:] + gate1[:, None] * among

        attend = self.cross_attention
        context_PMD = modulate(context[0][:, 0].repeat_interleave(c_BKD.shape[1], 0), shift0, scale0)
        k, v = attend.with_extra(*attend.keys_values(context_PMD))
        out = read(attend, attend.queries(modulate(self.norm(x_PND), shift2, scale2)), k, v, hidden=hidden[1])
        x_PND = x_PND + gate2[:, None] * out
        return applied(self.experts, tokens, x_PND, self.norm(x_PND), c_PD)
