"""Fits the tokenizers on the training split of a dataset, with frames and sounds sampled from all its episodes."""

from __future__ import annotations

import json
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
from avw.model.tokenizers.codec import CodecConfig, SoundCodec
from avw.model.tokenizers.depth import DepthTokenizer, DepthTokenizerConfig
from avw.model.tokenizers.image import ImageTokenizer, ImageTokenizerConfig
from avw.model.tokenizers.kl_image import KlImageConfig, KlImageTokenizer
from avw.model.tokenizers.learned import Progress
from avw.model.tokenizers.protocol import ImageCoder, OnStep, SoundCoder
from avw.model.tokenizers.sd_vae import SdVaeConfig, SdVaeTokenizer, load_sd_vae, sd_vae_config
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.sim_bridge.errors import DatasetError, UsageError
from avw.sim_bridge.randomness import keyed_rng

IMAGE_KINDS, AUDIO_KINDS = ("pca", "kl", "sd-vae"), ("cues", "codec")
SPAN = 8  # consecutive steps that are read together, about the size of a compressed chunk in a shard


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerBudget:
    """Amount of training data, and size of the latents.

    frames: number of images and of sounds from the training split · steps: optimisation steps of the image decoder
    channels: latent channels per image patch · components: spectral components per audio token
    depth_channels: latent channels per patch of log depth; 0 for a model of images without depth
    image: tokenizer of images: pca, kl, sd-vae or sd-vae:PATH · audio: of sounds: cues or codec
    learned_steps: optimisation steps of kl and codec · image_width, audio_width: of their layers
    hop: samples per token of codec, 160, 80 or 40
    """

    frames: int = 3000
    steps: int = 800
    channels: int = 8
    components: int = 30
    depth_channels: int = 0
    image: str = "pca"
    audio: str = "cues"
    learned_steps: int = 20_000
    image_width: int = 128
    audio_width: int = 24
    hop: int = 160

    def __post_init__(self) -> None:
        if self.image.partition(":")[0] not in IMAGE_KINDS or (":" in self.image and self.image[:7] != "sd-vae:"):
            raise UsageError(f"image tokenizer {self.image!r}: expected pca, kl, sd-vae or sd-vae:PATH")
        if self.audio not in AUDIO_KINDS:
            raise UsageError(f"audio tokenizer {self.audio!r}: expected {' or '.join(AUDIO_KINDS)}")

    def configs(self, size: int, full_scale: float = 1.0) -> TokenizerConfigs:
        """Configurations for images of `size` pixels and sound of `full_scale` (linear amplitude of 0 dBFS)."""
        image: ImageConfig = ImageTokenizerConfig(size=size, channels=self.channels)
        if self.image == "kl":
            image = KlImageConfig(size=size, width=self.image_width)
        elif self.image != "pca":
            image = sd_vae_config(self.image[7:], size)
        audio: AudioConfig = AudioTokenizerConfig(full_scale=full_scale, components=self.components)
        if self.audio == "codec":
            audio = CodecConfig(full_scale=full_scale, hop=self.hop, width=self.audio_width)
        depth = DepthTokenizerConfig(size=size, channels=self.depth_channels) if self.depth_channels else None
        return TokenizerConfigs(image, audio, depth)


ImageConfig = ImageTokenizerConfig | KlImageConfig | SdVaeConfig
AudioConfig = AudioTokenizerConfig | CodecConfig
MODULES: dict[type, Any] = {
    ImageTokenizerConfig: ImageTokenizer, KlImageConfig: KlImageTokenizer, SdVaeConfig: SdVaeTokenizer,
    AudioTokenizerConfig: AudioTokenizer, CodecConfig: SoundCodec,
}  # fmt: skip
KIND = "kind"
KINDS: dict[type, str] = {KlImageConfig: "kl", SdVaeConfig: "sd-vae", CodecConfig: "codec"}
OF: dict[type, str] = {KlImageConfig: "image", SdVaeConfig: "image", CodecConfig: "audio"}


