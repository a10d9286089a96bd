"""The configurations of `avw train --size NAME`: network, diffusion and optimisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowConfig
from avw.model.av_cdit import SIZES, AvCditConfig
from avw.model.diffusion import DiffusionConfig
from avw.model.tokenizers.budget import TokenizerBudget
from avw.model.training.configuration.config import STAGE_MODALITIES, TrainConfig
from avw.model.training.configuration.config_file import from_file
from avw.model.training.configuration.overrides import with_overrides
from avw.model.training.nwm_import import init_path
from avw.sim_bridge.errors import UsageError


def preset(
    size: str,
    dataset: Dataset,
    *,
    seed: int | None = None,
    steps: list[int] | None = None,
    scale: float = 1.0,
    contexts: int | None = None,
    learning_rate: float | None = None,
    settings: Sequence[str] = (),
    config_file: Path | None = None,
    init: str = "",
) -> TrainConfig:
    """The configuration of `size` for a dataset. Arguments that are None keep the value of the size or of the file.

    config_file: fields that replace those of the size, see `from_file` · init: `TrainConfig.init`
    settings: changes of single fields, see `with_overrides`

    nano regresses the clean latent from zeros, at the last diffusion step only: a prediction in one step can be trained
    in minutes on a CPU. It is grounded in a spatial memory and predicts RGB-D. The other sizes follow NWM
    (arXiv 2412.03572): noise prediction with a learned variance, offsets of ±64 steps, and a constant learning rate.
    """
    if size not in SIZES:
        raise UsageError(f"unknown size {size!r}: expected one of {', '.join(SIZES)}")
    budget = TokenizerBudget(depth_channels=4 if size == "nano" else 0)
    net = AvCditConfig(**SIZES[size])
    if size == "nano":
        config = TrainConfig(
            net=net,
            diffusion=DiffusionConfig(last_share=1.0, zero_noise=True),
            windows=WindowConfig(max_offset=64, near=2.0),
            tokenizers=budget,
        )
    else:
        config = TrainConfig(
            net=net,
            diffusion=DiffusionConfig(prediction="noise", learn_variance=True),
            windows=WindowConfig(min_offset=-64, max_offset=64, near=1.0),
            tokenizers=budget,
            steps={"1": 100_000, "2": 50_000, "3": 100_000},
            contexts=64,
            sound_contexts=64,
            learning_rate=8e-5,
            warmup=1_000,
            decay=False,
            ema=0.9999,
        )
    if config_file is not None:
        config = from_file(config, config_file)
    blend = config.compositor_steps
    counts = dict(zip("123", steps, strict=True)) if steps else config.steps
    config = replace(
        config,
        seed=config.seed if seed is None else seed,
        init=init or config.init,
        steps={stage: _scaled(count, scale) for stage, count in counts.items()},
        # A run that is shorter than the default also blends pixels for fewer steps.
        compositor_steps=_scaled(min(max([*steps, 1]), blend) if steps else blend, scale),
        contexts=contexts or config.contexts,
        sound_contexts=round(config.sound_contexts * (contexts or config.contexts) / config.contexts),
        learning_rate=learning_rate or config.learning_rate,
    )
    return _with_latents(_without_empty_stages(_continuing(with_overrides(config, settings), size)), dataset)


def _scaled(count: int, scale: float) -> int:
    """A number of steps; a stage that has any keeps at least one, and one that has none keeps none."""
    return max(1, round(count * scale)) if count else 0


def _continuing(config: TrainConfig, size: str) -> TrainConfig:
    """A model that starts from weights of Navigation World Models has their equations."""
    if not config.init:
        return config
    init_path(config.init)
    if size == "nano":
        raise UsageError(f"--init {config.init}: needs --size S, B, L or XL, the sizes of Navigation World Models")
    return replace(config, net=replace(config.net, cdit=True))


def _without_empty_stages(config: TrainConfig) -> TrainConfig:
    """A model of one sense has no steps in the stage of the other, and without images there is nothing to blend."""
    present = set(config.net.modalities)
    steps = {stage: count if present & set(STAGE_MODALITIES[stage]) else 0 for stage, count in config.steps.items()}
    return replace(config, steps=steps, compositor_steps=config.compositor_steps if "vision" in present else 0)


def _with_latents(config: TrainConfig, dataset: Dataset) -> TrainConfig:
    """The configuration with the latents that its tokenizers make of the dataset."""
    simulator = dataset.spec.simulator
    budget = config.tokenizers
    if budget.image_kind != "pca" and (config.net.prior != "none" or budget.depth_channels):
        raise UsageError(
            f"the image tokenizer {budget.image_kind} cannot encode a reprojected or turned image; add "
            "--set net.prior=none --set tokenizers.depth_channels=0, or choose --size S, B, L or XL"
        )
    tokenizers = budget.configs(simulator.size, dataset.spec.audio_full_scale)
    side, _, channels = tokenizers.vision_shape
    tokens, numbers = tokenizers.audio.latent_shape
    net = replace(
        config.net,
        latent_size=side,
        latent_channels=channels,
        depth_channels=config.tokenizers.depth_channels,
        audio_tokens=tokens,
        audio_channels=numbers,
    )
    return replace(config, net=net)
