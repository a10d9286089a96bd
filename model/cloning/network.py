"""The network of the cloned policy: a small CNN, the cues of the ears and the last action into a GRU.

Shapes: B episodes · T steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avw.model.cloning.features import SIDE, SOUND, image_tensor
from avw.sim_bridge.types import Action

START = len(Action)  # in place of the last action, at the start of an episode


@dataclass(frozen=True, kw_only=True, slots=True)
class ClonedNetConfig:
    """channels: of the first convolution · width: of the features and of the GRU"""

    channels: int = 16
    width: int = 192


@dataclass(frozen=True, slots=True)
class PolicyOutput:
    """logits_BTA: of the actions · value_BT: logit of the value · hidden: of the GRU after the last step

    The value is the expert's discounted probability of success from here, 0 to 1: `DISCOUNT` to the power of the number
    of actions that it needs.
    """

    logits_BTA: Tensor
    value_BT: Tensor
    hidden: Tensor


def eye(channels_in: int, config: ClonedNetConfig) -> nn.Sequential:
    """(B, channels_in, SIDE, SIDE) -> (B, width)."""
    layers: list[nn.Module] = []
    before = channels_in
    for channels in (config.channels, 2 * config.channels, 4 * config.channels):
        layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1), nn.GELU()]
        before = channels
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(before * (SIDE // 8) ** 2, config.width), nn.GELU())


class ClonedNet(nn.Module):
    """Actions and values of a sequence of observations."""

    def __init__(self, config: ClonedNetConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or ClonedNetConfig()
        self.eye = eye(4, c)
        self.ear = nn.Sequential(nn.Linear(SOUND, c.width), nn.GELU(), nn.Linear(c.width, c.width), nn.GELU())
        self.action = nn.Embedding(len(Action) + 1, c.width)
        self.memory = nn.GRU(c.width, c.width, batch_first=True)
        self.actor = nn.Linear(2 * c.width, len(Action))
        self.critic = nn.Linear(2 * c.width, 1)

    def forward(
        self, sight_BT: Tensor, sound_BTF: Tensor, last_BT: Tensor, hidden: Tensor | None = None
    ) -> PolicyOutput:
        """sight_BT: uint8 (B, T, SIDE, SIDE, 4) · last_BT: the action before each observation, START at the first."""
        B, T = last_BT.shape
        seen = self.eye(image_tensor(sight_BT.flatten(0, 1))).unflatten(0, (B, T))
        feature_BTD = seen + self.ear(sound_BTF) + self.action(last_BT)
        memory_BTD, hidden = self.memory(feature_BTD, hidden)
        both = torch.cat([memory_BTD, feature_BTD], -1)
        return PolicyOutput(self.actor(both), self.critic(both)[..., 0], hidden)


def cloning_loss(
    output: PolicyOutput, expert_BT: Tensor, value_BT: Tensor, known_BT: Tensor, inflection: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy of the expert's actions and of its values over the steps that are `known`.

    inflection: weight of steps at which the expert's action differs from its last one (inflection weighting, Wijmans et
    al. 2019): otherwise repeating the last action would be a good guess.
    """
    changes = torch.ones_like(known_BT)
    changes[:, 1:] = expert_BT[:, 1:] != expert_BT[:, :-1]
    weight_BT = known_BT.float() * torch.where(changes.bool(), inflection, 1.0)
    action = F.cross_entropy(output.logits_BTA.flatten(0, 1), expert_BT.flatten(), reduction="none").view_as(weight_BT)
    action_loss = (action * weight_BT).sum() / weight_BT.sum().clamp(min=1.0)
    value = F.binary_cross_entropy_with_logits(output.value_BT, value_BT, reduction="none") * known_BT
    value_loss = value.sum() / known_BT.sum().clamp(min=1.0)
    right = ((output.logits_BTA.argmax(-1) == expert_BT) & known_BT).sum() / known_BT.sum().clamp(min=1)
    return action_loss + value_loss, {"action": action_loss.detach(), "value": value_loss.detach(), "right": right}
