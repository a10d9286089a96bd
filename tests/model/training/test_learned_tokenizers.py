"""A training with the tokenizers kl and codec, which `avw train` fits; and where they do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from avw.avw4k.reading.dataset import Dataset
from avw.model.sound_memory import SoundHistory, heard_features
from avw.model.tokenizers.audio import AudioTokenizer, AudioTokenizerConfig
from avw.model.tokenizers.budget import TokenizerBudget
from avw.model.tokenizers.codec import CodecConfig, SoundCodec
from avw.model.tokenizers.fit import fit_tokenizers
from avw.model.tokenizers.kept import save_kept
from avw.model.tokenizers.kl_image import KlImageConfig, KlImageTokenizer
from avw.model.training.configuration.presets import preset
from avw.model.training.train import train
from avw.model.world_model import WorldModel
from avw.sim_bridge.errors import AvwError, CheckpointError, UsageError

SMALL = [
    "net.width=32", "net.depth=1", "net.heads=2", "tokenizers.image=kl", "tokenizers.audio=codec",
    "tokenizers.learned_steps=4", "tokenizers.image_width=16", "tokenizers.audio_width=4", "tokenizers.frames=40",
    "reward_contexts=2", "reward_targets=2", "compositor_steps=0",
]  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("tokenizers.image=kl", "kl cannot encode a reprojected or turned image.*net.prior=none"),
        ("tokenizers.audio=mp3", "expected cues, codec"),
        ("tokenizers.audio=codec:", "expected cues, codec, or KIND:PATH"),
        ("tokenizers.audio=codec:missing.safetensors", "missing.safetensors: this file does not exist"),
    ],
)
def test_tokenizers_that_do_not_fit_are_refused(dataset: Dataset, setting: str, message: str) -> None:
    with pytest.raises(AvwError, match=message):
        preset("nano", dataset, settings=[setting])


def test_the_latents_are_those_of_the_tokenizers(dataset: Dataset) -> None:
    net = preset("S", dataset, settings=["tokenizers.image=kl", "tokenizers.audio=codec", "tokenizers.hop=80"]).net
    assert (net.latent_size, net.latent_channels) == (4, 4)
    assert (net.audio_tokens, net.audio_channels) == (30, 24)


def test_tokenizers_of_files_are_used_as_they_are(dataset: Dataset, tmp_path: Path) -> None:
    size, full_scale = dataset.spec.simulator.size, dataset.spec.audio_full_scale
    image, audio = KlImageTokenizer(KlImageConfig(size=size, width=16)), SoundCodec(CodecConfig(full_scale=9, width=4))
    save_kept(tmp_path / "kl.safetensors", "image", image, {})
    save_kept(tmp_path / "codec.safetensors", "audio", audio, {})
    budget = TokenizerBudget(
        image=f"kl:{tmp_path / 'kl.safetensors'}", audio=f"codec:{tmp_path / 'codec.safetensors'}", frames=16
    )
    found = fit_tokenizers(dataset, tmp_path / "run" / "tokenizers.safetensors", budget)
    for wanted, part in ((image, found.image), (audio, found.audio)):
        assert all(torch.equal(tensor, part.state_dict()[name]) for name, tensor in wanted.state_dict().items())
    assert found.audio.config.full_scale == full_scale
    # The tokenizers of a run are such files too.
    again = TokenizerBudget(image=f"kl:{tmp_path / 'run' / 'tokenizers.safetensors'}")
    assert again.configs(size).image == image.config
    with pytest.raises(UsageError, match="is of images of 32 pixels, and those of the dataset have 64"):
        again.configs(64)
    with pytest.raises(UsageError, match="the tokenizer in this file is codec"):
        replace(budget, audio=budget.audio.replace("codec:", "cues:")).configs(size)
    image.config = replace(image.config, width=40_000)  # 58 GB for one layer
    save_kept(tmp_path / "large.safetensors", "image", image, {})
    large = replace(budget, image=f"kl:{tmp_path / 'large.safetensors'}")
    with pytest.raises(CheckpointError, match="belongs to a model of another size"):
        fit_tokenizers(dataset, tmp_path / "large" / "tokenizers.safetensors", large)
    with pytest.raises(UsageError, match="the file has no image tokenizer"):
        replace(budget, image=budget.audio.replace("codec:", "kl:")).configs(size)
    with pytest.raises(UsageError, match=r"this is a folder; name the file in it, .*run/tokenizers\.safetensors"):
        replace(budget, image=f"kl:{tmp_path / 'run'}").configs(size)
    (tmp_path / "other.safetensors").write_text("of another program")
    with pytest.raises(UsageError, match=r"kl:.*other\.safetensors: not a checkpoint of AVW"):
        replace(budget, image=f"kl:{tmp_path / 'other.safetensors'}").configs(size)


def test_the_sound_memory_reads_the_level_of_every_tokenizer() -> None:
    sounds_NES = 10.0 ** -torch.arange(4.0)[:, None, None] * torch.randn(4, 2, 2400)
    codec = SoundCodec(CodecConfig(width=4, channels=8))
    codec.std_D[0], codec.mean_D[0] = 0.7, -1.2
    for tokenizer in (codec, AudioTokenizer.fit(sounds_NES, AudioTokenizerConfig(components=2))):
        latent_NAD = tokenizer.encode(sounds_NES)
        A, D = tokenizer.latent_shape
        history = SoundHistory(latent_NAD[None], torch.zeros(1, 4, 3), torch.arange(4.0)[None])
        features_NF = heard_features(history)[0]
        level_NA = tokenizer.levels(latent_NAD)
        slope = (level_NA[1:] - level_NA[:-1]) / (features_NF[1:, D:] - features_NF[:-1, D:])
        torch.testing.assert_close(slope, slope[:1, :1].expand(3, A), rtol=1e-3, atol=0)


@pytest.mark.slow
def test_a_model_is_trained_on_their_latents_and_loaded(dataset: Dataset, tmp_path: Path) -> None:
    settings = [*SMALL, "net.prior=none", "tokenizers.depth_channels=0", "net.sound_memory=8"]
    config = preset("nano", dataset, steps=[2, 1, 2], contexts=2, settings=settings)
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
