"""AV-CDiT: a conditional diffusion transformer that predicts future image, sound and reward together.

Shapes: B contexts · K targets per context · P = B·K · T context frames · N tokens · D width · H W C latent image ·
A Da latent audio.

Each modality (vision, audio, reward) has its own adapter, positions, head, and one feed-forward expert per block.
Self-attention and cross-attention are shared (AV-CDiT, arXiv 2512.00883; the CDiT block is that of Navigation World
Models, arXiv 2412.03572). The condition c = emb(motion) + emb(offset) + emb(diffusion step) enters through AdaLN-Zero.
Context frames enter through cross-attention. Their keys and values do not depend on the action, so all K targets or
planner candidates share them.

The reward token attends to vision and audio tokens, but they do not attend to it: predicted images and sound are the
same with and without the reward.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

MODALITIES = ("vision", "audio", "reward")
# Bin edges of the reward output: geodesic distance from the target pose to the source, metres. The mass below the
# success radius, which is one of the edges, is P(success). A histogram gets a training signal from every target; a
# binary output would get few positive ones.
DISTANCE_EDGES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0)
SUCCESS_BINS = DISTANCE_EDGES.index(1.0) + 1  # bins 0..3 end at 1.0 m


@dataclass(frozen=True, kw_only=True, slots=True)
class AvCditConfig:
    """width, depth, heads: of the transformer · patch: width of a visual token in latent pixels
    ages: age of each context frame in steps, oldest first, ending in 0
    rotation_prior: give each visual target token also the last frame, turned by the commanded yaw, with its viewing
        direction. The effect of a turn is known exactly; without this input, a small model uses much of its capacity
        to learn to rotate images. Not part of the paper
    past_motion: give each context frame also its pose relative to the current one. An agent knows its own actions, and
        the direction and level of earlier sound are more informative if the motion since then is known. Not part of the
        paper
    learn_variance: the heads also predict the interpolation of the noise variance (Nichol & Dhariwal 2021, as in DiT)
    """

    width: int = 128
    depth: int = 4
    heads: int = 4
    mlp_ratio: int = 4
    patch: int = 4
    ages: tuple[int, ...] = (12, 8, 5, 3, 1, 0)
    latent_size: int = 16
    latent_channels: int = 6
    audio_tokens: int = 5
    audio_channels: int = 64
    rotation_prior: bool = True
    past_motion: bool = True
    learn_variance: bool = False

    @property
    def context(self) -> int:
        """Number of frames in a context."""
        return len(self.ages)

    @property
    def visual_tokens(self) -> int:
        return (self.latent_size // self.patch) ** 2


# The sizes of NWM (arXiv 2412.03572, Table 8), and a smaller one for laptops.
PAPER: dict[str, Any] = {
    "patch": 2, "ages": (3, 2, 1, 0), "rotation_prior": False, "past_motion": False, "learn_variance": True
}  # fmt: skip
SIZES: dict[str, dict[str, Any]] = {
    "nano": {"width": 128, "depth": 4, "heads": 4},
    "S": {"width": 384, "depth": 12, "heads": 6, **PAPER},
    "B": {"width": 768, "depth": 12, "heads": 12, **PAPER},
    "L": {"width": 1024, "depth": 24, "heads": 16, **PAPER},
    "XL": {"width": 1152, "depth": 28, "heads": 16, **PAPER},
}


@dataclass(frozen=True, slots=True)
class RewardPrediction:
    """progress_BK: decrease of the geodesic distance, metres · distance_logits_BKn: histogram over DISTANCE_EDGES."""

    progress_BK: Tensor
    distance_logits_BKn: Tensor

    def success_BK(self, temperature: float = 1.0, bias: float = 0.0) -> Tensor:
        """P(the target pose lies within the success radius), optionally with Platt scaling of the logit."""
        log_p = F.log_softmax(self.distance_logits_BKn.float(), dim=-1)
        inside = torch.logsumexp(log_p[..., :SUCCESS_BINS], -1)
        outside = torch.logsumexp(log_p[..., SUCCESS_BINS:], -1)
        return torch.sigmoid((inside - outside) / temperature + bias)


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


def mlp(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width))


class Condition(nn.Module):
    """c = emb(relative motion) + emb(offset) + emb(diffusion step): (B, K, D)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.motion = mlp(MOTION_FEATURES, width)
        self.offset = mlp(2 * 8 + 14, width)
        self.step = mlp(2 * 10, width)

    def forward(self, motion_BK3: Tensor, offset_BK: Tensor, step_BK: Tensor) -> Tensor:
        # The sound of a looping source repeats every few steps, so the offset also enters modulo 2 to 8 steps.
        remainders = offset_BK[..., None] * (2 * math.pi / torch.arange(2.0, 9.0, device=offset_BK.device))
        offset = torch.cat([fourier(offset_BK, 8, 256.0), remainders.sin(), remainders.cos()], -1)
        return self.motion(motion_features(motion_BK3)) + self.offset(offset) + self.step(fourier(step_BK, 10, 2048.0))


