"""The long memory for sound: past steps, far more of them than there are detailed context frames.

Shapes: B contexts · M past steps · A audio tokens per step · Da numbers per token · C numbers of delays.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avw.model.layers import MOTION_FEATURES, TIME_FEATURES, motion_features, time_features


@dataclass(frozen=True, slots=True)
class SoundHistory:
    """Past steps, newest first.

    audio_BMAD: audio latents · past_BM3: pose of each step relative to now (forward m, left m, turn rad)
    age_BM: steps ago; negative where there is no such step (before the first observation)
    delay_BMC: evidence for the delays between the ears, see `interaural_delay.py`; None for a model without them
    """

    audio_BMAD: Tensor
    past_BM3: Tensor
    age_BM: Tensor
    delay_BMC: Tensor | None = None


def heard_features(sound: SoundHistory) -> Tensor:
    """(B, M, Da + A + C): the mean over each step, the level of its tokens (their first number), and the delays."""
    found = [sound.audio_BMAD.mean(2), sound.audio_BMAD[..., 0]]
    return torch.cat(found if sound.delay_BMC is None else [*found, sound.delay_BMC], -1)


class SoundMemory(nn.Module):
    """One token per past step: (B, M, width). features: numbers of `heard_features`."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        D, inputs = width, features + MOTION_FEATURES + TIME_FEATURES
        self.token = nn.Sequential(
            nn.Linear(inputs, 2 * D), nn.SiLU(), nn.Linear(2 * D, 2 * D), nn.SiLU(), nn.Linear(2 * D, D)
        )
        self.absent = nn.Parameter(torch.zeros(D))

    def forward(self, sound: SoundHistory) -> Tensor:
        features = [heard_features(sound), motion_features(sound.past_BM3), time_features(-sound.age_BM)]
        return torch.where(sound.age_BM[..., None] < 0, self.absent, self.token(torch.cat(features, -1)))
