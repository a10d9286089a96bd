"""`reprojection.reproject_frames` in PyTorch, for many targets at once on an accelerator.

The passes are the same. Points are scattered with a depth test in place of loops, so pixels that are as near as each
other may come out differently, and points magnified more than `2 · MOST_RADIUS` times leave gaps for the fill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from avw.model.memory.reprojection import checked_size
from avw.model.memory.reprojection_kernels import EDGE, FAR, GREY, NEAREST, NEUTRAL_METRES

MOST_RADIUS = 2  # pixels to each side that one point covers at most


@dataclass(frozen=True, slots=True)
class TorchReprojection:
    """The arrays of `reprojection.Reprojection` as tensors on one device."""

    rgb_PHWC: Tensor
    depth_PHW: Tensor
    coverage_PHW: Tensor
    source_PHW: Tensor


def reproject_frames(
    rgb_FHWC: Tensor,
    depth_FHW: Tensor,
    frames_PN: Tensor,
    pose_PN4: Tensor,
    hfov: float,
    *,
    size: int | None = None,
) -> TorchReprojection:
    """As `reprojection.reproject_frames`, on the device of `rgb_FHWC`. depth_FHW: uint16 or int32 millimetres"""
    size = checked_size(rgb_FHWC, depth_FHW, frames_PN, pose_PN4, hfov, size)
    device = rgb_FHWC.device
    tan = math.tan(math.radians(hfov) / 2)
    frames_PN, pose_PN4 = frames_PN.to(device), pose_PN4.to(device, torch.float32)
    P, N = frames_PN.shape
    depth_PHW = torch.full((P, size, size), FAR, device=device)
    source_PHW = torch.full((P, size, size), -1, dtype=torch.int64, device=device)
    for n in range(N - 1, -1, -1):
        used_P = frames_PN[:, n] >= 0
        if not bool(used_P.any()):
            continue
        frame_PHW = depth_FHW[frames_PN[used_P, n]]
        drawn = _splat(frame_PHW, pose_PN4[used_P, n], tan, size)
        new = (source_PHW[used_P] < 0) & (drawn < FAR)
        depth_PHW[used_P] = torch.where(new, drawn, depth_PHW[used_P])
        source_PHW[used_P] = torch.where(new, n, source_PHW[used_P])
        depth_PHW, source_PHW = _without_cracks(depth_PHW, source_PHW)
    coverage_PHW = source_PHW >= 0
    image_PHW4 = _look_up(rgb_FHWC, frames_PN, pose_PN4, tan, depth_PHW, source_PHW)
    filled_PHW4 = _push_pull(image_PHW4, coverage_PHW)
    nothing_P = ~coverage_PHW.flatten(1).any(1)
    newest_P = torch.where(frames_PN >= 0, torch.arange(N, device=device), -1).amax(1)
    for p in torch.nonzero(nothing_P).flatten().tolist():
        colour_3 = torch.full((3,), GREY, device=device)
        if newest_P[p] >= 0:
            colour_3 = rgb_FHWC[frames_PN[p, newest_P[p]], ::7, ::7].float().mean((0, 1))
        filled_PHW4[p, ..., :3], filled_PHW4[p, ..., 3] = colour_3, 1 / NEUTRAL_METRES
    return TorchReprojection(
        (filled_PHW4[..., :3] + 0.5).clamp(0, 255).to(torch.uint8),
        torch.where(coverage_PHW, depth_PHW, 1 / filled_PHW4[..., 3]),
        coverage_PHW,
        source_PHW.to(torch.int8),
    )


def _rays(count: int, tan: float, device: torch.device) -> Tensor:
    """Tangents of the pixel centres, left or up positive."""
    return (1 - (torch.arange(count, device=device, dtype=torch.float64) + 0.5) * 2 / count).float() * tan


def _splat(depth_PHW: Tensor, pose_P4: Tensor, tan: float, size: int) -> Tensor:
    """float32 (P, size, size): depth of the nearest point of one frame per target, FAR where there is none."""
    P, height, _ = depth_PHW.shape
    stride = max(1, height // size)
    spread = max(1.0, stride * size / height)
    ray = _rays(height, tan, depth_PHW.device)[stride // 2 :: stride]
    d = depth_PHW[:, stride // 2 :: stride, stride // 2 :: stride].to(torch.int32).float() * 0.001
    forward, left, up, turn = (pose_P4[:, k, None, None] for k in range(4))
    c, s = turn.cos(), turn.sin()
    ahead = forward + (c - s * ray) * d
    scale = 0.5 * size / tan / ahead.clamp(min=NEAREST)
    u = 0.5 * size - 0.5 - (left + (s + c * ray) * d) * scale
    v = 0.5 * size - 0.5 - (up + ray[:, None] * d) * scale
    r = 0.5 * spread * (d / ahead.clamp(min=NEAREST)).clamp(min=1.0)
    valid = (d > 0) & (ahead >= NEAREST)
    out = torch.full((P, size * size), FAR, device=d.device)
    most = 0 if not bool(valid.any()) else min(MOST_RADIUS, math.ceil(float(r[valid].max()) - 0.5))
    for row in range(-most, most + 1):
        for column in range(-most, most + 1):
            x, y = torch.round(u) + column, torch.round(v) + row
            drawn = valid & ((x - u).abs() <= r) & ((y - v).abs() <= r) & (x >= 0) & (y >= 0) & (x < size) & (y < size)
            index = torch.where(drawn, y * size + x, 0.0).long().flatten(1)
            out.scatter_reduce_(1, index, torch.where(drawn, ahead, FAR).flatten(1), "amin")
    return out.view(P, size, size)


def _without_cracks(depth_PHW: Tensor, source_PHW: Tensor) -> tuple[Tensor, Tensor]:
    """Single open pixels between two pixels of one surface get the depth between them."""
    best = torch.full_like(depth_PHW, EDGE)
    out_depth, out_source = depth_PHW, source_PHW
    for axis in (2, 1):
        p, q = depth_PHW.roll(1, axis), depth_PHW.roll(-1, axis)
        step = (p - q).abs() / torch.minimum(p, q)
        between = (source_PHW < 0) & (source_PHW.roll(1, axis) >= 0) & (source_PHW.roll(-1, axis) >= 0) & (step < best)
        edge = torch.ones_like(between)
        edge.narrow(axis, 0, 1).fill_(False)
        edge.narrow(axis, -1, 1).fill_(False)
        between &= edge
        out_depth = torch.where(between, 2 * p * q / (p + q), out_depth)
        out_source = torch.where(between, source_PHW.roll(1, axis), out_source)
        best = torch.where(between, step, best)
    return out_depth, out_source


def _look_up(
    rgb_FHWC: Tensor, frames_PN: Tensor, pose_PN4: Tensor, tan: float, depth_PHW: Tensor, source_PHW: Tensor
) -> Tensor:
    """float32 (P, size, size, 4): bilinear colours of the covered pixels, and 1 / depth; 0 where nothing was drawn."""
    P, size, _ = depth_PHW.shape
    source = rgb_FHWC.shape[1]
    taps = max(1, round(source / size / 2))
    ray = _rays(size, tan, depth_PHW.device)
    n = source_PHW.clamp(min=0)
    pose = pose_PN4[torch.arange(P, device=n.device)[:, None, None], n]
    frame = frames_PN[torch.arange(P, device=n.device)[:, None, None], n].clamp(min=0)
    z = depth_PHW
    c, s = pose[..., 3].cos(), pose[..., 3].sin()
    ahead, left = z - pose[..., 0], ray * z - pose[..., 1]
    scale = 0.5 * source / tan / (c * ahead + s * left).clamp(min=0.02)
    u = 0.5 * source - 0.5 - (c * left - s * ahead) * scale
    v = 0.5 * source - 0.5 - (ray[:, None] * z - pose[..., 2]) * scale
    colour = torch.zeros((*z.shape, 3), device=z.device)
    for t in range(taps * taps):
        ut = (u + 2 * (t % taps) - taps + 1).clamp(0, source - 1)
        vt = (v + 2 * (t // taps) - taps + 1).clamp(0, source - 1)
        u0, v0 = ut.long().clamp(max=source - 2), vt.long().clamp(max=source - 2)
        fu, fv = (ut - u0)[..., None], (vt - v0)[..., None]
        top = rgb_FHWC[frame, v0, u0].float() * (1 - fu) + rgb_FHWC[frame, v0, u0 + 1].float() * fu
        bottom = rgb_FHWC[frame, v0 + 1, u0].float() * (1 - fu) + rgb_FHWC[frame, v0 + 1, u0 + 1].float() * fu
        colour += (top * (1 - fv) + bottom * fv) / (taps * taps)
    return torch.cat([colour, 1 / z[..., None]], -1) * (source_PHW >= 0)[..., None]


def _push_pull(image_PHW4: Tensor, coverage_PHW: Tensor) -> Tensor:
    """Fill the pixels that are not covered from ever coarser means of those that are."""
    levels = [(image_PHW4.permute(0, 3, 1, 2), coverage_PHW[:, None].float())]
    while levels[-1][0].shape[-1] > 1:
        image, weight = levels[-1]
        odd = image.shape[-1] % 2
        image, weight = F.pad(image * weight, (0, odd, 0, odd)), F.pad(weight, (0, odd, 0, odd))
        total = F.avg_pool2d(weight, 2) * 4
        levels.append((F.avg_pool2d(image, 2) * 4 / total.clamp(min=1e-6), total.clamp(max=1.0)))
    filled = levels[-1][0]
    for image, weight in reversed(levels[:-1]):
        up = F.interpolate(filled, scale_factor=2, mode="bilinear", align_corners=False)
        up = up[..., : image.shape[-1], : image.shape[-1]]
        filled = weight * image + (1 - weight) * up
    return filled.permute(0, 2, 3, 1).contiguous()
