"""What the codec minimises: errors of spectra at several resolutions, of the waveform, and between the ears.

Shapes: N clips · E ears (0 left, 1 right) · S samples · T frames · F bins · B bands.
"""

from __future__ import annotations

import torch
from torch import Tensor

from avw.sim_bridge.types import SAMPLE_RATE

WINDOWS = (1024, 512, 256, 128, 64)
FLOOR = 1e-3  # magnitude, of clips of RMS 1
BANDS = 8  # of the interaural differences, equal in log frequency
LOWEST_HZ, PHASE_HZ = 150.0, 1550.0


def waveform_loss(found_NES: Tensor, true_NES: Tensor) -> Tensor:
    return (found_NES - true_NES).abs().mean()


def spectral_loss(found_NES: Tensor, true_NES: Tensor) -> Tensor:
    """Mean over window lengths of the error of log magnitudes, and of magnitudes relative to their size
    (Yamamoto et al. 2020)."""
    losses = []
    for window in WINDOWS:
        found, true = (spectra(x, window).abs().clamp(min=FLOOR) for x in (found_NES, true_NES))
        losses.append((found.log() - true.log()).abs().mean() + (found - true).norm() / true.norm())
    return torch.stack(losses).mean()


def interaural_loss(found_NES: Tensor, true_NES: Tensor, window: int = 512) -> Tensor:
    """Errors of the level difference of the ears (nepers) and of their complex coherence below 1.55 kHz, per band."""
    (found_level, found_phase), (true_level, true_phase) = (interaural(x, window) for x in (found_NES, true_NES))
    return (found_level - true_level).abs().mean() + (found_phase - true_phase).abs().mean()


def interaural(audio_NES: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """(half the log power ratio of the ears (N, T, B), real and imaginary coherence (N, T, B, 2))."""
    spectrum_NEFT = spectra(audio_NES, window)
    bands_BF = bands(window, audio_NES.device)
    low_BF = bands_BF * (frequencies(window, audio_NES.device) < PHASE_HZ)
    low_BF = low_BF[low_BF.sum(1) > 0]
    power_NEBT = bands_BF @ (spectrum_NEFT.real.square() + spectrum_NEFT.imag.square()) + FLOOR**2
    cross_NFT = spectrum_NEFT[:, 0] * spectrum_NEFT[:, 1].conj()
    power_low = low_BF @ (spectrum_NEFT.real.square() + spectrum_NEFT.imag.square()) + FLOOR**2
    scale_NBT = (power_low[:, 0] * power_low[:, 1]).sqrt()
    coherence = torch.stack([low_BF @ cross_NFT.real / scale_NBT, low_BF @ cross_NFT.imag / scale_NBT], -1)
    return 0.5 * (power_NEBT[:, 0] / power_NEBT[:, 1]).log(), coherence


def spectra(audio_NES: Tensor, window: int) -> Tensor:
    """Complex (N, E, F, T), with a hop of a quarter of the window."""
    N, E, _ = audio_NES.shape
    shape = torch.hann_window(window, device=audio_NES.device)
    found = torch.stft(
        audio_NES.flatten(0, 1), window, window // 4, window=shape, return_complex=True, pad_mode="reflect",
        normalized=True,
    )  # fmt: skip
    return found.unflatten(0, (N, E))


def frequencies(window: int, device: torch.device) -> Tensor:
    return torch.arange(window // 2 + 1, device=device) * (SAMPLE_RATE / window)


def bands(window: int, device: torch.device) -> Tensor:
    """(B, F): which bins belong to each band; every band has one at least."""
    edges = torch.logspace(
        torch.log10(torch.tensor(LOWEST_HZ)), torch.log10(torch.tensor(SAMPLE_RATE / 2)), BANDS + 1
    ).to(device)  # fmt: skip
    frequency_F = frequencies(window, device)
    found = (frequency_F >= edges[:-1, None]) & (frequency_F < edges[1:, None])
    return found[found.any(1)].float()
