"""The frozen tokenizers of a model: images, depth and sound, as latents.

A visual latent is that of the image, followed by that of the log depth if the model predicts RGB-D.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from avw.model.tokenizers.depth import DepthTokenizer
from avw.model.tokenizers.protocol import ImageCoder, SoundCoder


@dataclass(frozen=True, slots=True)
class Tokenizers:
    """depth: None for a model that predicts images without depth."""

    image: ImageCoder
    audio: SoundCoder
    depth: DepthTokenizer | None = None

    def parts(self) -> dict[str, torch.nn.Module]:
        """The modules by the name under which a checkpoint stores them."""
        named = {"image": self.image, "audio": self.audio, "depth": self.depth}
        return {name: cast(torch.nn.Module, part) for name, part in named.items() if part is not None}

    def to(self, device: torch.device) -> Tokenizers:
        for part in self.parts().values():
            part.to(device)
        return self

    @property
    def device(self) -> torch.device:
        """Where they compute: `encode_vision` and `decode_vision` take tensors there."""
        return next(cast(torch.nn.Module, self.audio).buffers()).device

    @property
    def vision_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a visual latent."""
        h, w, channels = self.image.latent_shape
        return h, w, channels + (self.depth.latent_shape[2] if self.depth is not None else 0)

    def encode_vision(self, rgb_NHWC: Tensor, depth_NHW: Tensor | None) -> Tensor:
        """uint8 images and float32 depth (metres) -> float32 (N, h, w, C)."""
        latent = self.image.encode(rgb_NHWC)
        if self.depth is None:
            return latent
        assert depth_NHW is not None
        return torch.cat([latent, self.depth.encode(depth_NHW)], -1)

    def decode_vision(self, latent_NHWC: Tensor) -> tuple[Tensor, Tensor | None]:
        """float32 (N, h, w, C) -> (uint8 images, float32 depth in metres or None)."""
        channels = self.image.latent_shape[2]
        rgb = self.image.decode(latent_NHWC[..., :channels])
        return rgb, None if self.depth is None else self.depth.decode(latent_NHWC[..., channels:])
