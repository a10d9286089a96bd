"""The compositor: blends what was seen, reprojected, with what the network imagines, per pixel.

A reprojected pixel is sharper than any decoded latent, so pixels that were seen bypass the latent. The network chooses
the blend and adds a small correction.

Shape legend: N images · H W pixels · C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from avw.model import checkpoint

SEEN, UNSEEN = 5.0, -0.5
"""Initial logits of the gate: a pixel that was seen is that of the memory; another is a blend of its fill (the colours
around it) and of what the network imagines."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CompositorConfig:
    """width: channels · dilations: one 3x3 convolution each, at half the resolution · longest_age: steps."""

    width: int = 32
    dilations: tuple[int, ...] = (1, 2, 4)
    longest_age: float = 64.0

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> CompositorConfig:
        """The configuration that a checkpoint stores."""
        return checkpoint.configured(cls, values, "compositor")


@dataclass(frozen=True, slots=True)
class Layers:
    """The two pictures to blend. rgb in 0 to 1, log_depth of metres.

    seen_rgb_NCHW, seen_depth_NHW: reprojected, holes filled · coverage_NHW: 1 where seen · age_NHW: steps
    rgb_NCHW, depth_NHW: decoded from the latent
    """

    seen_rgb_NCHW: Tensor
    seen_depth_NHW: Tensor
    coverage_NHW: Tensor
    age_NHW: Tensor
    rgb_NCHW: Tensor
    depth_NHW: Tensor


class Compositor(nn.Module):
    """(layers) -> rgb (N, 3, H, W) and log depth (N, H, W). H and W must be even."""

    def __init__(self, config: CompositorConfig) -> None:
        super().__init__()
        self.config = config
        channels = 4 * (3 + 1 + 1 + 1 + 3 + 1)
        layers: list[nn.Module] = []
        for dilation in config.dilations:
            layers += [nn.Conv2d(channels, config.width, 3, padding=dilation, dilation=dilation), nn.ReLU()]
            channels = config.width
        self.body = nn.Sequential(*layers)
        self.out = nn.Conv2d(channels, 4 * (1 + 1 + 3 + 1), 3, padding=1)  # two gates, corrections of colour and depth
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(cast("Tensor", self.out.bias))

    def forward(self, x: Layers) -> tuple[Tensor, Tensor]:
        age = torch.log1p(x.age_NHW.clamp(0, self.config.longest_age)) / 4.0
        planes = [x.seen_depth_NHW, x.coverage_NHW, age * x.coverage_NHW, x.depth_NHW]
        stacked = torch.cat([x.seen_rgb_NCHW, x.rgb_NCHW, torch.stack(planes, 1)], 1)
        out = functional.pixel_shuffle(self.out(self.body(functional.pixel_unshuffle(stacked, 2))), 2)
        base = UNSEEN + (SEEN - UNSEEN) * x.coverage_NHW
        colour_gate, depth_gate = torch.sigmoid(base + out[:, 0])[:, None], torch.sigmoid(base + out[:, 1])
        rgb = colour_gate * x.seen_rgb_NCHW + (1 - colour_gate) * x.rgb_NCHW + out[:, 2:5]
        return rgb, depth_gate * x.seen_depth_NHW + (1 - depth_gate) * x.depth_NHW + out[:, 5]
