"""From latents and the reprojected memory to pixels: which layers there are, and how they are blended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from avw.model.compositor import Compositor, Layers
from avw.model.memory.reprojection import Reprojection, with_arrays
from avw.model.tokenizers.depth import log_depth
from avw.model.tokenizers.tokenizers import Tokenizers


def joined(parts: Sequence[Reprojection]) -> Reprojection:
    """The reprojections of several contexts as one."""
    if len(parts) == 1:
        return parts[0]
    return with_arrays(lambda *arrays: np.concatenate(arrays), *parts)


def layers_of(tokenizers: Tokenizers, latent: Tensor, seen: Reprojection) -> Layers:
    """The pictures to blend: the reprojected memory, and what the latent decodes to."""
    device = latent.device
    channels = tokenizers.image.latent_shape[2]
    reprojected = log_depth(torch.from_numpy(seen.depth_PHW).to(device))
    imagined = reprojected
    if tokenizers.depth is not None:
        imagined = log_depth(tokenizers.depth.decode(latent[..., channels:]))
    assert seen.age_PHW is not None
    return Layers(
        seen_rgb_NCHW=torch.from_numpy(seen.rgb_PHWC).to(device).permute(0, 3, 1, 2).float() / 255,
        seen_depth_NHW=reprojected,
        coverage_NHW=torch.from_numpy(seen.coverage_PHW).to(device).float(),
        age_NHW=torch.from_numpy(seen.age_PHW).to(device).float(),
        rgb_NCHW=tokenizers.image.reconstruct(latent[..., :channels].float()).permute(0, 3, 1, 2),
        depth_NHW=imagined,
    )


def composite(compositor: Compositor | None, layers: Layers) -> tuple[Tensor, Tensor]:
    """rgb (N, 3, H, W) in 0 to 1 and log depth (N, H, W). Without a compositor: seen pixels, the others imagined."""
    if compositor is not None:
        rgb, depth = compositor(layers)
        return rgb, depth
    seen = layers.coverage_NHW[:, None]
    rgb = seen * layers.seen_rgb_NCHW + (1 - seen) * layers.rgb_NCHW
    return rgb, torch.where(seen[:, 0] > 0.5, layers.seen_depth_NHW, layers.depth_NHW)
