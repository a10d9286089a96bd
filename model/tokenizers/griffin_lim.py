"""Short-time spectra, and the way back from magnitudes to a waveform.

Griffin and Lim (1984), in the fast form of Perraudin, Balazs and Sondergaard (2013).

Frames overlap by 75 %: the clip is reflected by 1.5 hops at each end, so that a clip of T hops has exactly T frames and
no frame belongs to two tokens.

Shape legend: B any leading shape · S samples · T frames · F frequency bins.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

OVERLAP = 4  # frames that cover a sample
MOMENTUM = 0.99


def reflected(audio_BS: Tensor, hop: int) -> Tensor:
    """The clip with 1.5 hops reflected at each end: (B, S + 3 hop)."""
    flat = functional.pad(audio_BS.flatten(0, -2), (3 * hop // 2, 3 * hop // 2), mode="reflect")
    return flat.view(*audio_BS.shape[:-1], -1)


def stft(padded_BS: Tensor, window_W: Tensor) -> Tensor:
    """complex64 (B, T, F) of a clip that is padded already; the hop is a quarter of the window."""
    width = len(window_W)
    return torch.fft.rfft(padded_BS.unfold(-1, width, width // OVERLAP) * window_W)


def istft(spectrum_BTF: Tensor, window_W: Tensor) -> Tensor:
    """The padded clip whose spectra are nearest to `spectrum_BTF` in the least-squares sense: (B, (T + 3) hop)."""
    width, frames = len(window_W), spectrum_BTF.shape[-2]
    hop = width // OVERLAP
    blocks = (torch.fft.irfft(spectrum_BTF, n=width) * window_W).unflatten(-1, (OVERLAP, hop))
    out = blocks.new_zeros(*blocks.shape[:-3], frames + OVERLAP - 1, hop)
    weight = blocks.new_zeros(frames + OVERLAP - 1, hop)
    squared = window_W.square().view(OVERLAP, hop)
    for quarter in range(OVERLAP):
        out[..., quarter : quarter + frames, :] += blocks[..., quarter, :]
        weight[quarter : quarter + frames] += squared[quarter]
    # The outermost samples are seen only by a window's vanishing ends; they are padding and are cut off later.
    return (out / weight.clamp(min=1e-3)).flatten(-2)


def griffin_lim(
    magnitude_BTF: Tensor,
    window_W: Tensor,
    *,
    steps: int,
    constrain: Callable[[Tensor], Tensor] = lambda phase_BTF: phase_BTF,
) -> Tensor:
    """A waveform (B, T hop) whose short-time magnitudes approach `magnitude_BTF`; deterministic.

    Alternates between the nearest waveform and the wanted magnitudes, extrapolating the former by MOMENTUM. Phases
    start as if every bin held a steady tone. `constrain` may correct the unit phasors (complex, B T F) after each step.
    """
    width, (frames, bins) = len(window_W), magnitude_BTF.shape[-2:]
    hop = width // OVERLAP
    time_T1 = torch.arange(frames, device=magnitude_BTF.device)[:, None]
    bin_F = torch.arange(bins, device=magnitude_BTF.device)
    advance = (time_T1 * bin_F % OVERLAP) * (2.0 * torch.pi / OVERLAP)  # 2 pi f hop t / width, reduced exactly
    phasor = torch.polar(torch.ones_like(advance), advance).expand_as(magnitude_BTF)
    spectrum = magnitude_BTF * constrain(phasor)
    previous = None
    for _ in range(steps):
        consistent = stft(istft(spectrum, window_W), window_W)
        ahead = consistent if previous is None else torch.lerp(consistent, previous, -MOMENTUM)
        previous = consistent
        spectrum = magnitude_BTF * constrain(torch.sgn(ahead))
    return istft(spectrum, window_W)[..., 3 * hop // 2 : 3 * hop // 2 + frames * hop]
