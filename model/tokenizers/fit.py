"""Fit both tokenizers on a dataset's training split: frames and sounds drawn evenly over all its episodes."""

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

SPAN = 8  # consecutive steps read at once: shards are compressed in chunks of that order


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerBudget:
    """How much the tokenizers see, and how large their latents are.

    frames: read from the training split, of both modalities · steps: optimisation steps of the image decoder
    channels: numbers an image patch · components: spectral components an audio token
    """

    frames: int = 3000
    steps: int = 800
    channels: int = 8
    components: int = 30

    def configs(self, size: int, full_scale: float = 1.0) -> tuple[ImageTokenizerConfig, AudioTokenizerConfig]:
        """The tokenizers of a dataset of `size` pixels and sounds of `full_scale` (linear amplitude of 0 dBFS)."""
        image = ImageTokenizerConfig(size=size, channels=self.channels)
        return image, AudioTokenizerConfig(full_scale=full_scale, components=self.components)


def fit_tokenizers(
    dataset: Dataset,
    path: Path,
    budget: TokenizerBudget,
    seed: int = 0,
    report: Callable[[str, int, int, dict[str, float]], object] = lambda stage, step, steps, losses: None,
) -> tuple[ImageTokenizer, AudioTokenizer]:
    """The tokenizers in `path` (safetensors); fitted on the training split and written there if it does not exist.

    report("tokenizers", step, steps, losses) is called after every step of the image decoder. Raises DatasetError for
    a dataset without training episodes, CheckpointError for a file of other tokenizers or one that is damaged.
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

    Short runs of steps from every episode in turn, their places drawn by `seed`; fewer where the split has no more.
    """
    refs = dataset.episodes(split)
    if not refs:
        raise DatasetError(
            f"{dataset.path}: no committed episode in its {split} split, so no tokenizer can be fitted. Generate more "
            "scenes (at least 3 give every split one), or finish the dataset: avw generate"
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
