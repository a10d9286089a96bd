"""Fits the tokenizers on the training split of a dataset, with frames and sounds sampled from all its episodes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avw.avw4k.plan.episode import AUDIO_PEAK, DEPTH_UNITS
from avw.avw4k.reading.dataset import Dataset
from avw.model import checkpoint
from avw.model.tokenizers.audio import AudioTokenizer
from avw.model.tokenizers.budget import TokenizerBudget
from avw.model.tokenizers.codec import CodecConfig, SoundCodec
from avw.model.tokenizers.configs import AudioConfig, ImageConfig
from avw.model.tokenizers.depth import DepthTokenizer
from avw.model.tokenizers.image import ImageTokenizer
from avw.model.tokenizers.kept import load_kept
from avw.model.tokenizers.kl_image import KlImageConfig, KlImageTokenizer
from avw.model.tokenizers.learned import Progress
from avw.model.tokenizers.protocol import CPU, ImageCoder, OnStep, SoundCoder
from avw.model.tokenizers.sd_vae import SdVaeConfig, load_sd_vae
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.sim_bridge.errors import DatasetError
from avw.sim_bridge.randomness import keyed_rng

SPAN = 8  # consecutive steps that are read together, about the size of a compressed chunk in a shard


def fit_tokenizers(
    dataset: Dataset,
    path: Path,
    budget: TokenizerBudget,
    seed: int = 0,
    report: Callable[[str, int, int, dict[str, float]], object] = lambda stage, step, steps, losses: None,
    device: torch.device = CPU,
) -> Tokenizers:
    """The tokenizers in the file `path` (safetensors). If it does not exist, they are fitted and written there.

    device: where `kl` and `codec` are trained, and where the tokenizers are then
    report(name, step, steps, losses) is called after every step of a tokenizer that is trained. Raises DatasetError if
    the dataset has no training episodes, and CheckpointError if the file is damaged or belongs to other tokenizers.
    """
    configs = budget.configs(dataset.spec.simulator.size, dataset.audio_scale * AUDIO_PEAK)
    if path.exists():
        tensors, _ = checkpoint.load(path)
        found = configs.empty()
        for name, part in found.parts().items():
            checkpoint.restore(part, tensors, name, path)
        return found.to(device)

    arrays = ("rgb", "audio", *(("depth",) if configs.depth else ()))
    sampled = sample_frames(dataset, budget.frames, seed, arrays=arrays)

    fit = Fit(budget, path, seed, report, device)
    fitted = Tokenizers(
        audio=fit.audio(torch.from_numpy(sampled["audio"]), configs.audio),
        depth=DepthTokenizer.fit(torch.from_numpy(sampled["depth"]), configs.depth) if configs.depth else None,
        image=fit.image(torch.from_numpy(sampled["rgb"]), configs.image),
    )
    parts = fitted.parts().items()
    tensors = {k: v for name, part in parts for k, v in checkpoint.prefixed(name, part.state_dict()).items()}
    checkpoint.save(path, tensors, configs.as_json())
    fit.remove()
    return fitted.to(device)


class Fit:
    """Fits the image and the audio tokenizer. What is trained step by step continues from where it was interrupted."""

    def __init__(
        self, budget: TokenizerBudget, path: Path, seed: int,
        report: Callable[[str, int, int, dict[str, float]], object], device: torch.device,
    ) -> None:  # fmt: skip
        self.budget, self.path, self.seed, self.report, self.device = budget, path, seed, report, device

    def image(self, rgb_NHWC: torch.Tensor, config: ImageConfig) -> ImageCoder:
        budget = self.budget
        if budget.image_file is not None:
            return load_kept(budget.image_file, "image", config)
        if isinstance(config, SdVaeConfig):
            return load_sd_vae(budget.image[7:], config)
        if isinstance(config, KlImageConfig):
            return KlImageTokenizer.fit(
                rgb_NHWC, config, steps=budget.learned_steps, seed=self.seed, progress=self.progress("image", config),
                on_step=self.on_step("image tokenizer", budget.learned_steps), device=self.device,
            )  # fmt: skip
        return ImageTokenizer.fit(
            rgb_NHWC, config, steps=budget.steps, seed=self.seed, progress=self.progress("image", config),
            on_step=self.on_step("tokenizers", budget.steps),
        )  # fmt: skip

    def audio(self, audio_NES: torch.Tensor, config: AudioConfig) -> SoundCoder:
        if self.budget.audio_file is not None:
            return load_kept(self.budget.audio_file, "audio", config)
        if not isinstance(config, CodecConfig):
            return AudioTokenizer.fit(audio_NES, config)
        found = self.path.with_name("tokenizers-audio.safetensors")
        key = json.dumps([checkpoint.as_json(config), self.budget.learned_steps, self.seed])
        if found.exists():  # finished, and the image tokenizer was interrupted
            tensors, note = checkpoint.load(found)
            if note.get("key") == key:
                codec = SoundCodec(config).eval()
                checkpoint.restore(codec, tensors, "audio", found)
                return codec
        codec = SoundCodec.fit(
            audio_NES, config, steps=self.budget.learned_steps, seed=self.seed,
            progress=self.progress("audio", config), on_step=self.on_step("codec", self.budget.learned_steps),
            device=self.device,
        )  # fmt: skip
        checkpoint.save(found, checkpoint.prefixed("audio", codec.state_dict()), {"key": key})
        return codec

    def progress(self, name: str, config: Any) -> Progress:
        key = json.dumps([checkpoint.as_json(config), checkpoint.as_json(self.budget), self.seed])
        return Progress(self.path.with_name(f"tokenizers-{name}-fit.safetensors"), key)

    def on_step(self, name: str, steps: int) -> OnStep:
        def report(step: int, loss: float) -> None:
            due = step % 20 == 0 or step == steps
            self.report(name, step, steps, {"loss": loss} if due else {})

        return report

    def remove(self) -> None:
        """Delete what only an interrupted fit needs."""
        for name in ("image-fit", "audio-fit", "audio"):
            self.path.with_name(f"tokenizers-{name}.safetensors").unlink(missing_ok=True)


def sample_frames(
    dataset: Dataset, count: int, seed: int, split: str = "train", arrays: tuple[str, ...] = ("rgb", "audio")
) -> dict[str, np.ndarray]:
    """About `count` observations: rgb uint8 (N, H, W, 3), audio float32 (N, 2, 2400), depth float32 (N, H, W) metres.

    Takes short spans of steps at random positions, in as many random episodes as are needed (both from `seed`); fewer
    frames if the split is smaller.
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
