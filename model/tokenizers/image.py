"""The image tokenizer: a fixed linear encoder, and a decoder that learns the residual of the linear inverse.

Each 8x8 patch is projected to its leading principal components and whitened: 128x128x3 becomes 16x16x8 with mean 0 and
variance 1. Because the code is linear, the mean of latents is the latent of the mean image, and small motions change
latents smoothly. The decoder is the pseudo-inverse plus a small residual convolutional network whose output is zero at
first.

Shape legend: N images · H W pixels or patches · C channels (of images 3, of latents `channels`) · P values per patch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from avw.model.tokenizers.components import whitened_components
from avw.model.tokenizers.learned import Progress, initialised
from avw.model.tokenizers.protocol import refuse_other_sizes
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageTokenizerConfig:
    """size: pixels, square images · patch: side of a patch in pixels, a multiple of 4 · channels: numbers per patch
    width, blocks: of the residual network of the decoder, on the patch grid. On a grid of twice the resolution it has
        half the width and one block
    """

    size: int = 128
    patch: int = 8
    channels: int = 8
    width: int = 64
    blocks: int = 4

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a latent."""
        return self.size // self.patch, self.size // self.patch, self.channels


class ImageTokenizer(nn.Module):
    """Encodes images as latents, and decodes them. Buffers are the fitted encoder; parameters are the decoder."""

    mean_P: Tensor
    encoder_PC: Tensor
    decoder_CP: Tensor

    def __init__(self, config: ImageTokenizerConfig) -> None:
        super().__init__()
        if config.patch % 4 or config.size % config.patch or config.size < config.patch:
            raise UsageError(
                f"images of {config.size} pixels cannot be divided into patches of {config.patch}: choose a --size that"
                " is a multiple of the patch, and a patch that is a multiple of 4 (e.g. 128 and 8)"
            )
        self.config = config
        numbers = 3 * config.patch**2
        if not 1 <= config.channels <= numbers:
            raise UsageError(f"a patch has {numbers} values: it cannot have {config.channels} latent channels")
        self.register_buffer("mean_P", torch.zeros(numbers))
        self.register_buffer("encoder_PC", torch.zeros(numbers, config.channels))
        self.register_buffer("decoder_CP", torch.zeros(config.channels, numbers))
        self.residual = _residual_network(config)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a latent."""
        return self.config.latent_shape

    def encode(self, rgb_NHWC: Tensor) -> Tensor:
        """uint8 (N, size, size, 3) -> float32 (N, size/8, size/8, C), whitened. Raises UsageError for another size.

        Images of size/2 or size/4 give the latents of their enlargement by repetition, at a fraction of the cost.
        """
        factor = reduction(rgb_NHWC.shape[1], self.config.size, self.config.patch) or 1
        refuse_other_sizes(rgb_NHWC, self.config.size, factor)
        if factor == 1:
            return (self._patches(rgb_NHWC) - self.mean_P) @ self.encoder_PC
        patches = patches_of(rgb_NHWC, self.config.patch // factor).float() / 255.0
        return patches @ folded(self.encoder_PC, self.config.patch, factor) - self.mean_P @ self.encoder_PC

    @torch.no_grad()
    def decode(self, latent_NHWC: Tensor) -> Tensor:
        """float32 (N, size/8, size/8, C) -> uint8 (N, size, size, 3)."""
        rgb_NHWC = self.reconstruct(latent_NHWC.float())
        return (rgb_NHWC.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)

    def reconstruct(self, latent_NHWC: Tensor) -> Tensor:
        """Differentiable `decode`: float (N, size, size, 3), about 0 to 1, not clamped."""
        nchw = latent_NHWC.permute(0, 3, 1, 2)
        detail_NHWC = self.residual(nchw).permute(0, 2, 3, 1)
        return self._unpatched(latent_NHWC @ self.decoder_CP + self.mean_P) + detail_NHWC

    @classmethod
    def fit(
        cls,
        rgb_NHWC: Tensor,
        config: ImageTokenizerConfig,
        *,
        steps: int = 800,
        batch: int = 8,
        learning_rate: float = 2e-3,
        seed: int = 0,
        progress: Progress | None = None,
        on_step: Callable[[int, float], object] = lambda step, loss: None,
    ) -> ImageTokenizer:
        """Fit a tokenizer to images, uint8 (N, size, size, 3): a few thousand, from all training scenes.

        The mirror images are used too. on_step(step, mean squared error for values in 0 to 1) is called after each
        step. On a given machine, the result is a function of the arguments. Raises UsageError if there are no images.
        """
        if len(rgb_NHWC) == 0:
            raise UsageError("cannot fit an image tokenizer: there are no images")
        rng = keyed_rng(seed, "image tokenizer")
        self = initialised(lambda: cls(config), rng)
        self._fit_encoder(rgb_NHWC[torch.from_numpy(rng.permutation(len(rgb_NHWC))[:2000])])
        self.residual.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(self.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
        progress = progress or Progress()
        done = progress.restore(self, optimizer)
        for step in range(steps):
            if step < done:  # made before an interruption: only its random numbers are drawn
                rng.integers(0, len(rgb_NHWC), batch)
                rng.random()
                continue
            # Linear warm-up over 20 steps, and linear decay to zero.
            rate = learning_rate * min(1.0, (step + 1) / 20) * (1.0 - step / steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            chosen = rgb_NHWC[torch.from_numpy(rng.integers(0, len(rgb_NHWC), batch))]
            chosen = chosen.flip(2) if rng.random() < 0.5 else chosen
            loss = functional.mse_loss(self.reconstruct(self.encode(chosen)), chosen.float() / 255.0)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 1.0)
            optimizer.step()
            progress.save(step + 1, self, optimizer)
            on_step(step + 1, loss.item())
        return self.eval()

    def _fit_encoder(self, rgb_NHWC: Tensor) -> None:
        """Whitened principal components of the patches of the images and their mirror images."""
        both = torch.cat([rgb_NHWC, rgb_NHWC.flip(2)]).split(200)
        patches = (self._patches(frames).flatten(0, 2) for frames in both)
        mean, encoder, decoder = whitened_components(patches, self.config.channels)
        self.mean_P.copy_(mean)
        self.encoder_PC.copy_(encoder)
        self.decoder_CP.copy_(decoder)

    def _patches(self, rgb_NHWC: Tensor) -> Tensor:
        """uint8 (N, H, W, 3) -> float32 (N, H/8, W/8, P) in 0..1."""
        return patches_of(rgb_NHWC, self.config.patch).float() / 255.0

    def _unpatched(self, patches_NHWP: Tensor) -> Tensor:
        """The inverse of `_patches`, on floats."""
        patch = self.config.patch
        blocks = patches_NHWP.unflatten(-1, (patch, patch, 3)).transpose(2, 3)
        return blocks.flatten(3, 4).flatten(1, 2)


def patches_of(x_NHWC: Tensor, patch: int) -> Tensor:
    """(N, H, W, C) -> (N, H/patch, W/patch, patch · patch · C)."""
    return x_NHWC.unflatten(2, (-1, patch)).unflatten(1, (-1, patch)).transpose(2, 3).flatten(3)


def reduction(found: int, size: int, patch: int) -> int:
    """By which factor images of `found` pixels are smaller than `size`: 1, 2 or 4; 0 if they cannot be encoded."""
    return next((f for f in (1, 2, 4) if found * f == size and patch % f == 0), 0)


def folded(encoder_PC: Tensor, patch: int, factor: int) -> Tensor:
    """The encoder of patches whose pixels each stand for `factor`² equal pixels: sums of its rows."""
    small = patch // factor
    blocks = encoder_PC.view(small, factor, small, factor, -1, encoder_PC.shape[1])
    return blocks.sum((1, 3)).flatten(0, 2)


class _Block(nn.Module):
    """x + conv(relu(conv(x))); the identity at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        _zero(self.second)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW + self.second(functional.relu(self.first(x_NCHW)))


def _residual_network(config: ImageTokenizerConfig) -> nn.Sequential:
    """(N, C, H, W) latents -> (N, 3, size, size) corrections, all zero at first.

    Most of the computation is on the patch grid, which is cheaper than on the pixel grid.
    """
    half, last = config.width // 2, config.patch // 2
    out = nn.Conv2d(half, 3 * last * last, 3, padding=1)
    _zero(out)
    return nn.Sequential(
        nn.Conv2d(config.channels, config.width, 3, padding=1),
        *[_Block(config.width) for _ in range(config.blocks)],
        nn.Conv2d(config.width, 4 * half, 1),
        nn.PixelShuffle(2),
        _Block(half),
        nn.ReLU(),
        out,
        nn.PixelShuffle(last),
    )


def _zero(layer: nn.Conv2d) -> None:
    """Initialise a layer so that its output is zero."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
