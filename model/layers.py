"""Layers of AV-CDiT: embeddings, attention, and feed-forward networks with adaptive layer norm (AdaLN-Zero).

Shapes: B contexts · K targets per context · P = B·K · N tokens · D width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

Attended = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Queries, keys and values → what the queries read."""


def fourier(x: Tensor, bands: int, largest_period: float) -> Tensor:
    """(…,) → (…, 2·bands): sines and cosines with periods largest_period, /2, /4 …; resolves small inputs too."""
    angles = x[..., None] * (2 * math.pi / largest_period * 2.0 ** torch.arange(bands, device=x.device))
    return torch.cat([angles.sin(), angles.cos()], -1)


MOTION_FEATURES = 2 * (2 * 8) + 2 * 6 + 3


def motion_features(motion_3: Tensor) -> Tensor:
    """(…, 3) → (…, MOTION_FEATURES): a relative motion, at scales from a fraction of a step to the width of a house."""
    forward, left, yaw = motion_3.unbind(-1)
    harmonics = yaw[..., None] * torch.arange(1, 7, device=yaw.device)
    plain = torch.stack([forward, left, torch.hypot(forward, left)], -1) / 2.4
    return torch.cat([fourier(forward, 8, 38.4), fourier(left, 8, 38.4), harmonics.sin(), harmonics.cos(), plain], -1)


TIME_FEATURES = 2 * 8 + 14


def time_features(steps: Tensor) -> Tensor:
    """(…,) → (…, TIME_FEATURES): a number of steps. A looping sound repeats every few steps, so also modulo 2 to 8."""
    remainders = steps[..., None] * (2 * math.pi / torch.arange(2.0, 9.0, device=steps.device))
    return torch.cat([fourier(steps, 8, 256.0), remainders.sin(), remainders.cos()], -1)


def exact_einsum(equation: str, a: Tensor, b: Tensor) -> Tensor:
    """`torch.einsum` in float32, also where the network computes in bfloat16: sums over many steps or cells."""
    with torch.autocast(a.device.type, enabled=False):
        return torch.einsum(equation, a.float(), b.float())


def mlp(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width))


class Condition(nn.Module):
    """c = emb(relative motion) + emb(offset) + emb(diffusion step): (B, K, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.motion = mlp(MOTION_FEATURES, width)
        self.offset = mlp(TIME_FEATURES, width)
        self.step = mlp(2 * 10, width)

    def forward(self, motion_BK3: Tensor, offset_BK: Tensor, step_BK: Tensor) -> Tensor:
        offset = self.offset(time_features(offset_BK))
        return self.motion(motion_features(motion_BK3)) + offset + self.step(fourier(step_BK, 10, 2048.0))


def modulate(x_PND: Tensor, shift_PD: Tensor, scale_PD: Tensor) -> Tensor:
    return torch.addcmul(shift_PD[:, None], x_PND, 1 + scale_PD[:, None])


class HeadNorm(nn.RMSNorm):
    """RMSNorm in the precision of its input: with a weight of another one, PyTorch has no fused kernel."""

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), torch.finfo(torch.float32).eps)


def attended(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention, (…, N, d) and twice (…, M, d) -> (…, N, d)."""
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and mask is None:
        # The fused kernel of PyTorch for CPUs takes 2 to 5 times longer in bfloat16 (`benchmarks/train.py`).
        return (q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)).softmax(-1, dtype=v.dtype) @ v
    return F.scaled_dot_product_attention(q, k, v, mask)


