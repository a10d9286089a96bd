"""The reward output of AV-CDiT: a histogram of the geodesic distance from a pose to the source.

P(success) is the mass below the success radius, and progress is the difference of the expected distances here and
there. A histogram gets a training signal from every pose; a binary output would get few positive ones.

Shapes: B contexts · K targets per context · n bins.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

SUCCESS_METRES = 1.0
"""Success radius of the task; every tuple of edges contains it."""

DISTANCE_EDGES = (
    0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0,
    14.0, 17.0,
)  # fmt: skip
"""Bin edges, metres. The first bin starts at 0 and the last one has no upper limit."""

COARSE_EDGES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0)
"""Bin edges of checkpoints that do not store their own."""


def bin_centres(edges: tuple[float, ...]) -> list[float]:
    """Representative distance of each bin, metres; of the open last bin, 15 % beyond its lower limit."""
    inner = [(low + high) / 2 for low, high in itertools.pairwise(edges)]
    return [edges[0] / 2, *inner, 1.15 * edges[-1]]


@dataclass(frozen=True, slots=True)
class RewardPrediction:
    """distance_logits_BKn: histogram over `edges` · progress_BK: metres of geodesic distance gained, if known."""

    progress_BK: Tensor | None
    distance_logits_BKn: Tensor
    edges: tuple[float, ...] = COARSE_EDGES

    @property
    def distance_BK(self) -> Tensor:
        """Expected geodesic distance from the target pose to the source, metres."""
        logits = self.distance_logits_BKn.float()
        return logits.softmax(-1) @ torch.tensor(bin_centres(self.edges), device=logits.device)

    @property
    def known_progress_BK(self) -> Tensor:
        """`progress_BK` of a prediction that has it."""
        return cast("Tensor", self.progress_BK)

    def success_BK(self, temperature: float = 1.0, bias: float = 0.0) -> Tensor:
        """P(the target pose lies within the success radius), optionally with Platt scaling of the logit."""
        inside = self.edges.index(SUCCESS_METRES) + 1
        log_p = F.log_softmax(self.distance_logits_BKn.float(), dim=-1)
        log_odds = torch.logsumexp(log_p[..., :inside], -1) - torch.logsumexp(log_p[..., inside:], -1)
        return torch.sigmoid(log_odds / temperature + bias)


def distance_loss(reward: RewardPrediction, distance_BK: Tensor) -> Tensor:
    """Cross-entropy of the histogram with two-hot targets: the two bins whose centres surround the true distance.

    With two-hot targets the expected value of a perfect histogram is the distance itself, not the centre of its bin.
    """
    centres = torch.tensor(bin_centres(reward.edges), device=distance_BK.device)
    position = distance_BK.clamp(float(centres[0]), float(centres[-1])).contiguous()
    upper = torch.bucketize(position, centres).clamp(1, len(centres) - 1)
    low, high = centres[upper - 1], centres[upper]
    share = (position - low) / (high - low)
    log_p = F.log_softmax(reward.distance_logits_BKn.float(), -1)
    near = log_p.gather(-1, (upper - 1)[..., None])[..., 0]
    far = log_p.gather(-1, upper[..., None])[..., 0]
    return -((1 - share) * near + share * far).mean()
