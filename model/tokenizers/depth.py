"""The depth tokenizer: principal components of patches of log depth.

Log depth needs four components for 99.4 % of its variance, and disparity six. The code is linear, as that of images:
the mean of latents is the latent of the mean log depth.

Shape legend: N images · H W pixels or patches · C channels of a latent · P values per patch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avw.model.tokenizers.components import whitened_components
from avw.model.tokenizers.image import folded, patches_of, reduction
from avw.sim_bridge.errors import UsageError

NEAREST, FARTHEST = 0.05, 20.0  # metres; a pixel where nothing was hit counts as the farthest


@dataclass(frozen=True, kw_only=True, slots=True)
class DepthTokenizerConfig:
    """size: pixels, square images · patch: side of a patch in pixels · channels: numbers per patch."""

    size: int = 128
    patch: int = 8
    channels: int = 4

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a latent."""
        return self.size // self.patch, self.size // self.patch, self.channels


class DepthTokenizer(nn.Module):
    """Encodes depth images as whitened latents, and decodes them. All state is in buffers."""

    mean_P: Tensor
    encoder_PC: Tensor
    decoder_CP: Tensor

    def __init__(self, config: DepthTokenizerConfig) -> None:
        super().__init__()
        numbers = config.patch**2
        if config.size % config.patch or not 1 <= config.channels <= numbers:
            raise UsageError(
                f"depth images of {config.size} pixels cannot be coded as {config.channels} numbers per patch of "
                f"{config.patch} pixels: choose a --size that is a multiple of the patch"
            )
        self.config = config
        self.register_buffer("mean_P", torch.zeros(numbers))
        self.register_buffer("encoder_PC", torch.zeros(numbers, config.channels))
        self.register_buffer("decoder_CP", torch.zeros(config.channels, numbers))

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a latent."""
        return self.config.latent_shape

    def encode(self, depth_NHW: Tensor) -> Tensor:
        """float32 (N, size, size) metres -> float32 (N, size/8, size/8, C), whitened. Smaller sizes as for images."""
        size = self.config.size
        factor = reduction(depth_NHW.shape[1], size, self.config.patch) if depth_NHW.ndim == 3 else 0
        if not factor or tuple(depth_NHW.shape[1:]) != (size // factor, size // factor):
            raise UsageError(f"this tokenizer expects depth (N, {size}, {size}), got {tuple(depth_NHW.shape)}")
        patches = patches_of(log_depth(depth_NHW)[..., None], self.config.patch // factor)
        if factor == 1:
            return (patches - self.mean_P) @ self.encoder_PC
        return patches @ folded(self.encoder_PC, self.config.patch, factor) - self.mean_P @ self.encoder_PC

    @torch.no_grad()
    def decode(self, latent_NHWC: Tensor) -> Tensor:
        """float32 (N, size/8, size/8, C) -> float32 (N, size, size), metres."""
        patch = self.config.patch
        patches = latent_NHWC.float() @ self.decoder_CP + self.mean_P
        blocks = patches.unflatten(-1, (patch, patch)).transpose(2, 3)
        return blocks.flatten(3, 4).flatten(1, 2).exp().clamp(NEAREST, FARTHEST)

    @classmethod
    def fit(cls, depth_NHW: Tensor, config: DepthTokenizerConfig) -> DepthTokenizer:
        """Principal components of the patches of depth images, float32 (N, size, size), and their mirror images."""
        if len(depth_NHW) == 0:
            raise UsageError("cannot fit a depth tokenizer: there are no images")
        self = cls(config)
        both = torch.cat([depth_NHW, depth_NHW.flip(2)]).split(200)
        patches = (patches_of(log_depth(frames)[..., None], config.patch).flatten(0, 2) for frames in both)
        mean, encoder, decoder = whitened_components(patches, config.channels)
        self.mean_P.copy_(mean)
        self.encoder_PC.copy_(encoder)
        self.decoder_CP.copy_(decoder)
        return self.eval()


def log_depth(depth: Tensor) -> Tensor:
    """Natural logarithm of metres, limited to the range of the tokenizer; 0 (nothing hit) counts as the farthest."""
    return torch.where(depth > 0, depth, FARTHEST).clamp(NEAREST, FARTHEST).log()