class Attention(nn.Module):
    """Multi-head attention with normalised queries and keys. The weights are shared by all modalities."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width)
        self.to_kv = nn.Linear(width, 2 * width)
        self.to_out = nn.Linear(width, width)
        self.norm_q: nn.Module = HeadNorm(width // heads)
        self.norm_k: nn.Module = HeadNorm(width // heads)

    def queries(self, x_PND: Tensor) -> Tensor:
        return self.norm_q(rearrange(self.to_q(x_PND), "p n (h d) -> p h n d", h=self.heads))

    def keys_values(self, x_PND: Tensor) -> tuple[Tensor, Tensor]:
        k, v = rearrange(self.to_kv(x_PND), "p n (two h d) -> two p h n d", two=2, h=self.heads)
        return self.norm_k(k), v

    def among(self, x_PND: Tensor, *, aside: bool, hidden: int = 0, first: int = 0) -> Tensor:
        """The tokens attend to each other. aside: the other tokens do not attend to the last one, and it does not
        attend to the first `hidden` ones. first: the token from which on results are returned."""
        q, (k, v) = self.queries(x_PND[:, first:]), self.keys_values(x_PND)
        if not aside:
            return self(q, k, v)
        last = self(q[:, :, -1:], k[:, :, hidden:], v[:, :, hidden:])
        if q.shape[2] == 1:
            return last
        return torch.cat([self(q[:, :, :-1], k[:, :, :-1], v[:, :, :-1]), last], 1)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.to_out(rearrange(attended(q, k, v, mask), "p h n d -> p n (h d)"))


def read(attend: Attended, q: Tensor, k: Tensor, v: Tensor, *, hidden: int) -> Tensor:
    """Attention in which the last query does not attend to the first `hidden` keys."""
    if not hidden:
        return attend(q, k, v)
    last = attend(q[:, :, -1:], k[:, :, hidden:], v[:, :, hidden:])
    return last if q.shape[2] == 1 else torch.cat([attend(q[:, :, :-1], k, v), last], 1)


class HistoryLayer(nn.Module):
    """A transformer layer over a sequence, (B, N, D). Tokens that are not `known_BN` are not attended to."""

    def __init__(self, width: int, heads: int, ratio: int = 2) -> None:
        super().__init__()
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, ratio * width), nn.GELU(approximate="tanh"), nn.Linear(ratio * width, width)
        )

    def forward(self, x_BND: Tensor, known_BN: Tensor) -> Tensor:
        normed = self.attention_norm(x_BND)
        k, v = self.attention.keys_values(normed)
        x_BND = x_BND + self.attention(self.attention.queries(normed), k, v, known_BN[:, None, None])
        return x_BND + self.feed_forward(self.norm(x_BND))


class Expert(nn.Module):
    """The feed-forward network of one modality in one block, with its own modulation."""

    def __init__(self, width: int, ratio: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(width, 3 * width)
        self.up = nn.Linear(width, ratio * width)
        self.down = nn.Linear(ratio * width, width)
        nn.init.zeros_(self.modulation.weight)  # AdaLN-Zero: every block is the identity at first
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x_PND: Tensor, normed_PND: Tensor, c_PD: Tensor) -> Tensor:
        shift, scale, gate = self.modulation(c_PD).chunk(3, -1)
        return x_PND + gate[:, None] * self.down(
            F.gelu(self.up(modulate(normed_PND, shift, scale)), approximate="tanh")
        )


class NarrowExpert(nn.Module):
    """An expert that computes in `narrow` numbers per token instead of the width of the network."""

    def __init__(self, width: int, narrow: int, ratio: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(width, 3 * narrow)
        self.enter = nn.Linear(width, narrow)
        self.up = nn.Linear(narrow, ratio * narrow)
        self.down = nn.Linear(ratio * narrow, narrow)
        self.leave = nn.Linear(narrow, width, bias=False)  # without a bias, AdaLN-Zero is the identity at first
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x_PND: Tensor, normed_PND: Tensor, c_PD: Tensor) -> Tensor:
        shift, scale, gate = self.modulation(c_PD).chunk(3, -1)
        y = modulate(self.enter(normed_PND), shift, scale)
        return x_PND + self.leave(gate[:, None] * self.down(F.gelu(self.up(y), approximate="tanh")))


def last_ones(tokens: Mapping[str, Tensor], wanted: Sequence[str] | None) -> tuple[int, dict[str, Tensor]]:
    """(number of the tokens before the modalities `wanted`, which are the last ones; the tokens of these)."""
    kept = {name: x for name, x in tokens.items() if wanted is None or name in wanted}
    return sum(x.shape[1] for name, x in tokens.items() if name not in kept), kept


def applied(
    experts: nn.ModuleDict, tokens: Mapping[str, Tensor], x_PND: Tensor, normed_PND: Tensor, c_PD: Tensor
) -> dict[str, Tensor]:
    """The tokens of each modality after its expert. tokens: for their names and numbers · x: all of them"""
    sizes = [x.shape[1] for x in tokens.values()]
    parts = zip(tokens, x_PND.split(sizes, 1), normed_PND.split(sizes, 1), strict=True)
    shared = len(experts) == 1
    return {name: experts["shared" if shared else name](x, n, c_PD) for name, x, n in parts}


class Head(nn.Module):
    """Final AdaLN and a linear map to the output of one modality."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False, eps=1e-6)
        self.modulation = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, outputs)
        for layer in (self.modulation, self.out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x_PND: Tensor, c_PD: Tensor) -> Tensor:
        shift, scale = self.modulation(F.silu(c_PD)).chunk(2, -1)
        return self.out(modulate(self.norm(x_PND), shift, scale))
