"""The codec: a convolutional autoencoder of binaural sound in the manner of SoundStream (Zeghidour et al. 2021).

Both ears are the two channels of one signal. Strided convolutions reduce it by the hop (160, 80 or 40 samples: 15, 30
or 60 tokens per step), and transposed ones restore it. Its latents are numbers, not indices of a codebook, because a
diffusion model predicts numbers. A clip is divided by its level, which is the first number of each token (as in those
of `audio.py`), so the network sees signals of one size.

Shapes: N clips · E ears (0 left, 1 right) · S samples · A tokens per step · D numbers per token.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avw.model.tokenizers.codec_losses import interaural_loss, spectral_loss, waveform_loss
from avw.model.tokenizers.learned import Progress, initialised, statistics, train_tokenizer
from avw.model.tokenizers.protocol import CPU, OnStep
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng
from avw.sim_bridge.types import STEP_SAMPLES

STRIDES = {160: (2, 4, 4, 5), 80: (2, 2, 4, 5), 40: (2, 4, 5)}
FLOOR = 1e-4  # of the level relative to full scale: -80 dBFS
DILATIONS = (1, 3)
WAVEFORM_WEIGHT, INTERAURAL_WEIGHT, LATENT_WEIGHT = 1.0, 0.5, 1e-3
LEVEL_UNIT = 20.0  # dB per unit of the first number of a token


@dataclass(frozen=True, kw_only=True, slots=True)
class CodecConfig:
    """full_scale: amplitude of 0 dBFS in linear units · hop: samples per token · channels: numbers per token, with the
    level · width: channels of the first layer, doubled by every second reduction"""

    full_scale: float = 1.0
    hop: int = 160
    channels: int = 24
    width: int = 24

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(A, D): tokens per step, numbers per token."""
        return STEP_SAMPLES // self.hop, self.channels


