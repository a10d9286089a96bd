"""Fits the tokenizers on the training split of a dataset, with frames and sounds sampled from all its episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avw.avw4k.plan.episode import AUDIO_PEAK, DEPTH_UNITS
from avw.avw4k.reading.dataset import Dataset
from avw.model import checkpoint
from avw.model.tokenizers.audio import AudioTokenizer, AudioTokenizerConfig
from avw.model.tokenizers.depth import DepthTokenizer, DepthTokenizerConfig
from avw.model.tokenizers.image import ImageTokenizer, ImageTokenizerConfig
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.randomness import keyed_rng

SPAN = 8  # consecutive steps that are read together, about the size of a compressed chunk in a shard


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerBudget:
    """Amount of training data, and size of the latents.

    frames: number of images and of sounds from the training split · steps: optimisation steps of the image decoder
    channels: latent channels per image patch · components: spectral components per audio token
    depth_channels: latent channels per patch of log depth; 0 for a model of images without depth
    """

    frames: int = 3000
    steps: int = 800
    channels: int = 8
    components: int = 30
    depth_channels: int = 0

    def configs(self, size: int, full_scale: float = 1.0) -> TokenizerConfigs:
        """Configurations for images of `size` pixels and sound of `full_scale` (linear amplitude of 0 dBFS)."""
        return TokenizerConfigs(
            ImageTokenizerConfig(size=size, channels=self.channels),
            AudioTokenizerConfig(full_scale=full_scale, components=self.components),
            DepthTokenizerConfig(size=size, channels=self.depth_channels) if self.depth_channels else None,
        )


@dataclass(frozen=True, slots=True)
class TokenizerConfigs:
    """depth: None for a model of images without depth."""

    image: ImageTokenizerConfig
    audio: AudioTokenizerConfig
    depth: DepthTokenizerConfig | None

    def empty(self) -> Tokenizers:
        """Tokenizers that are not fitted, to restore a checkpoint into."""
        depth = None if self.depth is None else DepthTokenizer(self.depth)
        return Tokenizers(ImageTokenizer(self.image).eval(), AudioTokenizer(self.audio).eval(), depth)

    def outlines(self) -> dict[str, torch.nn.Module]:
        """Those parts whose size the configuration decides, on the current device (meta: without memory)."""
        depth = {} if self.depth is None else {"depth": DepthTokenizer(self.depth)}
        return {"image": ImageTokenizer(self.image), **depth}

    def as_json(self) -> dict[str, Any]:
        """Configuration of each tokenizer by its name in checkpoints."""
        named = {"image": self.image, "audio": self.audio, "depth": self.depth}
        return {name: checkpoint.as_json(config) for name, config in named.items() if config is not None}

    @classmethod
    def from_json(cls, note: dict[str, Any]) -> TokenizerConfigs:
        """The configurations in the note of a checkpoint."""
        depth = note.get("depth")
        return cls(
            checkpoint.configured(ImageTokenizerConfig, note["image"], "image"),
            checkpoint.configured(AudioTokenizerConfig, note["audio"], "audio"),
            None if depth is None else checkpoint.configured(DepthTokenizerConfig, depth, "depth"),
        )


def fit_tokenizers(
    dataset: Dataset,
    path: Path,
    budget: TokenizerBudget,
    seed: int = 0,
    report: Callable[[str, int, int, dict[str, float]], object] = lambda stage, step, steps, losses: None,
) -> Tokenizers:
    """The tokenizers in the file `path` (safetensors). If it does not exist, they are fitted and written there.

    report("tokenizers", step, steps, losses) is called after every step of the image decoder. Raises DatasetError if
    the dataset has no training episodes, and CheckpointError if the file is damaged or belongs to other tokenizers.
    """
    configs = budget.configs(dataset.spec.simulator.size, dataset.audio_scale * AUDIO_PEAK)
    if path.exists():
        tensors, _ = checkpoint.load(path)
        found = configs.empty()
        for name, part in found.parts().items():
            checkpoint.restore(part, tensors, name, path)
        return found

    arrays = ("rgb", "audio", *(("depth",) if configs.depth else ()))
    sampled = sample_frames(dataset, budget.frames, seed, arrays=arrays)

    def on_step(step: int, loss: float) -> None:
        due = step % 20 == 0 or step == budget.steps
        report("tokenizers", step, budget.steps, {"loss": loss} if due else {})

    rgb = torch.from_numpy(sampled["rgb"])
    fitted = Tokenizers(
        audio=AudioTokenizer.fit(torch.from_numpy(sampled["audio"]), configs.audio),
        depth=DepthTokenizer.fit(torch.from_numpy(sampled["depth"]), configs.depth) if configs.depth else None,
        image=ImageTokenizer.fit(rgb, configs.image, steps=budget.steps, seed=seed, on_step=on_step),
    )
    parts = fitted.parts().items()
    tensors = {k: v for name, part in parts for k, v in checkpoint.prefixed(name, part.state_dict()).items()}
    checkpoint.save(path, tensors, configs.as_json())
    return fitted


def sample_frames(
    dataset: Dataset, count: int, seed: int, split: str = "train", arrays: tuple[str, ...] = ("rgb", "audio")
) -> dict[str, np.ndarray]:
    """About `count` observations: rgb uint8 (N, H, W, 3), audio float32 (N, 2, 2400), depth float32 (N, H, W) metres.

    Takes short spans of steps at random positions (from `seed`) in every episode; fewer frames if the split is smaller.
    """
    refs = dataset.episodes(split)
    if not refs:
        raise DatasetError(
            f"{dataset.path}: its {split} split has no finished episode, so the tokenizers cannot be fitted. Generate "
            "at least 3 scenes, so that every split has one, or complete the dataset: avw generate"
        )
    rng = keyed_rng(seed, "tokenizer sample", split)
    per_episode = max(1, round(count / (SPAN * len(refs))))
    found: dict[str, list[np.ndarray]] = {name: [] for name in arrays}
    for ref in [refs[i] for i in rng.permutation(len(refs))[: max(1, count // SPAN)]]:
        spans = range(0, ref.steps + 1, SPAN)
        for start in sorted(rng.choice(spans, min(per_episode, len(spans)), replace=False).tolist()):
            rows = dataset.read(ref, arrays, start, min(start + SPAN, ref.steps + 1))
            for name in arrays:
                found[name].append(rows[name])
    sampled = {name: np.concatenate(parts) for name, parts in found.items()}
    units = {"audio": dataset.audio_scale, "depth": 1 / DEPTH_UNITS}
    return {
        name: array.astype(np.float32) * np.float32(units[name]) if name in units else array
        for name, array in sampled.items()
    }