@dataclass(frozen=True, slots=True)
class TokenizerConfigs:
    """depth: None for a model of images without depth."""

    image: ImageConfig
    audio: AudioConfig
    depth: DepthTokenizerConfig | None

    @property
    def vision_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a visual latent."""
        h, w, channels = self.image.latent_shape
        return h, w, channels + (self.depth.channels if self.depth is not None else 0)

    def empty(self) -> Tokenizers:
        """Tokenizers that are not fitted, to restore a checkpoint into."""
        depth = None if self.depth is None else DepthTokenizer(self.depth)
        return Tokenizers(_module(self.image).eval(), _module(self.audio).eval(), depth)

    def outlines(self) -> dict[str, torch.nn.Module]:
        """Those parts whose size the configuration decides, on the current device (meta: without memory)."""
        depth = {} if self.depth is None else {"depth": DepthTokenizer(self.depth)}
        audio = {"audio": SoundCodec(self.audio)} if isinstance(self.audio, CodecConfig) else {}
        return {"image": _module(self.image), **audio, **depth}

    def as_json(self) -> dict[str, Any]:
        """Configuration of each tokenizer by its name in checkpoints. Those of other kinds than pca and cues say so."""
        named = {"image": self.image, "audio": self.audio, "depth": self.depth}
        return {
            name: checkpoint.as_json(config) | ({KIND: KINDS[type(config)]} if type(config) in KINDS else {})
            for name, config in named.items()
            if config is not None
        }

    @classmethod
    def from_json(cls, note: dict[str, Any]) -> TokenizerConfigs:
        """The configurations in the note of a checkpoint."""
        depth = note.get("depth")
        return cls(
            _configured(note["image"], "image", ImageTokenizerConfig),
            _configured(note["audio"], "audio", AudioTokenizerConfig),
            None if depth is None else checkpoint.configured(DepthTokenizerConfig, depth, "depth"),
        )


def _module(config: Any) -> Any:
    """The tokenizer of a configuration, not fitted."""
    return MODULES[type(config)](config)


def _configured(values: Any, where: str, plain: type[Any]) -> Any:
    """The configuration of a tokenizer in a note. Raises ValueError for a kind that is not one of `where`."""
    if not isinstance(values, dict) or KIND not in values:
        return checkpoint.configured(plain, values, where)
    rest = dict(values)
    kind = rest.pop(KIND)
    found = next((config for config, name in KINDS.items() if name == kind and OF[config] == where), None)
    if found is None:
        raise ValueError(f"{where}.{KIND} is {kind!r}: this version has no such tokenizer")
    return checkpoint.configured(found, rest, where)


def fit_tokenizers(
    dataset: Dataset,
    path: Path,
    budget: TokenizerBudget,
    seed: int = 0,
    report: Callable[[str, int, int, dict[str, float]], object] = lambda stage, step, steps, losses: None,
) -> Tokenizers:
    """The tokenizers in the file `path` (safetensors). If it does not exist, they are fitted and written there.

    report(name, step, steps, losses) is called after every step of a tokenizer that is trained. Raises DatasetError if
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

    fit = Fit(budget, path, seed, report)
    fitted = Tokenizers(
        audio=fit.audio(torch.from_numpy(sampled["audio"]), configs.audio),
        depth=DepthTokenizer.fit(torch.from_numpy(sampled["depth"]), configs.depth) if configs.depth else None,
        image=fit.image(torch.from_numpy(sampled["rgb"]), configs.image),
    )
    parts = fitted.parts().items()
    tensors = {k: v for name, part in parts for k, v in checkpoint.prefixed(name, part.state_dict()).items()}
    checkpoint.save(path, tensors, configs.as_json())
    fit.remove()
    return fitted


class Fit:
    """Fits the image and the audio tokenizer. What is trained step by step continues from where it was interrupted."""

    def __init__(
        self, budget: TokenizerBudget, path: Path, seed: int,
        report: Callable[[str, int, int, dict[str, float]], object],
    ) -> None:  # fmt: skip
        self.budget, self.path, self.seed, self.report = budget, path, seed, report

    def image(self, rgb_NHWC: torch.Tensor, config: ImageConfig) -> ImageCoder:
        budget = self.budget
        if isinstance(config, SdVaeConfig):
            return load_sd_vae(budget.image[7:], config)
        if isinstance(config, KlImageConfig):
            return KlImageTokenizer.fit(
                rgb_NHWC, config, steps=budget.learned_steps, seed=self.seed, progress=self.progress("image", config),
                on_step=self.on_step("image tokenizer", budget.learned_steps),
            )  # fmt: skip
        return ImageTokenizer.fit(
            rgb_NHWC, config, steps=budget.steps, seed=self.seed, progress=self.progress("image", config),
            on_step=self.on_step("tokenizers", budget.steps),
        )  # fmt: skip

    def audio(self, audio_NES: torch.Tensor, config: AudioConfig) -> SoundCoder:
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
