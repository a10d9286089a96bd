"""Training steps of three networks on the same latents: ours, DiT of diffusers, and CDiT of Navigation World Models.

A step is what a training does with a batch of images: forward, mean squared error of the predicted noise, backward,
clipping, AdamW, and the moving average of the weights. Weights and data are random: they do not change the cost.

Shapes: B contexts · K targets per context · P = B·K · T context frames · H W C latent image.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from avw.model.av_cdit import PRIOR_EXTRA, SIZES, AvCdit, AvCditConfig
from avw.model.training.weights import init_weights, parameters_of
from avw.sim_bridge.errors import UsageError

Step = Callable[[], object]
DEEP = 1000  # diffusion steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """One batch, and how it is computed.

    size: of `avw train` · contexts, targets: B and K · frames: T; None for those of the size
    latent: width of the latent images, 16 for pictures of 128 x 128 · precision: fp32 or bf16
    compiler: backend of torch.compile, or "" · fused: one kernel for AdamW
    """

    size: str = "S"
    contexts: int = 2
    targets: int = 4
    frames: int | None = None
    latent: int = 16
    precision: str = "fp32"
    compiler: str = ""
    fused: bool = False
    device: str = "cpu"

    @property
    def net(self) -> AvCditConfig:
        """The network of the size, with context frames that all have an age of their own."""
        config = AvCditConfig(**SIZES[self.size])
        ages = config.ages if self.frames is None else tuple(range(self.frames - 1, -1, -1))
        return AvCditConfig(**{**SIZES[self.size], "ages": ages, "latent_size": self.latent})

    @property
    def count(self) -> int:
        """Targets of the batch."""
        return self.contexts * self.targets


@dataclass(frozen=True, slots=True)
class Batch:
    """Random latents. context_BTHWC, noisy_PHWC, noise_PHWC · past_BT3, motion_BK3, offset_BK, step_BK"""

    context: Tensor
    noisy: Tensor
    noise: Tensor
    past: Tensor
    motion: Tensor
    offset: Tensor
    step: Tensor


def batch_of(work: Work) -> Batch:
    generator = torch.Generator().manual_seed(0)
    net, B, K = work.net, work.contexts, work.targets
    image = (work.latent, work.latent, net.latent_channels)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(work.device)

    offset_BK, step_BK = (torch.randint(1, top, (B, K), generator=generator) for top in (64, DEEP))
    return Batch(
        random(B, net.context, *image), random(B * K, *image), random(B * K, *image), random(B, net.context, 3),
        random(B, K, 3), offset_BK.float().to(work.device), step_BK.float().to(work.device),
    )  # fmt: skip


def ours(work: Work) -> Step:
    """AV-CDiT as stage 1 trains it: the parameters of audio and reward are neither used nor updated."""
    config, batch = work.net, batch_of(work)
    net = AvCdit(config).to(work.device)
    init_weights(net, 0)
    trained = dict(parameters_of(net, "1"))
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name in trained)
    if work.compiler:
        for block in net.blocks:
            block.compile(backend=work.compiler)
    prior = None
    if config.prior != "none":
        more = torch.ones(*batch.noisy.shape[:3], PRIOR_EXTRA[config.prior], device=work.device)
        prior = torch.cat([batch.noisy, more], -1)

    def predicted() -> Tensor:
        context = net.context(batch.context, None, batch.past)
        outputs, _ = net(
            {"vision": batch.noisy}, batch.step, batch.motion, batch.offset, context, prior_PHWC=prior
        )  # fmt: skip
        return outputs["vision"][..., : config.latent_channels]

    return training_step(work, list(trained.values()), predicted, batch.noise)


def dit(work: Work) -> Step:
    """diffusers' DiTTransformer2DModel of equal width, depth and tokens. It has no context and no actions."""
    config, batch = work.net, batch_of(work)
    net = optional("diffusers").DiTTransformer2DModel(
        num_attention_heads=config.heads, attention_head_dim=config.width // config.heads, num_layers=config.depth,
        in_channels=config.latent_channels, out_channels=2 * config.latent_channels, sample_size=work.latent,
        patch_size=config.patch,
    ).to(work.device)  # fmt: skip
    net.train()
    noisy, labels = batch.noisy.permute(0, 3, 1, 2).contiguous(), torch.zeros(work.count, dtype=torch.long)

    def predicted() -> Tensor:
        output = net(noisy, timestep=batch.step.flatten().long(), class_labels=labels.to(work.device)).sample
        return output[:, : config.latent_channels].permute(0, 2, 3, 1)

    return training_step(work, list(net.parameters()), predicted, batch.noise)


def cdit(work: Work, models: ModuleType) -> Step:
    """CDiT of Navigation World Models, with the same context frames. Its batches have one context per target."""
    config, batch = work.net, batch_of(work)
    net = models.CDiT(
        input_size=work.latent, context_size=config.context, patch_size=config.patch,
        in_channels=config.latent_channels, hidden_size=config.width, depth=config.depth, num_heads=config.heads,
    ).to(work.device)  # fmt: skip
    net.train()
    noisy = batch.noisy.permute(0, 3, 1, 2).contiguous()
    context = batch.context.permute(0, 1, 4, 2, 3).repeat_interleave(work.targets, 0).contiguous()
    motion, offset = batch.motion.flatten(0, 1), batch.offset.flatten() / 128

    def predicted() -> Tensor:
        output = net(noisy, batch.step.flatten(), motion, context, offset)
        return output[:, : config.latent_channels].permute(0, 2, 3, 1)

    return training_step(work, list(net.parameters()), predicted, batch.noise)


def training_step(work: Work, parameters: list[nn.Parameter], predicted: Callable[[], Tensor], noise: Tensor) -> Step:
    """A step that is the same for all networks, except for `predicted`."""
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.0, fused=True if work.fused else None)
    averages = [parameter.detach().clone() for parameter in parameters]
    kind = torch.device(work.device).type

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(kind, torch.bfloat16, enabled=work.precision == "bf16"):
            output = predicted()
        loss = functional.mse_loss(output.float(), noise)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 10.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, [parameter.data for parameter in parameters], 1e-3)
        return loss.detach()

    return step


def optional(name: str) -> Any:
    """A package that only this benchmark uses. Raises UsageError if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(f"{name} is not installed ({error}); type: pip install {name}") from error


def nwm_models(url: str) -> tuple[ModuleType, str]:
    """`models.py` of the public repository of Navigation World Models, and the commit. It is kept for this run only.

    Raises UsageError if the repository cannot be read, or if timm, which it uses, is not installed.
    """
    optional("timm")
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "nwm"
        commands = (["clone", "--quiet", "--depth", "1", url, str(clone)], ["-C", str(clone), "rev-parse", "HEAD"])
        try:
            done = [subprocess.run(["git", *words], check=True, capture_output=True, text=True) for words in commands]
        except (OSError, subprocess.CalledProcessError) as error:
            raise UsageError(f"--nwm {url}: {getattr(error, 'stderr', '') or error}") from error
        path = clone / "models.py"
        spec = importlib.util.spec_from_file_location("nwm_models", path)
        if spec is None or spec.loader is None or not path.exists():
            raise UsageError(f"--nwm {url}: this repository has no models.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["nwm_models"] = module
        spec.loader.exec_module(module)
    return module, done[1].stdout.strip()[:10]
