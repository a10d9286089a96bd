"""Where the source is, as far as the agent has heard: a learned Bayesian triangulation over all past steps.

Each past step gives evidence over bearing and distance from its own pose. What a sound says depends on the others: its
level says how far away the source is only in comparison, and steps at one place say the same thing twice. So the steps
attend to each other first. The sum over the steps, on a polar grid around the agent, is a log posterior of the position
of the source. From it follow, for any pose, how far away the source is and in which direction: the features that the
tokens of sound and reward are given. All of it is differentiable. The evidence is learned, from the true position of
the source in the training data and from the losses of these tokens; poses and cells are known geometry and need not be
learned.

Shapes: B contexts · K targets per context · M past steps · G cells of the grid · F features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avw.model.layers import (
    MOTION_FEATURES,
    TIME_FEATURES,
    HistoryLayer,
    exact_einsum,
    motion_features,
    time_features,
)

RANGES = (0.3, 0.6, 1.0, 1.5, 2.1, 2.8, 3.7, 4.8, 6.2, 8.0, 10.5, 14.0)
"""Distances of the cells from the agent, metres."""
BEARINGS = 24
HARMONICS = 6
RADII = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.5, 7.5, 10.0, 14.0)
"""Centres of the distance histogram of the features, metres."""
FEATURES = len(RADII) + 1 + 6 + 1


@dataclass(frozen=True, slots=True)
class SourceBelief:
    """log_p_BG: log probability that the source is in each cell · cell_G2: (forward, left) of the cells, metres."""

    log_p_BG: Tensor
    cell_G2: Tensor


class SourceField(nn.Module):
    """Evidence of past steps. inputs: numbers per step that describe its sound · layers: of attention between steps"""

    cell_G2: Tensor

    def __init__(self, inputs: int, width: int, *, layers: int = 0, heads: int = 4) -> None:
        super().__init__()
        angle = torch.arange(BEARINGS) * (2 * math.pi / BEARINGS)
        distance = torch.tensor(RANGES)
        cells = torch.stack([torch.outer(distance, angle.cos()), torch.outer(distance, angle.sin())], -1)
        self.register_buffer("cell_G2", cells.flatten(0, 1), persistent=False)
        basis = 2 * HARMONICS + 4
        if layers:
            self.step = nn.Linear(inputs + MOTION_FEATURES + TIME_FEATURES, width)
            inputs += width
        self.layers = nn.ModuleList([HistoryLayer(width, heads) for _ in range(layers)])
        self.evidence = nn.Sequential(
            nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, basis)
        )
        self.scale = nn.Parameter(torch.tensor(-2.0))
        # Nearer cells are smaller: a uniform density over the floor is the logarithm of their area.
        area = (2 * distance.log())[:, None].expand(-1, BEARINGS).flatten()
        self.prior = nn.Parameter(area - area.logsumexp(0))

    def forward(self, heard_BMF: Tensor, past_BM3: Tensor, age_BM: Tensor) -> SourceBelief:
        """heard_BMF: inputs of each step · past_BM3: poses of the steps, from now · age_BM: negative where absent."""
        basis_nBMG, known_BM = _basis(self.cell_G2, past_BM3), age_BM >= 0
        if self.layers:
            x_BMD = self.step(torch.cat([heard_BMF, motion_features(past_BM3), time_features(-age_BM)], -1))
            attended_BM = known_BM | ~known_BM.any(1, keepdim=True)  # attention to nothing is not a number
            for layer in self.layers:
                x_BMD = layer(x_BMD, attended_BM)
            heard_BMF = torch.cat([heard_BMF, x_BMD], -1)
        weight_BMn = self.evidence(heard_BMF) * known_BM[..., None]
        evidence_BG = exact_einsum("bmn,nbmg->bg", weight_BMn, basis_nBMG)
        return SourceBelief((self.prior + self.scale.exp() * evidence_BG).log_softmax(-1), self.cell_G2)


@torch.no_grad()
def _basis(cell_G2: Tensor, past_BM3: Tensor) -> Tensor:
    """(n, B, M, G): harmonics of the bearing of each cell from each past pose, and powers of its log distance."""
    ahead = cell_G2[:, 0] - past_BM3[..., None, 0]
    left = cell_G2[:, 1] - past_BM3[..., None, 1]
    squared = (ahead.square() + left.square()).clamp(min=0.04)
    inverse, turn = squared.rsqrt(), past_BM3[..., None, 2]
    # Cosine and sine of (bearing of the cell - heading of the pose), without inverse trigonometry.
    cos = (ahead * turn.cos() + left * turn.sin()) * inverse
    sin = (left * turn.cos() - ahead * turn.sin()) * inverse
    log_distance = 0.5 * squared.log()
    out = cos.new_empty(2 * HARMONICS + 4, *cos.shape)
    out[0], out[1] = cos, sin
    for m in range(1, HARMONICS):  # angle addition
        torch.mul(out[2 * m - 2], cos, out=out[2 * m]).addcmul_(out[2 * m - 1], sin, value=-1)
        torch.mul(out[2 * m - 1], cos, out=out[2 * m + 1]).addcmul_(out[2 * m - 2], sin)
    out[-4], out[-3] = log_distance, log_distance.square()
    out[-2], out[-1] = log_distance * cos, out[-3] * cos
    return out


def belief_features(belief: SourceBelief, motion_BK3: Tensor) -> Tensor:
    """(B, K, F): the source as seen from each pose: histogram of its distance, expected distance, bearing harmonics
    (left positive), and the level of its direct sound."""
    p_B1G = belief.log_p_BG.exp()[:, None]
    away = belief.cell_G2 - motion_BK3[..., None, :2]
    distance = torch.hypot(away[..., 0], away[..., 1]).clamp(min=0.15)
    bearing = torch.atan2(away[..., 1], away[..., 0]) - motion_BK3[..., None, 2]
    radii = torch.tensor(RADII, device=distance.device).log()
    kernel = torch.exp(-0.5 * ((distance.log()[..., None] - radii) / 0.3).square())
    histogram = exact_einsum("bkg,bkgr->bkr", p_B1G.expand_as(distance), kernel)
    features = [(p_B1G * distance).sum(-1) / 4.0, -(p_B1G * distance.log()).sum(-1)]
    for m in (1, 2, 3):
        features += [(p_B1G * (m * bearing).cos()).sum(-1), (p_B1G * (m * bearing).sin()).sum(-1)]
    return torch.cat([histogram, torch.stack(features, -1)], -1)


def belief_loss(belief: SourceBelief, source_B2: Tensor) -> Tensor:
    """Cross-entropy of the belief with the true position of the source, (forward, left) metres from the agent.

    The target is spread over the four cells around the position, in proportion to how near they are.
    """
    distance = torch.hypot(source_B2[:, 0], source_B2[:, 1]).clamp(RANGES[0], RANGES[-1] - 1e-3)
    radii = torch.tensor(RANGES, device=distance.device).log()
    outer = torch.bucketize(distance.log(), radii).clamp(1, len(RANGES) - 1)
    far = (distance.log() - radii[outer - 1]) / (radii[outer] - radii[outer - 1])
    turn = torch.atan2(source_B2[:, 1], source_B2[:, 0]) / (2 * math.pi / BEARINGS) % BEARINGS
    first = turn.floor().long() % BEARINGS
    beside = turn - turn.floor()
    loss = torch.zeros_like(far)
    for ring, ring_share in ((outer - 1, 1 - far), (outer, far)):
        for spoke, spoke_share in ((first, 1 - beside), ((first + 1) % BEARINGS, beside)):
            log_p = belief.log_p_BG.gather(1, (ring * BEARINGS + spoke)[:, None])[:, 0]
            loss = loss - ring_share * spoke_share * log_p
    return loss.mean()
