"""What a repeating source will sound like: the sound of past steps at the same phase of the source.

This is to sound what reprojection is to images. Sources that agents search for repeat: a telephone, an alarm, and every
clip of SoundSpaces, which is played in a loop. The period is the lag at which the heard sound correlates best with
itself. The sound at a future step is then the sound that was heard one or more whole periods before it, averaged over
those times with weights that favour poses near the future one. The network corrects it, because the pose is another.

Where nothing was heard at this phase yet, the result is the sound of now, and `present` is 0.

Shapes: B contexts · K targets per context · P = B·K · M past steps · A audio tokens per step · D numbers per token ·
T = M·A tokens, oldest first · N periods · F features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avw.model.layers import exact_einsum
from avw.model.sound_memory import SoundHistory
from avw.sim_bridge.types import STEP_SECONDS

SHORTEST, LONGEST = 0.25, 4.8
"""Range of the period, seconds."""
PERIODS = 8
"""The most past periods that are averaged."""
CERTAIN = 10.0
"""Pairs of tokens after which a correlation is trusted to one half."""
WEAKEST = 0.1
"""A sound whose correlation is lower does not repeat."""
FEATURES = 8


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A history of sound and its period.

    tokens_BTD, known_BT: all tokens, oldest first, and whether there is such a token · past_BM3: poses, newest first
    period_B: tokens · strength_B: correlation of the sound with itself one period before, from 0 to 1
    """

    tokens_BTD: Tensor
    known_BT: Tensor
    past_BM3: Tensor
    period_B: Tensor
    strength_B: Tensor


