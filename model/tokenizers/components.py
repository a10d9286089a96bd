"""Whitened principal components of patches: the linear code of images and of log depth."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def whitened_components(batches: Iterable[Tensor], channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """(mean_P, encoder_PC, decoder_CP) of patches (N, P), float64, so that the codes have mean 0 and variance 1."""
    count, total, outer = 0, torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for patches_NP in batches:
        patches = patches_NP.double()
        total = total + patches.sum(0)
        outer = outer + patches.T @ patches
        count += len(patches)
    mean = total / count
    variance, vectors = torch.linalg.eigh(outer / count - torch.outer(mean, mean))
    variance, vectors = variance.flip(0)[:channels], vectors.flip(1)[:, :channels]
    # The sign of an eigenvector is arbitrary. It is fixed, so that a fit gives the same latents on any machine.
    vectors = vectors * torch.sgn(vectors.gather(0, vectors.abs().argmax(0, keepdim=True)))
    # Where the variance is 0 (a dataset of one colour), the latent is 0 instead of amplified rounding errors.
    spread = torch.where(variance > 1e-9, variance, 1.0).sqrt()
    return mean, vectors / spread, (vectors * spread).T
