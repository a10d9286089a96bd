"""The rotation warp: the last frame, turned by the commanded yaw. It is the part of the future that is known exactly.

When a pinhole camera turns on the spot, each ray that stays in view moves to a pixel that does not depend on the scene.
The warp is a baseline (`evaluate`) and, for small models, an input of every visual token
(`AvCditConfig.rotation_prior`).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from avw.model.tokenizers.protocol import ImageCoder
from avw.sim_bridge.types import TURN_RADIANS


class Rotation:
    """Turns square images of `size` pixels and `hfov` degrees. Has one lookup table per multiple of 10°."""

    def __init__(self, size: int, hfov: float, device: torch.device | str = "cpu") -> None:
        self.size = size
        self.tan = math.tan(math.radians(hfov) / 2)
        self.device = torch.device(device)
        self._tables: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def table(self, turns: int) -> tuple[Tensor, Tensor, Tensor]:
        """Indices (H·W, 4) of the four source pixels, their weights (H·W, 4, 1), and whether in view (H·W,)."""
        if turns in self._tables:
            return self._tables[turns]
        size, angle = self.size, turns * TURN_RADIANS
        axis = ((torch.arange(size, dtype=torch.float64) + 0.5) / size * 2 - 1) * self.tan
        y, x = torch.meshgrid(-axis, axis, indexing="ij")
        depth = math.cos(angle) + x * math.sin(angle)
        ahead = depth > 1e-6
        depth = depth.clamp(min=1e-6)
        column = ((x * math.cos(angle) - math.sin(angle)) / depth / self.tan + 1) / 2 * size - 0.5
        row = (1 - y / depth / self.tan) / 2 * size - 0.5
        seen = ahead & (column > -0.5) & (column < size - 0.5) & (row > -0.5) & (row < size - 0.5)
        column, row = column.clamp(0, size - 1), row.clamp(0, size - 1)
        c0, r0 = column.floor().long().clamp(max=size - 2), row.floor().long().clamp(max=size - 2)
        fc, fr = column - c0, row - r0
        corners = [(r0 + i) * size + c0 + j for i in (0, 1) for j in (0, 1)]
        weights = [(fr if i else 1 - fr) * (fc if j else 1 - fc) for i in (0, 1) for j in (0, 1)]
        self._tables[turns] = (
            torch.stack(corners, -1).view(-1, 4).to(self.device),
            torch.stack(weights, -1).view(-1, 4, 1).float().to(self.device),
            seen.view(-1).to(self.device),
        )
        return self._tables[turns]

    def turned(self, rgb_PHWC: Tensor, yaw_P: Tensor, *, smooth: bool) -> tuple[Tensor, Tensor]:
        """Frames (uint8) turned left by yaw (radians, a multiple of 10°): uint8 (P, H, W, 3), in view: bool (P, H, W).

        Pixels that were not in view get the mean colour of the frame, which minimises the expected squared error.
        smooth: bilinear instead of nearest-neighbour sampling
        """
        P, H, W, C = rgb_PHWC.shape
        turns_P = torch.round(yaw_P / TURN_RADIANS).long().tolist()
        flat = rgb_PHWC.reshape(P, H * W, C)
        out = torch.empty_like(flat)
        seen_PN = torch.zeros(P, H * W, dtype=torch.bool, device=rgb_PHWC.device)
        for turns in sorted(set(turns_P)):
            chosen = torch.tensor([i for i, t in enumerate(turns_P) if t == turns], device=rgb_PHWC.device)
            if turns == 0:
                out[chosen], seen_PN[chosen] = flat[chosen], True
                continue
            frames = flat[chosen]
            # Every seventh pixel is enough for a mean colour.
            mean = frames[:, ::7].float().mean(1, keepdim=True).round().to(torch.uint8)
            index, weight, seen = self.table(turns)
            if not bool(seen.any()):
                out[chosen] = mean.expand_as(frames)
                continue
            if smooth:
                image = (frames.float()[:, index] * weight).sum(2).round().clamp(0, 255).to(torch.uint8)
            else:
                image = frames[:, index.gather(1, weight[..., 0].argmax(1, keepdim=True))[:, 0]]
            out[chosen] = torch.where(seen[:, None], image, mean)
            seen_PN[chosen] = seen
        return out.view(P, H, W, C), seen_PN.view(P, H, W)

    def prior(self, tokenizer: ImageCoder, rgb_PHWC: Tensor, yaw_P: Tensor, channels: int) -> Tensor:
        """The input of the visual tokens, (P, h, w, C + 3): the latent of the turned frame, the share of each latent
        pixel that was in view, and sine and cosine of the azimuth of the pixel relative to the heading of the context.

        channels: C, of the latents of the model. Those of depth are 0, the mean: depth is not turned.
        """
        turned, seen = self.turned(rgb_PHWC, yaw_P, smooth=False)
        latent = tokenizer.encode(turned)
        latent = F.pad(latent, (0, channels - latent.shape[-1]))
        h, w = latent.shape[1:3]
        share = pooled(seen.float(), h)
        direction = viewing_direction(yaw_P.to(latent), h, w, self.tan)
        return torch.cat([latent * share[..., None], share[..., None], direction], -1)


def viewing_direction(yaw_P: Tensor, height: int, width: int, tan: float) -> Tensor:
    """(P, height, width, 2): sine and cosine of the azimuth of each column relative to the heading of the context.

    tan: of half the field of view · yaw_P: turn of each camera, radians
    """
    column = ((torch.arange(width, device=yaw_P.device) + 0.5) / width * 2 - 1) * tan
    azimuth = (yaw_P[:, None] - torch.atan(column))[:, None].expand(-1, height, -1)
    return torch.stack([azimuth.sin(), azimuth.cos()], -1)


def pooled(x_PHW: Tensor, side: int) -> Tensor:
    """(P, side, side): means over the pixels of each latent pixel."""
    patch = x_PHW.shape[1] // side
    return x_PHW.unflatten(2, (side, patch)).unflatten(1, (side, patch)).mean((2, 4))
