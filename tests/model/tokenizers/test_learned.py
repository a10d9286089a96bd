"""The tokenizers that are trained step by step: KL images and the codec. They learn, continue, and are symmetric."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from avw.model.tokenizers.codec import CodecConfig, SoundCodec
from avw.model.tokenizers.codec_losses import interaural, interaural_loss, spectral_loss
from avw.model.tokenizers.image import ImageTokenizer, ImageTokenizerConfig
from avw.model.tokenizers.kl_image import KlImageConfig, KlImageTokenizer
from avw.model.tokenizers.learned import Progress
from avw.sim_bridge.errors import UsageError

IMAGES = KlImageConfig(size=16, width=16)
CODEC = CodecConfig(full_scale=2.0, width=4, channels=8)


def images(count: int = 24, size: int = 16) -> torch.Tensor:
    """Smooth gradients of random colours."""
    generator = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 1, size)
    corners = torch.rand(count, 3, 2, 2, generator=generator)
    found = torch.einsum("ncij,ih,jw->nhwc", corners, torch.stack([1 - ramp, ramp]), torch.stack([1 - ramp, ramp]))
    return (255 * found).round().to(torch.uint8)


def sounds(count: int = 24) -> torch.Tensor:
    """Tones and noise of different level and direction, in linear units."""
    generator = torch.Generator().manual_seed(1)
    time_S = torch.arange(2400) / 16_000
    frequency_N = 200 + 1500 * torch.rand(count, generator=generator)
    tone_NS = torch.sin(2 * torch.pi * frequency_N[:, None] * time_S)
    noise_NS = 0.2 * torch.randn(count, 2400, generator=generator)
    gain_NE1 = 0.02 + torch.rand(count, 2, 1, generator=generator)
    return (tone_NS + noise_NS)[:, None] * gain_NE1


KINDS: dict[str, tuple[Any, Any, Any]] = {
    "kl": (KlImageTokenizer, images, IMAGES),
    "codec": (SoundCodec, sounds, CODEC),
    "pca": (ImageTokenizer, images, ImageTokenizerConfig(size=16, channels=4, width=8, blocks=1)),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_fit_that_continues_gives_the_same_weights(name: str, tmp_path: Path) -> None:
    kind, data, config = KINDS[name]
    whole = kind.fit(data(), config, steps=6, batch=3)

    def stop(step: int, loss: float) -> None:
        if step == 5:
            raise KeyboardInterrupt

    progress = Progress(tmp_path / "fit.safetensors", "one", every=2)
    with pytest.raises(KeyboardInterrupt):
        kind.fit(data(), config, steps=6, batch=3, progress=progress, on_step=stop)
    done: list[int] = []
    again = kind.fit(
        data(), config, steps=6, batch=3, progress=progress, on_step=lambda step, loss: done.append(step)
    )  # fmt: skip
    assert done == [5, 6]
    for key, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key]), key
    other = Progress(tmp_path / "fit.safetensors", "two", every=2)  # of another configuration
    kind.fit(data(), config, steps=6, batch=3, progress=other, on_step=lambda step, loss: done.append(step))
    assert done[2] == 1
    (tmp_path / "fit.safetensors").write_bytes(b"damaged")
    assert kind.fit(data(), config, steps=2, batch=3, progress=other) is not None


def test_the_kl_tokenizer_learns_and_has_whitened_latents() -> None:
    losses: list[float] = []
    tokenizer = KlImageTokenizer.fit(
        images(), IMAGES, steps=150, rate=4e-3, on_step=lambda step, loss: losses.append(loss)
    )
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    latent = tokenizer.encode(images())
    assert latent.shape == (24, *tokenizer.latent_shape) == (24, 2, 2, 4)
    assert float(latent.flatten(0, 2).mean(0).abs().max()) < 1e-4
    torch.testing.assert_close(latent.flatten(0, 2).std(0), torch.ones(4), atol=1e-3, rtol=0)
    assert tokenizer.decode(latent).dtype == torch.uint8
    rgb = tokenizer.reconstruct(latent)
    torch.testing.assert_close((rgb.clamp(0, 1) * 255).round().to(torch.uint8), tokenizer.decode(latent))
    with pytest.raises(UsageError, match=r"expects images \(N, 16, 16, 3\)"):
        tokenizer.encode(torch.zeros(1, 24, 24, 3, dtype=torch.uint8))


@pytest.mark.parametrize("hop", [160, 80, 40])
def test_the_codec_has_the_tokens_of_its_hop(hop: int) -> None:
    codec = SoundCodec(CodecConfig(hop=hop, width=4, channels=8))
    latent = codec.encode(sounds(3))
    assert latent.shape == (3, *codec.latent_shape) == (3, 2400 // hop, 8)
    assert codec.decode(latent).shape == (3, 2, 2400)
    assert codec.decode_sequence(latent).shape == (2, 3 * 2400)


def test_the_codec_learns_and_scales_with_the_sound() -> None:
    losses: list[float] = []
    codec = SoundCodec.fit(sounds(), CODEC, steps=40, batch=6, on_step=lambda step, loss: losses.append(loss))
    assert sum(losses[-5:]) < 0.85 * sum(losses[:5])
    loud, quiet = (codec.decode(codec.encode(gain * sounds(4))) for gain in (1.0, 0.1))
    torch.testing.assert_close(quiet, 0.1 * loud, rtol=1e-2, atol=1e-4)
    level = codec.levels(codec.encode(sounds(4))).mean(1)
    rms = (sounds(4) / 2.0).square().mean((1, 2)).sqrt()
    torch.testing.assert_close(level, 20 * rms.log10(), atol=1e-2, rtol=0)


def test_other_hops_are_refused() -> None:
    with pytest.raises(UsageError, match="hop of 160, 80, 40 samples, not 100"):
        SoundCodec(CodecConfig(hop=100))


def test_losses_are_zero_for_the_same_sound_and_see_exchanged_ears() -> None:
    true = sounds(4)
    assert float(spectral_loss(true, true)) == float(interaural_loss(true, true)) == 0.0
    assert float(interaural_loss(true.flip(1), true)) > 0.5
    assert float(interaural_loss(true.mean(1, keepdim=True).expand(-1, 2, -1), true)) > 0.3
    level, coherence = interaural(true, 512)
    mirrored_level, mirrored_coherence = interaural(true.flip(1), 512)
    torch.testing.assert_close(mirrored_level, -level, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(mirrored_coherence[..., 1], -coherence[..., 1], atol=1e-4, rtol=1e-4)
