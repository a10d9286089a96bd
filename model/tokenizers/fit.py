"""Fits both tokenizers on the training split of a dataset, with frames and sounds sampled from all its episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from avw.avw4k.plan.episode import AUDIO_PEAK
from avw.avw4k.reading.dataset import Dataset
from avw.model import checkpoint
from avw.model.tokenizers.audio import AudioTokenizer, AudioTokenizerConfig
from avw.model.tokenizers.image import ImageTokenizer, ImageTokenizerConfig
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.randomness import keyed_rng

SPAN = 8  # consecutive steps that are read together, about the size of a compressed chunk in a shard


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerBudget:
    """Amount of training data, and size of the latents.

    frames: number of images and of sounds from the training split · steps: optimisation steps of the image decoder
    channels: latent channels per image patch · components: spectral components per audio token
    """

    frames: int = 3000
    steps: int = 800
    channels: int = 8
    components: int = 30

    def configs(self, size: int, full_scale: float = 1.0) -> tuple[ImageTokenizerConfig, AudioTokenizerConfig]:
        """Configurations for images of `size` pixels and sound of `full_scale` (linear amplitude of 0 dBFS)."""
        image = ImageTokenizerConfig(size=size, channels=self.channels)
        return image, AudioTokenizerConfig(full_scale=full_scale, components=self.components)


def fit_tokenizers(
    dataset: Dataset,
    path: Path,
    budget: TokenizerBudget,
    seed: int = 0,
    report: Callable[[str, int, int, dict[str, float]], object] = lambda stage, step, steps, losses: None,
) -> tuple[ImageTokenizer, AudioTokenizer]:
    """The tokenizers in the file `path` (safetensors). If it does not exist, they are fitted and written there.

    report("tokenizers", step, steps, losses) is called after every step of the image decoder. Raises DatasetError if
    the dataset has no training episodes, and CheckpointError if the file is damaged or belongs to other tokenizers.
    """
    image_config, audio_config = budget.configs(dataset.spec.simulator.size, dataset.audio_scale * AUDIO_PEAK)
    if path.exists():
        tensors, _ = checkpoint.load(path)
        image, audio = ImageTokenizer(image_config), AudioTokenizer(audio_config)
        checkpoint.restore(image, tensors, "image", path)
        checkpoint.restore(audio, tensors, "audio", path)
        return image.eval(), audio.eval()

    rgb_NHWC, audio_NES = sample_frames(dataset, budget.frames, seed)
    audio = AudioTokenizer.fit(torch.from_numpy(audio_NES), audio_config)

    def on_step(step: int, loss: float) -> None:
        due = step % 20 == 0 or step == budget.steps
        report("tokenizers", step, budget.steps, {"loss": loss} if due else {})

    image = ImageTokenizer.fit(torch.from_numpy(rgb_NHWC), image_config, steps=budget.steps, seed=seed, on_step=on_step)
    tensors = checkpoint.prefixed("image", image.state_dict()) | checkpoint.prefixed("audio", audio.state_dict())
    note = {"image": checkpoint.as_json(image_config), "audio": checkpoint.as_json(audio_config)}
    checkpoint.save(path, tensors, note)
    return image, audio


def sample_frames(dataset: Dataset, count: int, seed: int, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """About `count` frames, uint8 (N, H, W, 3), and their sounds, float32 (N, 2, 2400) in linear units.

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
    rgb, audio = [], []
    for ref in [refs[i] for i in rng.permutation(len(refs))[: max(1, count // SPAN)]]:
        spans = range(0, ref.steps + 1, SPAN)
        for start in sorted(rng.choice(spans, min(per_episode, len(spans)), replace=False).tolist()):
            rows = dataset.read(ref, ("rgb", "audio"), start, min(start + SPAN, ref.steps + 1))
            rgb.append(rows["rgb"])
            audio.append(rows["audio"].astype(np.float32) * np.float32(dataset.audio_scale))
    return np.concatenate(rgb), np.concatenate(audio)