@torch.no_grad()
def rhythm_of(sound: SoundHistory) -> Rhythm:
    """Find the period of the heard sound."""
    M, A = sound.audio_BMAD.shape[1:3]
    tokens_BTD = sound.audio_BMAD.flip(1).flatten(1, 2)
    known_BT = (sound.age_BM.flip(1) >= 0).repeat_interleave(A, 1)
    shortest = math.ceil(SHORTEST / STEP_SECONDS * A)
    longest = min(math.floor(LONGEST / STEP_SECONDS * A), M * A // 2)
    correlation_BL = autocorrelation(tokens_BTD, known_BT, longest + 1)[:, shortest:]
    # Multiples of the period correlate equally well: prefer the shortest.
    handicap_L = 5e-4 * torch.arange(correlation_BL.shape[1], device=correlation_BL.device)
    best_B = (correlation_BL - handicap_L).argmax(1)
    strength_B = correlation_BL.gather(1, best_B[:, None])[:, 0].clamp(min=0.0)
    return Rhythm(tokens_BTD, known_BT, sound.past_BM3, best_B + shortest, strength_B)


def autocorrelation(x_BTD: Tensor, known_BT: Tensor, lags: int) -> Tensor:
    """(B, lags): correlation coefficient of x with itself `lag` tokens before, over the pairs of known tokens.

    All D numbers count together, each without its mean. Correlations of few pairs are shrunk towards 0.
    """
    known_BT1 = known_BT[..., None].to(x_BTD.dtype)
    mean_B1D = (x_BTD * known_BT1).sum(1, keepdim=True) / known_BT1.sum(1, keepdim=True).clamp(min=1.0)
    x_BTD = (x_BTD - mean_B1D) * known_BT1
    size = 2 * x_BTD.shape[1]

    def spectrum(signal: Tensor) -> Tensor:
        return torch.fft.rfft(signal, size, dim=1)

    def lagged(spectrum_BF: Tensor) -> Tensor:
        return torch.fft.irfft(spectrum_BF, size, dim=1)[:, :lags]

    mask_BF, energy_BF = spectrum(known_BT1[..., 0]), spectrum(x_BTD.square().sum(-1))
    product_BL = lagged(spectrum(x_BTD).abs().square().sum(-1).to(mask_BF.dtype))
    later_BL, earlier_BL = lagged(energy_BF * mask_BF.conj()), lagged(energy_BF.conj() * mask_BF)
    pairs_BL = lagged(mask_BF.abs().square().to(mask_BF.dtype)).round()
    scale_BL = (later_BL.clamp(min=1e-6) * earlier_BL.clamp(min=1e-6)).sqrt()
    return torch.where(pairs_BL >= 1, product_BL / scale_BL * pairs_BL / (pairs_BL + CERTAIN), 0.0)


@dataclass(frozen=True, slots=True)
class Recalled:
    """audio_PAD: the recalled latents · now_PAD: those of the last step
    features_PF: how much the recalled latents can be relied on, and where they were heard
    """

    audio_PAD: Tensor
    now_PAD: Tensor
    features_PF: Tensor


class SoundRecall(nn.Module):
    """The weighted average over past periods. Learned: over how many metres and radians the weight falls by e."""

    def __init__(self) -> None:
        super().__init__()
        self.log_reach = nn.Parameter(torch.tensor([math.log(2.0), 0.0]))

    def forward(self, rhythm: Rhythm, motion_BK3: Tensor, offset_BK: Tensor) -> Recalled:
        B, T = rhythm.tokens_BTD.shape[:2]
        K, M = offset_BK.shape[1], rhythm.past_BM3.shape[1]
        A = T // M
        period_B1 = rhythm.period_B[:, None]
        ahead_BK = (offset_BK * A).round().long()
        first_BK = (ahead_BK + period_B1 - 1).div(period_B1, rounding_mode="floor").clamp(min=0)
        periods_BKN = first_BK[..., None] + torch.arange(PERIODS, device=ahead_BK.device)
        # The number of the first token of each recalled step, oldest first; that of now is T - A.
        start_BKN = T - A + ahead_BK[..., None] - periods_BKN * period_B1[..., None]
        inside_BKN = (start_BKN >= 0) & (start_BKN <= T - A)
        rows_B = torch.arange(B, device=start_BKN.device)[:, None, None]
        inside_BKN = inside_BKN & rhythm.known_BT[rows_B, start_BKN.clamp(0, T - A)]
        inside_BKN = inside_BKN & (rhythm.strength_B >= WEAKEST)[:, None, None]
        start_BKN = torch.where(inside_BKN, start_BKN, T - A)

        step_BKN = (T - 1 - start_BKN - A // 2).div(A, rounding_mode="floor")
        heard_BKN3 = rhythm.past_BM3[rows_B, step_BKN]
        away_BKN2 = heard_BKN3[..., :2] - motion_BK3[:, :, None, :2]
        turn_BKN = heard_BKN3[..., 2] - motion_BK3[:, :, None, 2]
        distance_BKN, cos_BKN = torch.hypot(away_BKN2[..., 0], away_BKN2[..., 1]), turn_BKN.cos()
        angle_BKN = torch.atan2(turn_BKN.sin(), cos_BKN).abs()
        reach = self.log_reach.exp()
        score_BKN = -distance_BKN / reach[0] - angle_BKN / reach[1]
        present_BK = inside_BKN.any(-1)
        # Without any, the weights are equal, and all of them lead to the sound of now.
        usable_BKN = inside_BKN | ~present_BK[..., None]
        weight_BKN = score_BKN.masked_fill(~usable_BKN, -torch.inf).softmax(-1)

        index_BKNA = start_BKN[..., None] + torch.arange(A, device=start_BKN.device)
        heard_BKNAD = rhythm.tokens_BTD[rows_B[..., None], index_BKNA]
        audio_PAD = exact_einsum("bkn,bknad->bkad", weight_BKN, heard_BKNAD).flatten(0, 1)
        # Where it was heard, as seen from the target.
        sin_BK, cos_BK = motion_BK3[..., 2].sin(), motion_BK3[..., 2].cos()
        ahead, left = (weight_BKN[..., None] * away_BKN2).sum(2).unbind(-1)
        features = [
            present_BK.to(audio_PAD.dtype),
            rhythm.strength_B[:, None].expand(B, K) * present_BK,
            (inside_BKN.sum(-1) / PERIODS).to(audio_PAD.dtype),
            (weight_BKN * distance_BKN).sum(-1) / 2.4,
            (weight_BKN * cos_BKN).sum(-1),
            (weight_BKN * turn_BKN.sin()).sum(-1),
            (ahead * cos_BK + left * sin_BK) / 2.4,
            (left * cos_BK - ahead * sin_BK) / 2.4,
        ]
        now_PAD = rhythm.tokens_BTD[:, -A:].repeat_interleave(K, 0)
        return Recalled(audio_PAD, now_PAD, torch.stack(features, -1).flatten(0, 1))
