"""What a training spends on its tokenizers, and which ones they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from avw.model.tokenizers.audio import AudioTokenizerConfig
from avw.model.tokenizers.codec import CodecConfig
from avw.model.tokenizers.configs import AudioConfig, ImageConfig, TokenizerConfigs
from avw.model.tokenizers.depth import DepthTokenizerConfig
from avw.model.tokenizers.image import ImageTokenizerConfig
from avw.model.tokenizers.kept import kept_config
from avw.model.tokenizers.kl_image import KlImageConfig
from avw.model.tokenizers.sd_vae import sd_vae_config
from avw.sim_bridge.errors import UsageError

IMAGE_KINDS, AUDIO_KINDS = ("pca", "kl", "sd-vae"), ("cues", "codec")


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerBudget:
    """Amount of training data, and size of the latents.

    frames: number of images and of sounds from the training split · steps: optimisation steps of the image decoder
    channels: latent channels per image patch · components: spectral components per audio token
    depth_channels: latent channels per patch of log depth; 0 for a model of images without depth
    image: tokenizer of images: pca, kl or sd-vae · audio: of sounds: cues or codec. With :PATH, the one in a file (of
        sd-vae: in a folder), which is used as it is
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
        for name, chosen, kinds in (("image", self.image, IMAGE_KINDS), ("audio", self.audio, AUDIO_KINDS)):
            kind, colon, place = chosen.partition(":")
            if kind not in kinds or bool(colon) != bool(place):
                raise UsageError(f"{name} tokenizer {chosen!r}: expected {', '.join(kinds)}, or KIND:PATH")

    @property
    def image_kind(self) -> str:
        return self.image.partition(":")[0]

    @property
    def audio_kind(self) -> str:
        return self.audio.partition(":")[0]

    @property
    def image_file(self) -> Path | None:
        """The file that the image tokenizer is taken from."""
        place = self.image.partition(":")[2]
        return Path(place) if place and self.image_kind != "sd-vae" else None

    @property
    def audio_file(self) -> Path | None:
        """The file that the audio tokenizer is taken from."""
        place = self.audio.partition(":")[2]
        return Path(place) if place else None

    def configs(self, size: int, full_scale: float = 1.0) -> TokenizerConfigs:
        """Configurations for images of `size` pixels and sound of `full_scale` (linear amplitude of 0 dBFS).

        Raises UsageError for a file with a tokenizer of another kind or of images of another size.
        """
        depth = DepthTokenizerConfig(size=size, channels=self.depth_channels) if self.depth_channels else None
        return TokenizerConfigs(self._image(size), self._audio(full_scale), depth)

    def _image(self, size: int) -> ImageConfig:
        if self.image_file is not None:
            config: ImageConfig = kept_config(self.image_file, "image", self.image_kind)
            if config.size != size:
                raise UsageError(
                    f"--image-tokenizer {self.image}: the tokenizer is of images of {config.size} pixels, and those of "
                    f"the dataset have {size}"
                )
            return config
        if self.image_kind == "kl":
            return KlImageConfig(size=size, width=self.image_width)
        if self.image_kind == "sd-vae":
            return sd_vae_config(self.image.partition(":")[2], size)
        return ImageTokenizerConfig(size=size, channels=self.channels)

    def _audio(self, full_scale: float) -> AudioConfig:
        if self.audio_file is not None:
            config: AudioConfig = kept_config(self.audio_file, "audio", self.audio_kind)
            return replace(config, full_scale=full_scale)  # levels are relative to it
        if self.audio_kind == "codec":
            return CodecConfig(full_scale=full_scale, hop=self.hop, width=self.audio_width)
        return AudioTokenizerConfig(full_scale=full_scale, components=self.components)
