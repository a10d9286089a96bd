"""The configurations of a model's tokenizers: which kinds there are, and how a checkpoint stores them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from avw.model import checkpoint
from avw.model.tokenizers.audio import AudioTokenizer, AudioTokenizerConfig
from avw.model.tokenizers.codec import CodecConfig, SoundCodec
from avw.model.tokenizers.depth import DepthTokenizer, DepthTokenizerConfig
from avw.model.tokenizers.image import ImageTokenizer, ImageTokenizerConfig
from avw.model.tokenizers.kl_image import KlImageConfig, KlImageTokenizer
from avw.model.tokenizers.sd_vae import SdVaeConfig, SdVaeTokenizer
from avw.model.tokenizers.tokenizers import Tokenizers

ImageConfig = ImageTokenizerConfig | KlImageConfig | SdVaeConfig
AudioConfig = AudioTokenizerConfig | CodecConfig
MODULES: dict[type, Any] = {
    ImageTokenizerConfig: ImageTokenizer, KlImageConfig: KlImageTokenizer, SdVaeConfig: SdVaeTokenizer,
    AudioTokenizerConfig: AudioTokenizer, CodecConfig: SoundCodec,
}  # fmt: skip
PLAIN: dict[str, type] = {"image": ImageTokenizerConfig, "audio": AudioTokenizerConfig}
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
        return {name: noted(config) for name, config in named.items() if config is not None}

    @classmethod
    def from_json(cls, note: dict[str, Any]) -> TokenizerConfigs:
        """The configurations in the note of a checkpoint."""
        depth = note.get("depth")
        return cls(
            from_note(note["image"], "image"),
            from_note(note["audio"], "audio"),
            None if depth is None else checkpoint.configured(DepthTokenizerConfig, depth, "depth"),
        )


def _module(config: Any) -> Any:
    """The tokenizer of a configuration, not fitted."""
    return MODULES[type(config)](config)


def noted(config: Any) -> dict[str, Any]:
    """The configuration of a tokenizer in the note of a checkpoint."""
    return checkpoint.as_json(config) | ({KIND: KINDS[type(config)]} if type(config) in KINDS else {})


def from_note(values: Any, where: str) -> Any:
    """The configuration of a tokenizer in a note. Raises ValueError for a kind that is not one of `where`."""
    if not isinstance(values, dict) or KIND not in values:
        return checkpoint.configured(PLAIN[where], values, where)
    rest = dict(values)
    kind = rest.pop(KIND)
    found = next((config for config, name in KINDS.items() if name == kind and OF[config] == where), None)
    if found is None:
        raise ValueError(f"{where}.{KIND} is {kind!r}: this version has no such tokenizer")
    return checkpoint.configured(found, rest, where)
