"""Short-time spectra, and reconstruction of a waveform from magnitudes.

Griffin and Lim (1984), in the fast form of Perraudin, Balazs and Sondergaard (2013).

Frames overlap by 75 %. The clip is padded by reflection with 1.5 hops at each end, so a clip of T hops has exactly T
frames and each frame belongs to one token.

Shape legend: B any leading shape · S samples · T frames · F frequency bins.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

OVERLAP = 4  # number of frames that contain a sample
MOMENTUM = 0.99


def reflected(audio_BS: Tensor, hop: int) -> Tensor:
    """The clip, padded by reflection with 1.5 hops at each end: (B, S + 3 hop)."""
    flat = functional.pad(audio_BS.flatten(0, -2), (3 * hop // 2, 3 * hop // 2), mode="reflect")
    return flat.view(*audio_BS.shape[:-1], -1)


def stft(padded_BS: Tensor, window_W: Tensor) -> Tensor:
    """complex64 (B, T, F) of a clip that is already padded; the hop is a quarter of the window."""
    width = len(window_W)
    return torch.fft.rfft(padded_BS.unfold(-1, width, width // OVERLAP) * window_W)


def istft(spectrum_BTF: Tensor, window_W: Tensor) -> Tensor:
    """The padded clip whose spectra are closest to `spectrum_BTF` in the least-squares sense: (B, (T + 3) hop)."""
    width, frames = len(window_W), spectrum_BTF.shape[-2]
    hop = width // OVERLAP
    blocks = (torch.fft.irfft(spectrum_BTF, n=width) * window_W).unflatten(-1, (OVERLAP, hop))
    out = blocks.new_zeros(*blocks.shape[:-3], frames + OVERLAP - 1, hop)
    weight = blocks.new_zeros(frames + OVERLAP - 1, hop)
    squared = window_W.square().view(OVERLAP, hop)
    for quarter in range(OVERLAP):
        out[..., quarter : quarter + frames, :] += blocks[..., quarter, :]
        weight[quarter : quarter + frames] += squared[quarter]
    # The outermost samples get almost no weight from the window. They are padding, and are removed later.
    return (out / weight.clamp(min=1e-3)).flatten(-2)


def griffin_lim(
    magnitude_BTF: Tensor,
    window_W: Tensor,
    *,
    steps: int,
    constrain: Callable[[Tensor], Tensor] = lambda phase_BTF: phase_BTF,
) -> Tensor:
    """A waveform (B, T hop) whose short-time magnitudes approximate `magnitude_BTF`. Deterministic.

    constrain: corrects the unit phasors, complex (B, T, F), after each step
    """
    frames, hop = magnitude_BTF.shape[-2], len(window_W) // OVERLAP
    spectrum = with_phases(magnitude_BTF, window_W, steps=steps, constrain=constrain)
    return istft(spectrum, window_W)[..., 3 * hop // 2 : 3 * hop // 2 + frames * hop]


def with_phases(
    magnitude_BTF: Tensor,
    window_W: Tensor,
    *,
    steps: int,
    constrain: Callable[[Tensor], Tensor] = lambda phase_BTF: phase_BTF,
    start_BTF: Tensor | None = None,
) -> Tensor:
    """Short-time spectra, complex (B, T, F), with the given magnitudes and phases that fit each other.

    Alternates between the closest waveform and the given magnitudes, with momentum.
    start_BTF: initial unit phasors; by default those of constant tones
    """
    frames, bins = magnitude_BTF.shape[-2:]
    phasor = constant_tones(frames, bins, magnitude_BTF.device).expand_as(magnitude_BTF)
    spectrum = magnitude_BTF * constrain(phasor if start_BTF is None else start_BTF)
    previous = None
    for _ in range(steps):
        consistent = stft(istft(spectrum, window_W), window_W)
        ahead = consistent if previous is None else torch.lerp(consistent, previous, -MOMENTUM)
        previous = consistent
        spectrum = magnitude_BTF * constrain(torch.sgn(ahead))
    return spectrum


def constant_tones(frames: int, bins: int, device: torch.device) -> Tensor:
    """Unit phasors, complex (T, F): each bin as a constant tone of its frequency, with phase 0 in the first frame."""
    time_T1 = torch.arange(frames, device=device)[:, None]
    advance = (time_T1 * torch.arange(bins, device=device) % OVERLAP) * (2.0 * torch.pi / OVERLAP)
    return torch.polar(torch.ones_like(advance), advance)  # 2 pi f hop t / width, reduced exactly