def modulate(x_PND: Tensor, shift_PD: Tensor, scale_PD: Tensor) -> Tensor:
    return torch.addcmul(shift_PD[:, None], x_PND, 1 + scale_PD[:, None])


class Attention(nn.Module):
    """Multi-head attention with normalised queries and keys. The weights are shared by all modalities."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width)
        self.to_kv = nn.Linear(width, 2 * width)
        self.to_out = nn.Linear(width, width)
        self.norm_q = nn.RMSNorm(width // heads)
        self.norm_k = nn.RMSNorm(width // heads)

    def queries(self, x_PND: Tensor) -> Tensor:
        return self.norm_q(rearrange(self.to_q(x_PND), "p n (h d) -> p h n d", h=self.heads))

    def keys_values(self, x_PND: Tensor) -> tuple[Tensor, Tensor]:
        k, v = rearrange(self.to_kv(x_PND), "p n (two h d) -> two p h n d", two=2, h=self.heads)
        return self.norm_k(k), v

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self.to_out(rearrange(F.scaled_dot_product_attention(q, k, v), "p h n d -> p n (h d)"))


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


class Block(nn.Module):
    """Shared self-attention, shared cross-attention to the context, then the expert of each modality."""

    def __init__(self, config: AvCditConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.width, elementwise_affine=False, eps=1e-6)
        self.self_attention = Attention(config.width, config.heads)
        self.cross_attention = Attention(config.width, config.heads)
        self.context_norm = nn.LayerNorm(config.width)
        self.modulation = nn.Linear(config.width, 6 * config.width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        self.experts = nn.ModuleDict({name: Expert(config.width, config.mlp_ratio) for name in MODALITIES})

    def context_keys_values(self, context_BND: Tensor) -> tuple[Tensor, Tensor]:
        return self.cross_attention.keys_values(self.context_norm(context_BND))

    def forward(self, tokens: dict[str, Tensor], c_BKD: Tensor, context: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """tokens: modality → (P, N, D), in the order of MODALITIES; context: keys and values (B, heads, M, D/heads)."""
        B, K, _ = c_BKD.shape
        c_PD = F.silu(c_BKD).flatten(0, 1)
        sizes = [x.shape[1] for x in tokens.values()]
        x_PND = torch.cat(list(tokens.values()), 1)
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(c_PD).chunk(6, -1)

        normed = modulate(self.norm(x_PND), shift1, scale1)
        attend = self.self_attention
        q = attend.queries(normed)
        k, v = attend.keys_values(normed)
        if "reward" in tokens and len(tokens) > 1:
            # The reward token is the last one. The other tokens do not attend to it.
            others = attend(q[:, :, :-1], k[:, :, :-1], v[:, :, :-1])
            out = torch.cat([others, attend(q[:, :, -1:], k, v)], 1)
        else:
            out = attend(q, k, v)
        x_PND = x_PND + gate1[:, None] * out

        attend = self.cross_attention
        q = attend.queries(modulate(self.norm(x_PND), shift2, scale2))
        q = rearrange(q, "(b k) h n d -> b h (k n) d", b=B, k=K)  # the K targets of a context share its keys
        out = rearrange(attend(q, *context), "b (k n) d -> (b k) n d", k=K)
        x_PND = x_PND + gate2[:, None] * out

        normed = self.norm(x_PND)
        parts = zip(tokens, x_PND.split(sizes, 1), normed.split(sizes, 1), strict=True)
        return {name: self.experts[name](x, n, c_PD) for name, x, n in parts}


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


class AvCdit(nn.Module):
    """The network. Call `context` once per observation history, then `forward` for any number of targets."""

    def __init__(self, config: AvCditConfig) -> None:
        super().__init__()
        self.config = config
        D, p = config.width, config.patch
        visual, sound = config.latent_channels * p * p, config.audio_channels
        outputs = 2 if config.learn_variance else 1
        self.condition = Condition(D)
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.depth)])
        self.adapters = nn.ModuleDict(
            {
                "vision": nn.Linear(visual, D),
                "audio": nn.Sequential(nn.Linear(sound, 2 * D), nn.GELU(approximate="tanh"), nn.Linear(2 * D, D)),
            }
        )
        self.positions = nn.ParameterDict(
            {
                "vision": nn.Parameter(0.02 * torch.randn(config.visual_tokens, D)),
                "audio": nn.Parameter(0.02 * torch.randn(config.audio_tokens, D)),
                "reward": nn.Parameter(0.02 * torch.randn(1, D)),
            }
        )
        self.ages = nn.ParameterDict(
            {name: nn.Parameter(0.02 * torch.randn(config.context, 1, D)) for name in ("vision", "audio")}
        )
        if config.past_motion:
            self.past = mlp(MOTION_FEATURES, D)
        if config.rotation_prior:
            # The turned frame, the share of each latent pixel that was in view, and its azimuth (sin, cos).
            self.prior = nn.Linear((config.latent_channels + 3) * p * p, D)
        self.heads = nn.ModuleDict(
            {
                "vision": Head(D, outputs * visual),
                "audio": Head(D, outputs * sound),
                "reward": Head(D, 1 + len(DISTANCE_EDGES) + 1),
            }
        )

    def patchify(self, latent_PHWC: Tensor) -> Tensor:
        p = self.config.patch
        return rearrange(latent_PHWC, "b (h p) (w q) c -> b (h w) (p q c)", p=p, q=p)

    def unpatchify(self, tokens_PND: Tensor) -> Tensor:
        p, side = self.config.patch, self.config.latent_size // self.config.patch
        return rearrange(tokens_PND, "b (h w) (p q c) -> b (h p) (w q) c", h=side, p=p, q=p)

    def context(
        self, vision_BTHWC: Tensor | None, audio_BTAD: Tensor | None, past_BT3: Tensor
    ) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of the context for every block. One modality may be missing (stages 1 and 2).

        past_BT3: pose of each frame relative to the current pose (forward m, left m, turn rad)
        """
        tokens = []
        pose_BT1D = self.past(motion_features(past_BT3))[:, :, None] if self.config.past_motion else 0.0
        if vision_BTHWC is not None:
            B = vision_BTHWC.shape[0]
            x = self.adapters["vision"](self.patchify(vision_BTHWC.flatten(0, 1)))
            x = rearrange(x, "(b t) n d -> b t n d", b=B) + self.positions["vision"] + self.ages["vision"] + pose_BT1D
            tokens.append(x.flatten(1, 2))
        if audio_BTAD is not None:
            x = self.adapters["audio"](audio_BTAD) + self.positions["audio"] + self.ages["audio"] + pose_BT1D
            tokens.append(x.flatten(1, 2))
        context_BND = torch.cat(tokens, 1)
        blocks = cast("Iterable[Block]", self.blocks)
        return [block.context_keys_values(context_BND) for block in blocks]

    def forward(
        self,
        noisy: Mapping[str, Tensor],
        step_BK: Tensor,
        motion_BK3: Tensor,
        offset_BK: Tensor,
        context: list[tuple[Tensor, Tensor]],
        *,
        prior_PHWC: Tensor | None = None,
        reward: bool = False,
    ) -> tuple[dict[str, Tensor], RewardPrediction | None]:
        """Predict every modality in `noisy`, and the reward.

        noisy: "vision" (P, H, W, C), "audio" (P, A, Da), both, or neither (the reward from the context alone)
        prior_PHWC: (B·K, H, W, C + 3), see `Rotation.prior`
        Returns outputs with the shapes of `noisy` (twice the channels with learn_variance), and the reward prediction,
        which is None unless `reward` is set.
        """
        B, K = step_BK.shape
        c_BKD = self.condition(motion_BK3, offset_BK, step_BK)
        tokens: dict[str, Tensor] = {}
        if "vision" in noisy:
            tokens["vision"] = self.adapters["vision"](self.patchify(noisy["vision"])) + self.positions["vision"]
            if prior_PHWC is not None:
                tokens["vision"] = tokens["vision"] + self.prior(self.patchify(prior_PHWC))
        if "audio" in noisy:
            tokens["audio"] = self.adapters["audio"](noisy["audio"]) + self.positions["audio"]
        if reward:
            tokens["reward"] = self.positions["reward"].expand(B * K, -1, -1)
        for block, keys_values in zip(self.blocks, context, strict=True):
            tokens = block(tokens, c_BKD, keys_values)

        c_PD = c_BKD.flatten(0, 1)
        outputs = {name: self.heads[name](tokens[name], c_PD) for name in noisy}
        if "vision" in outputs:
            outputs["vision"] = self.unpatchify(outputs["vision"])
        if not reward:
            return outputs, None
        out_BKn = self.heads["reward"](tokens["reward"], c_PD)[:, 0].unflatten(0, (B, K))
        # Without displacement there is no progress: the network predicts progress per metre of known displacement.
        displacement_BK = torch.hypot(motion_BK3[..., 0], motion_BK3[..., 1])
        return outputs, RewardPrediction(out_BKn[..., 0] * displacement_BK, out_BKn[..., 1:])
