"""Training of the compositor, after the network: which pixels to take from the memory and which from the latent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from avw.model import checkpoint
from avw.model.compositor import Compositor, Layers
from avw.model.frames import EncodedFrames
from avw.model.pixels import composite, layers_of
from avw.model.tokenizers.depth import log_depth
from avw.model.training.configuration.config import TrainConfig
from avw.model.world_model import WorldModel
from avw.sim_bridge.randomness import keyed_rng

CROP = 64  # pixels: a crop of this size is trained on; the cost is a quarter of that of a whole image
DEPTH_WEIGHT = 0.02  # of the relative error of depth, beside the squared error of colours


def fit_compositor(
    model: WorldModel,
    frames: EncodedFrames,
    config: TrainConfig,
    path: Path,
    report: Callable[[str, int, int, dict[str, float]], None],
) -> Compositor:
    """The compositor in the file `path`; if it does not exist, it is fitted to predictions of the model.

    On a given machine, the result is a function of the configuration, the data and the network.
    """
    with torch.random.fork_rng(devices=[]):  # the initialisation uses the global generator: restore it
        torch.manual_seed(int(keyed_rng(config.seed, "compositor").integers(2**31)))
        compositor = Compositor(config.compositor).to(model.device)
    steps, batch = config.compositor_steps, config.compositor_batch
    if path.exists():
        tensors, _ = checkpoint.load(path)
        checkpoint.restore(compositor, tensors, "compositor", path)
        report("pixels", steps, steps, {})
        return compositor.eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(compositor.parameters(), lr=2e-3, betas=(0.9, 0.99), weight_decay=0.0)
    for step in range(steps):
        rng = keyed_rng(config.seed, "compositor", step)
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 20) * (1.0 - step / steps)
        window = frames.windows.draw(config.seed, "compositor", step, batch, 1)
        with torch.no_grad():
            prediction = model.predict_window(frames, window)
            assert prediction.seen is not None
            assert frames.depth_FHW is not None
            layers = layers_of(model.tokenizers, prediction.latents["vision"].clone(), prediction.seen)
        target = window.target_BK[:, 0]
        rgb = torch.from_numpy(frames.rgb_FHWC[target]).to(model.device).permute(0, 3, 1, 2).float() / 255
        depth = log_depth(torch.from_numpy(frames.depth_FHW[target].astype("float32") / 1000).to(model.device))
        side = min(CROP, rgb.shape[-1])
        top, left = (2 * int(x) for x in rng.integers(0, (rgb.shape[-1] - side) // 2 + 1, 2))
        crop = (..., slice(top, top + side), slice(left, left + side))
        layers = Layers(**{name: getattr(layers, name)[crop] for name in Layers.__slots__})
        made, metres = composite(compositor, layers)
        error = (made - rgb[crop]).square().mean()
        depth_error = ((metres - depth[crop]).clamp(max=3.0).exp() - 1).abs().mean()
        optimizer.zero_grad(set_to_none=True)
        (error + DEPTH_WEIGHT * depth_error).backward()
        nn.utils.clip_grad_norm_(compositor.parameters(), 1.0)
        optimizer.step()
        due = (step + 1) % config.log_every == 0 or step + 1 == steps
        report(
            "pixels",
            step + 1,
            steps,
            {"rgb": float(error.detach()), "depth": float(depth_error.detach())} if due else {},
        )
    checkpoint.save(path, checkpoint.prefixed("compositor", compositor.state_dict()), {})
    return compositor.eval().requires_grad_(False)