class SoundCodec(nn.Module):
    """Encodes steps of binaural sound as tokens, and decodes them."""

    mean_D: Tensor
    std_D: Tensor

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        if config.hop not in STRIDES:
            raise UsageError(f"a codec has a hop of {', '.join(map(str, STRIDES))} samples, not {config.hop}")
        self.config = config
        strides, width = STRIDES[config.hop], config.width
        widths = [width * 2 ** min(number, 3) for number in range(len(strides) + 1)]
        down: list[nn.Module] = [nn.Conv1d(2, width, 7, padding=3)]
        for stride, before, after in zip(strides, widths, widths[1:], strict=False):
            down += [*_units(before), nn.ELU(), _Reduce(before, after, stride)]
        self.encoder = nn.Sequential(*down, nn.ELU(), nn.Conv1d(widths[-1], config.channels - 1, 3, padding=1))
        up: list[nn.Module] = [nn.Conv1d(config.channels - 1, widths[-1], 3, padding=1)]
        for stride, before, after in zip(strides[::-1], widths[::-1], widths[::-1][1:], strict=False):
            up += [nn.ELU(), _Enlarge(before, after, stride), *_units(after)]
        self.decoder = nn.Sequential(*up, nn.ELU(), nn.Conv1d(width, 2, 7, padding=3))
        self.register_buffer("mean_D", torch.zeros(config.channels))
        self.register_buffer("std_D", torch.ones(config.channels))

    @property
    def latent_shape(self) -> tuple[int, int]:
        """(A, D): tokens per step, numbers per token."""
        return self.config.latent_shape

    @torch.no_grad()
    def encode(self, audio_NES: Tensor) -> Tensor:
        """float32 (N, 2, 2400) in linear units -> float32 (N, A, D), of mean 0 and variance about 1."""
        normal_NES, level_N = self._normalised(audio_NES)
        return (self._tokens(self.encoder(normal_NES), level_N) - self.mean_D) / self.std_D

    def levels(self, latent_NAD: Tensor) -> Tensor:
        """The level of each token in dBFS, (N, A): its first number, that of its step."""
        return LEVEL_UNIT * (latent_NAD[..., 0] * self.std_D[0] + self.mean_D[0])

    @torch.no_grad()
    def decode(self, latent_NAD: Tensor) -> Tensor:
        """float32 (N, A, D) -> float32 (N, 2, 2400) in linear units."""
        raw_NAD = latent_NAD.float() * self.std_D + self.mean_D
        normal_NES = self.decoder(raw_NAD[..., 1:].transpose(1, 2))
        return normal_NES * self._gain(raw_NAD[..., 0].mean(1))[:, None, None]

    @torch.no_grad()
    def decode_sequence(self, latent_NAD: Tensor) -> Tensor:
        """Consecutive steps, float32 (N, A, D) -> one continuous waveform, float32 (2, N * 2400), in linear units.

        The decoder runs over the border of steps, and gains are interpolated between the middles of steps.
        """
        raw_NAD = latent_NAD.float() * self.std_D + self.mean_D
        normal_ES = self.decoder(raw_NAD[..., 1:].flatten(0, 1).T[None])[0]
        gain_N = self._gain(raw_NAD[..., 0].mean(1))
        gain_S = F.interpolate(gain_N[None, None], scale_factor=STEP_SAMPLES, mode="linear")[0, 0]
        return normal_ES * gain_S

    @classmethod
    def fit(
        cls, audio_NES: Tensor, config: CodecConfig, *, steps: int, batch: int = 16, rate: float = 2e-3, seed: int = 0,
        progress: Progress | None = None, on_step: OnStep = lambda step, loss: None,
        device: torch.device = CPU,
    ) -> SoundCodec:  # fmt: skip
        """Fit a codec to clips, float32 (N, 2, 2400), and the same with the ears exchanged."""
        self = initialised(lambda: cls(config), keyed_rng(seed, "codec")).to(device)
        train_tokenizer(
            self, self.loss, audio_NES, lambda x: x.flip(1), steps=steps, batch=batch, rate=rate, seed=seed,
            progress=progress or Progress(), on_step=on_step,
        )  # fmt: skip
        mean_D, std_D = statistics(self.encode, audio_NES, 1000, keyed_rng(seed, "codec statistics"), device)
        self.mean_D.copy_(mean_D)
        self.std_D.copy_(std_D)
        return self.eval()

    def loss(self, audio_NES: Tensor, generator: torch.Generator) -> Tensor:
        """Errors of spectra, waveform and interaural differences, on normalised clips, and the size of the latents."""
        true_NES, _ = self._normalised(audio_NES)
        latent_NDA = self.encoder(true_NES)
        noise = 0.05 * torch.randn(latent_NDA.shape, generator=generator).to(latent_NDA.device)
        found_NES = self.decoder(latent_NDA + noise)
        return (
            spectral_loss(found_NES, true_NES)
            + WAVEFORM_WEIGHT * waveform_loss(found_NES, true_NES)
            + INTERAURAL_WEIGHT * interaural_loss(found_NES, true_NES)
            + LATENT_WEIGHT * latent_NDA.square().mean()
        )

    def _normalised(self, audio_NES: Tensor) -> tuple[Tensor, Tensor]:
        """Clips of RMS 1, and their levels in units of `LEVEL_UNIT` dB below full scale."""
        audio_NES = audio_NES.float() / self.config.full_scale
        rms_N = (audio_NES.square().mean((1, 2)) + FLOOR**2).sqrt()
        return audio_NES / rms_N[:, None, None], 20.0 / LEVEL_UNIT * torch.log10(rms_N)

    def _gain(self, level_N: Tensor) -> Tensor:
        return self.config.full_scale * 10.0 ** (level_N.clamp(max=1.0) * LEVEL_UNIT / 20.0)

    def _tokens(self, latent_NDA: Tensor, level_N: Tensor) -> Tensor:
        level_NA1 = level_N[:, None, None].expand(-1, latent_NDA.shape[-1], 1)
        return torch.cat([level_NA1, latent_NDA.transpose(1, 2)], -1)


class _Unit(nn.Module):
    """x + conv(elu(dilated conv(elu(x)))); the identity at first."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(width, width, 7, padding=3 * dilation, dilation=dilation)
        self.second = nn.Conv1d(width, width, 1)
        for parameter in self.second.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x_NCS: Tensor) -> Tensor:
        return x_NCS + self.second(F.elu(self.first(F.elu(x_NCS))))


def _units(width: int) -> list[_Unit]:
    return [_Unit(width, dilation) for dilation in DILATIONS]


class _Reduce(nn.Conv1d):
    """A strided convolution that gives a `stride`-th of the samples."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__(before, after, 2 * stride, stride=stride)

    def forward(self, x_NCS: Tensor) -> Tensor:
        stride = self.stride[0]
        return super().forward(F.pad(x_NCS, ((stride + 1) // 2, stride // 2)))


class _Enlarge(nn.ConvTranspose1d):
    """A transposed convolution that gives `stride` times as many samples."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__(before, after, 2 * stride, stride=stride)

    def forward(self, x_NCS: Tensor, output_size: list[int] | None = None) -> Tensor:
        stride = self.stride[0]
        found = super().forward(x_NCS, output_size)
        return found[..., (stride + 1) // 2 : found.shape[-1] - stride // 2]
