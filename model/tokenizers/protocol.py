"""What a model needs of its tokenizers: those of `--image-tokenizer` and `--audio-tokenizer`.

All of them are modules, whose state a checkpoint stores, and give latents of mean 0 and variance about 1.

Shapes: N images or clips · H W image or latent · C channels · E ears (0 left, 1 right) · S samples · A tokens per
step · D numbers per token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor

from avw.sim_bridge.errors import UsageError

CPU = torch.device("cpu")
OnStep = Callable[[int, float], object]
"""on_step(step, loss), after each step of a fit."""


class Coder(Protocol):
    """The part that images and sounds share: that of `torch.nn.Module`."""

    def state_dict(self) -> dict[str, Any]: ...

    def to(self, device: torch.device) -> Any: ...

    def buffers(self) -> Iterator[Tensor]: ...


class ImageCoder(Coder, Protocol):
    """config: has `size`, in pixels"""

    config: Any

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a latent."""

    def encode(self, rgb_NHWC: Tensor) -> Tensor:
        """uint8 (N, size, size, 3) -> float32 (N, H, W, C)."""

    def decode(self, latent_NHWC: Tensor) -> Tensor:
        """float32 (N, H, W, C) -> uint8 (N, size, size, 3)."""

    def reconstruct(self, latent_NHWC: Tensor) -> Tensor:
        """Differentiable `decode`: float (N, size, size, 3), about 0 to 1, not clamped."""


class SoundCoder(Coder, Protocol):
    """config: has `full_scale`, the amplitude of 0 dBFS"""

    config: Any

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(A, D): tokens per step, numbers per token."""

    def encode(self, audio_NES: Tensor) -> Tensor:
        """float32 (N, 2, 2400) in linear units -> float32 (N, A, D). The first number of a token is its level."""

    def decode(self, latent_NAD: Tensor) -> Tensor:
        """float32 (N, A, D) -> float32 (N, 2, 2400) in linear units."""

    def levels(self, latent_NAD: Tensor) -> Tensor:
        """The level of each token in dBFS, (N, A): it is read from the token, and no sound is decoded."""

    def decode_sequence(self, latent_NAD: Tensor) -> Tensor:
        """Consecutive steps, float32 (N, A, D) -> one continuous waveform, float32 (2, N * 2400)."""


def refuse_other_sizes(rgb_NHWC: Tensor, size: int, factor: int = 1) -> None:
    """Raise UsageError for images that are not of `size` pixels, divided by `factor`."""
    if tuple(rgb_NHWC.shape[1:]) != (size // factor, size // factor, 3):
        raise UsageError(f"this tokenizer expects images (N, {size}, {size}, 3), got {tuple(rgb_NHWC.shape)}")
