"""The configurations of `avw train --size NAME`: network, diffusion and optimisation."""

from __future__ import annotations

from dataclasses import replace

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowConfig
from avw.model.av_cdit import SIZES, AvCditConfig
from avw.model.diffusion import DiffusionConfig
from avw.model.tokenizers.fit import TokenizerBudget
from avw.model.training.train import TrainConfig
from avw.sim_bridge.errors import UsageError


def preset(
    size: str,
    dataset: Dataset,
    *,
    seed: int = 0,
    steps: list[int] | None = None,
    scale: float = 1.0,
    contexts: int | None = None,
    learning_rate: float | None = None,
) -> TrainConfig:
    """The configuration of `size` for a dataset. Arguments that are None keep the value of the size.

    nano regresses the clean latent and takes half of its samples at the last diffusion step, where the sampler starts:
    prediction in one step can be trained in minutes on a CPU. The other sizes follow NWM (arXiv 2412.03572): noise
    prediction with a learned variance, offsets of ±64 steps, and a constant learning rate of 8e-5.
    """
    if size not in SIZES:
        raise UsageError(f"unknown size {size!r}: expected one of {', '.join(SIZES)}")
    budget = TokenizerBudget()
    image, audio = budget.configs(dataset.spec.simulator.size, dataset.spec.audio_full_scale)
    net = AvCditConfig(
        **SIZES[size],
        latent_size=image.latent_shape[0],
        latent_channels=image.latent_shape[2],
        audio_tokens=audio.latent_shape[0],
        audio_channels=audio.latent_shape[1],
    )
    if size == "nano":
        config = TrainConfig(net=net, diffusion=DiffusionConfig(last_share=0.5), tokenizers=budget, seed=seed)
    else:
        config = TrainConfig(
            net=net,
            diffusion=DiffusionConfig(prediction="noise", learn_variance=True),
            windows=WindowConfig(min_offset=-64, max_offset=64, near=1.0),
            tokenizers=budget,
            seed=seed,
            steps={"1": 100_000, "2": 50_000, "3": 100_000},
            contexts=64,
            learning_rate=8e-5,
            warmup=1_000,
            decay=False,
            ema=0.9999,
        )
    counts = dict(zip("123", steps, strict=True)) if steps else config.steps
    return replace(
        config,
        steps={stage: max(1, round(count * (1.0 if steps else scale))) for stage, count in counts.items()},
        contexts=contexts or config.contexts,
        learning_rate=learning_rate or config.learning_rate,
    )
