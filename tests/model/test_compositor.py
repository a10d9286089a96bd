"""The compositor: what it shows before training, and that it can learn to correct."""

from __future__ import annotations

from dataclasses import replace

import torch

from avw.model.compositor import Compositor, CompositorConfig, Layers


def layers(coverage: float, size: int = 16) -> Layers:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    return Layers(
        seen_rgb_NCHW=draw(2, 3, size, size),
        seen_depth_NHW=draw(2, size, size),
        coverage_NHW=torch.full((2, size, size), coverage),
        age_NHW=torch.full((2, size, size), 5.0),
        rgb_NCHW=draw(2, 3, size, size),
        depth_NHW=draw(2, size, size),
    )


def test_untrained_it_shows_what_was_seen_and_imagines_most_of_the_rest() -> None:
    compositor = Compositor(CompositorConfig())
    seen, unseen = layers(1.0), layers(0.0)
    rgb, depth = compositor(seen)
    torch.testing.assert_close(rgb, seen.seen_rgb_NCHW, atol=0.02, rtol=0)
    torch.testing.assert_close(depth, seen.seen_depth_NHW, atol=0.02, rtol=0)
    rgb, _ = compositor(unseen)
    towards_memory = (rgb - unseen.rgb_NCHW) / (unseen.seen_rgb_NCHW - unseen.rgb_NCHW)
    assert 0.3 < towards_memory.median() < 0.45


def test_every_pixel_of_its_inputs_matters_near_by() -> None:
    torch.manual_seed(0)
    compositor = Compositor(CompositorConfig(width=8))
    with torch.no_grad():
        for parameter in compositor.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape))
    x = layers(0.0, 64)
    changed = x.rgb_NCHW.clone()
    changed[0, :, 32, 32] += 1.0
    difference = (compositor(replace(x, rgb_NCHW=changed))[0] - compositor(x)[0]).abs().sum(1)
    assert difference[0, 24:41, 24:41].sum() > 0
    assert difference[0, 0, 0] == 0
    assert difference[1].sum() == 0
    assert torch.isfinite(compositor(replace(x, age_NHW=torch.full_like(x.age_NHW, -1.0)))[0]).all()
