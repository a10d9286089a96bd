"""The memory prior: the input of the visual tokens made from what was seen, reprojected to the target pose."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from avw.model.memory.reprojection import Reprojection
from avw.model.rotation import pooled, viewing_direction
from avw.model.tokenizers.tokenizers import Tokenizers

LONGEST_AGE = 64.0  # steps


def prior_size(size: int) -> int:
    """Pixels of the reprojection that becomes the prior of images of `size` pixels.

    Half of the resolution costs a quarter, and a latent of 8x8 pixels hardly changes. Pixels that are shown come from a
    reprojection in full resolution, see `WorldModel.decode`.
    """
    return size // 2


def planning_size(size: int) -> int:
    """Pixels of the reprojection for a planner, which decodes nothing: a quarter of the model's.

    Chosen by measurement: the scores of 110 candidates keep their order (rank correlation .999 with those of half the
    resolution, the same best candidate in 12 of 12 plans), and the reprojection costs a fifth.
    """
    return size // 4


def memory_prior(tokenizers: Tokenizers, seen: Reprojection, yaw_P: Tensor, hfov: float) -> Tensor:
    """(P, h, w, C + 4): latent of the reprojection with its holes filled, share of each latent pixel that was seen,
    its mean age on a log scale in 0 to 1, and sine and cosine of its azimuth relative to the heading of the context.

    seen: with ages · yaw_P: net turn to each target, radians
    """
    device = yaw_P.device
    assert seen.age_PHW is not None
    depth_PHW = torch.from_numpy(seen.depth_PHW).to(device)
    latent = tokenizers.encode_vision(torch.from_numpy(seen.rgb_PHWC).to(device), depth_PHW)
    h, w = latent.shape[1:3]
    coverage = pooled(torch.from_numpy(seen.coverage_PHW).to(device).float(), h)
    age = torch.log1p(torch.from_numpy(seen.age_PHW).to(device).clamp(0, LONGEST_AGE)) / math.log1p(LONGEST_AGE)
    direction = viewing_direction(yaw_P.to(latent), h, w, math.tan(math.radians(hfov) / 2))
    return torch.cat([latent, torch.stack([coverage, pooled(age, h)], -1), direction], -1)
