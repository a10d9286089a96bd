"""Stable Diffusion's autoencoder: a tiny one, saved by diffusers, is loaded, used and stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from avw.model import checkpoint
from avw.model.tokenizers.budget import TokenizerBudget
from avw.model.tokenizers.configs import TokenizerConfigs
from avw.model.tokenizers.sd_vae import load_sd_vae, sd_vae_config
from avw.sim_bridge.errors import UsageError

REASON = "diffusers is not installed: pip install 'avw[diffusers]'"


def tiny() -> Any:
    diffusers = pytest.importorskip("diffusers", reason=REASON)
    torch.manual_seed(0)
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 16, 16), layers_per_block=1, norm_num_groups=4, sample_size=32,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, scaling_factor=0.2,
    )  # fmt: skip


@pytest.mark.parametrize("inside", ["", "vae"])
def test_a_saved_autoencoder_is_the_tokenizer(inside: str, tmp_path: Path) -> None:
    vae = tiny()
    vae.save_pretrained(tmp_path / inside)
    config = TokenizerBudget(image=f"sd-vae:{tmp_path}").configs(32).image
    assert config == sd_vae_config(str(tmp_path), 32)
    assert config.latent_shape == (4, 4, 4)
    tokenizer = load_sd_vae(str(tmp_path), config)
    rgb = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    latent = tokenizer.encode(rgb)
    with torch.no_grad():
        x = rgb.permute(0, 3, 1, 2).float() / 127.5 - 1
        wanted = vae.encode(x).latent_dist.mode() * 0.2
        decoded = vae.decode(wanted / 0.2).sample
    torch.testing.assert_close(latent.permute(0, 3, 1, 2), wanted)
    image = ((0.5 + 0.5 * decoded).clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    assert int((tokenizer.decode(latent).int() - image.int()).abs().max()) <= 1
    assert not any(parameter.requires_grad for parameter in tokenizer.parameters())


def test_a_checkpoint_has_the_autoencoder(tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path)
    configs = TokenizerBudget(image=f"sd-vae:{tmp_path}").configs(32)
    tokenizer = load_sd_vae(str(tmp_path), configs.image)
    path = tmp_path / "model.safetensors"
    checkpoint.save(path, checkpoint.prefixed("image", tokenizer.state_dict()), configs.as_json())
    tensors, note = checkpoint.load(path)
    assert note["image"]["kind"] == "sd-vae"
    again = TokenizerConfigs.from_json(note).empty()
    checkpoint.restore(again.parts()["image"], tensors, "image", path)
    rgb = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8)
    assert torch.equal(again.image.encode(rgb), tokenizer.encode(rgb))


def test_a_folder_without_an_autoencoder_is_named(tmp_path: Path) -> None:
    pytest.importorskip("diffusers", reason=REASON)
    with pytest.raises(UsageError, match="--image-tokenizer sd-vae:"):
        sd_vae_config(str(tmp_path), 32)
    tiny().save_pretrained(tmp_path, safe_serialization=False)  # pickled weights
    with pytest.raises(UsageError, match=r"must be a \.safetensors file"):
        load_sd_vae(str(tmp_path), sd_vae_config(str(tmp_path), 32))


def test_without_diffusers_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    with pytest.raises(UsageError, match=r"pip install 'avw\[diffusers\]'"):
        sd_vae_config("", 32)


@pytest.mark.parametrize("name", ["vqgan", "pca:", "sd-vae2"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="expected pca, kl, sd-vae, or KIND:PATH"):
        TokenizerBudget(image=name)
