"""Stable Diffusion's image autoencoder through diffusers, from a local folder or the Hub, as in the paper.

`--image-tokenizer sd-vae:PATH` names a folder that `AutoencoderKL.save_pretrained` wrote (or a Stable Diffusion with
such a folder `vae`), and `sd-vae` the weights of sd-vae-ft-mse on the Hub. They are not trained. A model that is
trained with them has them in its checkpoint, so that loading it needs diffusers, but neither the folder nor the Hub.

Shapes: N images · H W pixels or latent · C channels.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avw.model.tokenizers.protocol import refuse_other_sizes
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.storage.small_files import as_object, parse_json

HUB_NAME = "stabilityai/sd-vae-ft-mse"


@dataclass(frozen=True, kw_only=True, slots=True)
class SdVaeConfig:
    """size: pixels, square images · architecture: configuration of AutoencoderKL, JSON"""

    size: int
    architecture: str

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a latent."""
        values = architecture_of(self.architecture)
        reduction = 2 ** (len(values["block_out_channels"]) - 1)
        if self.size % reduction:
            raise UsageError(f"images of {self.size} pixels cannot be reduced by {reduction}: choose a multiple")
        return self.size // reduction, self.size // reduction, int(values["latent_channels"])


def architecture_of(text: str) -> dict[str, Any]:
    """The configuration of an AutoencoderKL that a checkpoint stores.

    Raises ValueError for what is none, and for sizes with which a malicious file could ask for any amount of memory.
    """
    values = as_object(parse_json(text))
    for name, value in values.items():
        items = value if isinstance(value, list) else [value]
        most = 16 if name == "layers_per_block" else 4096
        if len(items) > 16 or any(isinstance(item, dict | list) for item in items):
            raise ValueError(f"architecture.{name} is not that of an AutoencoderKL")
        if any(isinstance(item, int) and not 0 <= item <= most for item in items):
            raise ValueError(f"architecture.{name} is {value}: expected 0 to {most}")
    return values


class SdVaeTokenizer(nn.Module):
    """Encodes images as the mean of their latent distribution times `scaling_factor`, and decodes latents."""

    def __init__(self, config: SdVaeConfig) -> None:
        super().__init__()
        self.config = config
        values = architecture_of(config.architecture)
        self.vae = _autoencoder().from_config(values)
        self.scale = float(values.get("scaling_factor", 0.18215))

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of a latent."""
        return self.config.latent_shape

    @torch.no_grad()
    def encode(self, rgb_NHWC: Tensor) -> Tensor:
        """uint8 (N, size, size, 3) -> float32 (N, H, W, C). Raises UsageError for another size."""
        refuse_other_sizes(rgb_NHWC, self.config.size)
        x_NCHW = rgb_NHWC.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        parts = [self.vae.encode(part).latent_dist.mode() for part in x_NCHW.split(16)]
        return (torch.cat(parts) * self.scale).permute(0, 2, 3, 1).contiguous()

    @torch.no_grad()
    def decode(self, latent_NHWC: Tensor) -> Tensor:
        """float32 (N, H, W, C) -> uint8 (N, size, size, 3)."""
        parts = [self.reconstruct(part) for part in latent_NHWC.float().split(16)]
        return (torch.cat(parts).clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)

    def reconstruct(self, latent_NHWC: Tensor) -> Tensor:
        """Differentiable `decode`: float (N, size, size, 3), about 0 to 1, not clamped."""
        found = self.vae.decode(latent_NHWC.permute(0, 3, 1, 2) / self.scale).sample
        return 0.5 + 0.5 * found.permute(0, 2, 3, 1)


def sd_vae_config(place: str, size: int) -> SdVaeConfig:
    """The configuration of the autoencoder in a folder, or on the Hub ("").

    Raises UsageError for a folder without one, and if diffusers is missing.
    """
    kind = _autoencoder()
    try:
        values = kind.load_config(place or HUB_NAME, **_inside(place))
    except (OSError, ValueError) as error:
        raise UsageError(f"--image-tokenizer {_named(place)}: {_first_line(error)}") from error
    if values.get("_class_name") not in (None, "AutoencoderKL"):
        raise UsageError(f"--image-tokenizer {_named(place)}: a {values['_class_name']}, not an AutoencoderKL")
    kept = {name: value for name, value in values.items() if not name.startswith("_")}
    return SdVaeConfig(size=size, architecture=json.dumps(kept, sort_keys=True))


def load_sd_vae(place: str, config: SdVaeConfig) -> SdVaeTokenizer:
    """The autoencoder with its weights, which are read from safetensors only. Raises UsageError if there are none."""
    tokenizer = SdVaeTokenizer(config)
    options = {"use_safetensors": True, "low_cpu_mem_usage": False, **_inside(place)}
    try:
        loaded = _autoencoder().from_pretrained(place or HUB_NAME, **options)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--image-tokenizer {_named(place)}: {_first_line(error)}. The weights must be a .safetensors file"
        ) from error
    tokenizer.vae.load_state_dict(loaded.state_dict())
    return tokenizer.eval().requires_grad_(False)


def _inside(place: str) -> dict[str, str]:
    """A whole Stable Diffusion has its autoencoder in the folder vae."""
    whole = bool(place) and not (Path(place) / "config.json").exists() and (Path(place) / "vae").is_dir()
    return {"subfolder": "vae"} if whole else {}


def _named(place: str) -> str:
    return f"sd-vae:{place}" if place else "sd-vae"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__


def _autoencoder() -> Any:
    """diffusers.AutoencoderKL. Raises UsageError if diffusers is not installed."""
    try:
        return importlib.import_module("diffusers").AutoencoderKL
    except ImportError as error:
        raise UsageError(
            "the image tokenizer sd-vae needs diffusers, which is not installed; type: pip install 'avw[diffusers]'"
        ) from error
