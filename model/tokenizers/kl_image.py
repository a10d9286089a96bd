"""The KL image tokenizer: a small convolutional autoencoder with the latent layout of Stable Diffusion's.

Images are reduced by a factor of 8, to 4 channels. The encoder gives mean and log variance of each latent number
(Kingma & Welling 2014; Rombach et al., arXiv 2112.10752), with a weak KL term, so that latents stay near 0 and
neighbours decode alike. After training, latents are scaled to variance 1. `encode` gives the mean.

Shapes: N images · H W pixels or latent · C channels.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avw.model.tokenizers.learned import Progress, initialised, statistics, train_tokenizer
from avw.model.tokenizers.protocol import CPU, OnStep, refuse_other_sizes
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng

REDUCTION = 8
KL_WEIGHT, EDGE_WEIGHT = 1e-4, 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class KlImageConfig:
    """size: pixels, square images · channels: of a latent · width: of the widest layers · blocks: at each resolution"""

    size: int = 128
    channels: int = 4
    width: int = 128
    blocks: int = 1

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a latent."""
        return self.size // REDUCTION, self.size // REDUCTION, self.channels


class KlImageTokenizer(nn.Module):
    """Encodes images as latents, and decodes them."""

    mean_C: Tensor
    std_C: Tensor

    def __init__(self, config: KlImageConfig) -> None:
        super().__init__()
        if config.size % REDUCTION:
            raise UsageError(f"images of {config.size} pixels cannot be reduced by {REDUCTION}: choose a multiple")
        self.config = config
        widths = [max(16, config.width // 4), max(16, config.width // 2), config.width, config.width]
        down: list[nn.Module] = [nn.Conv2d(3, widths[0], 3, padding=1)]
        for before, after in itertools.pairwise(widths):
            down += [_Residual(before) for _ in range(config.blocks)]
            down += [nn.Conv2d(before, after, 4, stride=2, padding=1)]
        self.encoder = nn.Sequential(*down, _Residual(config.width), nn.Conv2d(config.width, 2 * config.channels, 1))
        up: list[nn.Module] = [nn.Conv2d(config.channels, config.width, 3, padding=1), _Residual(config.width)]
        for before, after in itertools.pairwise(widths[::-1]):
            up += [nn.Conv2d(before, 4 * after, 3, padding=1), nn.PixelShuffle(2)]
            up += [_Residual(after) for _ in range(config.blocks)]
        self.decoder = nn.Sequential(*up, nn.Conv2d(widths[0], 3, 3, padding=1))
        self.register_buffer("mean_C", torch.zeros(config.channels))
        self.register_buffer("std_C", torch.ones(config.channels))

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a latent."""
        return self.config.latent_shape

    @torch.no_grad()
    def encode(self, rgb_NHWC: Tensor) -> Tensor:
        """uint8 (N, size, size, 3) -> float32 (N, size/8, size/8, C). Raises UsageError for another size."""
        refuse_other_sizes(rgb_NHWC, self.config.size)
        # On a CPU, 8 images at once are encoded 1.6 times as fast as 128, whose activations do not fit into its caches.
        parts = rgb_NHWC.split(8 if rgb_NHWC.device.type == "cpu" else 64)
        mean_NCHW = torch.cat([self._moments(part)[0] for part in parts])
        return (mean_NCHW.permute(0, 2, 3, 1) - self.mean_C) / self.std_C

    @torch.no_grad()
    def decode(self, latent_NHWC: Tensor) -> Tensor:
        """float32 (N, size/8, size/8, C) -> uint8 (N, size, size, 3)."""
        return (self.reconstruct(latent_NHWC.float()).clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)

    def reconstruct(self, latent_NHWC: Tensor) -> Tensor:
        """Differentiable `decode`: float (N, size, size, 3), about 0 to 1, not clamped."""
        raw_NCHW = (latent_NHWC * self.std_C + self.mean_C).permute(0, 3, 1, 2)
        return self._decoded(raw_NCHW).permute(0, 2, 3, 1)

    @classmethod
    def fit(
        cls, rgb_NHWC: Tensor, config: KlImageConfig, *, steps: int, batch: int = 8, rate: float = 1e-3, seed: int = 0,
        progress: Progress | None = None, on_step: OnStep = lambda step, loss: None,
        device: torch.device = CPU,
    ) -> KlImageTokenizer:  # fmt: skip
        """Fit a tokenizer to images, uint8 (N, size, size, 3), and their mirror images."""
        self = initialised(lambda: cls(config), keyed_rng(seed, "kl image tokenizer")).to(device)
        train_tokenizer(
            self, self.loss, rgb_NHWC, lambda x: x.flip(2), steps=steps, batch=batch, rate=rate, seed=seed,
            progress=progress or Progress(), on_step=on_step,
        )  # fmt: skip
        mean_C, std_C = statistics(self.encode, rgb_NHWC, 500, keyed_rng(seed, "kl image statistics"), device)
        self.mean_C.copy_(mean_C)
        self.std_C.copy_(std_C)
        return self.eval()

    def loss(self, rgb_NHWC: Tensor, generator: torch.Generator) -> Tensor:
        """Errors of colours and of their differences between neighbours, and the KL term."""
        true_NCHW = rgb_NHWC.permute(0, 3, 1, 2).float() / 255.0
        mean, log_variance = self._moments(rgb_NHWC)
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        found = self._decoded(mean + (0.5 * log_variance).exp() * noise)
        error = found - true_NCHW
        edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        return error.abs().mean() + EDGE_WEIGHT * edges + KL_WEIGHT * kl

    def _moments(self, rgb_NHWC: Tensor) -> tuple[Tensor, Tensor]:
        x_NCHW = rgb_NHWC.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        mean, log_variance = self.encoder(x_NCHW).chunk(2, 1)
        return mean, log_variance.clamp(-20.0, 5.0)

    def _decoded(self, raw_NCHW: Tensor) -> Tensor:
        return 0.5 + 0.5 * self.decoder(raw_NCHW)


class _Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))); the identity at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.GroupNorm(min(8, width // 4), width) for _ in range(2)])
        self.convs = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(2)])
        for parameter in self.convs[1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        y = x_NCHW
        for norm, conv in zip(self.norms, self.convs, strict=True):
            y = conv(F.silu(norm(y)))
        return x_NCHW + y
