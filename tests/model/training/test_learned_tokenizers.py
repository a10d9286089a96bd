"""A training with the tokenizers kl and codec, which `avw train` fits; and where they do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from avw.avw4k.reading.dataset import Dataset
from avw.model.tokenizers.codec import SoundCodec
from avw.model.tokenizers.kl_image import KlImageTokenizer
from avw.model.training.presets import preset
from avw.model.training.train import train
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import UsageError

SMALL = [
    "net.width=32", "net.depth=1", "net.heads=2", "tokenizers.image=kl", "tokenizers.audio=codec",
    "tokenizers.learned_steps=4", "tokenizers.image_width=16", "tokenizers.audio_width=4", "tokenizers.frames=40",
    "reward_contexts=2", "reward_targets=2", "compositor_steps=0",
]  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("tokenizers.image=kl", "kl cannot encode a reprojected or turned image.*net.prior=none"),
        ("tokenizers.audio=codec", "codec does not have.*net.sound_memory=0"),
        ("tokenizers.audio=mp3", "expected cues or codec"),
    ],
)
def test_the_memory_of_nano_needs_linear_codes(dataset: Dataset, setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        preset("nano", dataset, settings=[setting])


def test_the_latents_are_those_of_the_tokenizers(dataset: Dataset) -> None:
    net = preset("S", dataset, settings=["tokenizers.image=kl", "tokenizers.audio=codec", "tokenizers.hop=80"]).net
    assert (net.latent_size, net.latent_channels) == (4, 4)
    assert (net.audio_tokens, net.audio_channels) == (30, 24)


@pytest.mark.slow
def test_a_model_is_trained_on_their_latents_and_loaded(dataset: Dataset, tmp_path: Path) -> None:
    config = preset("S", dataset, steps=[2, 1, 2], contexts=2, settings=SMALL)
    seen: set[str] = set()
    train(dataset, tmp_path, config, report=lambda name, step, steps, losses: seen.add(name))
    assert {"image tokenizer", "codec", "1", "2", "3"} <= seen
    assert not list(tmp_path.glob("tokenizers-*"))  # what only an interrupted fit needs
    model = WorldModel.load(tmp_path)
    assert isinstance(model.image, KlImageTokenizer)
    assert isinstance(model.audio, SoundCodec)
    rows = dataset.read(dataset.episodes("test")[0], ["rgb", "audio"])
    rgb = torch.from_numpy(rows["rgb"][:2])
    assert model.image.decode(model.image.encode(rgb)).shape == rgb.shape
    assert model.audio.decode(torch.zeros(2, *model.audio.latent_shape)).shape == (2, 2, 2400)
