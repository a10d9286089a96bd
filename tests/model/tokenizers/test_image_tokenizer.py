"""The image tokenizer on small structured images: whitening, linearity, training, errors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from avw.model.metrics.vision import psnr
from avw.model.tokenizers.image import ImageTokenizer, ImageTokenizerConfig
from avw.sim_bridge.errors import UsageError
from avw.sim_bridge.randomness import keyed_rng

CONFIG = ImageTokenizerConfig(size=32, channels=6, width=16, blocks=1)


def rooms(count: int, key: str = "rooms", size: int = 32) -> torch.Tensor:
    """Walls and floors in random colours with straight edges and shading: uint8 (N, size, size, 3)."""
    rng = keyed_rng(key)
    y, x = np.mgrid[0:size, 0:size] / size
    frames = np.empty((count, size, size, 3))
    for frame in frames:
        wall, floor, door = rng.uniform(30, 225, (3, 3))
        horizon, left = rng.uniform(0.3, 0.8), rng.uniform(0.0, 0.8)
        slope = rng.uniform(-0.4, 0.4)
        frame[:] = np.where((y < horizon + slope * (x - 0.5))[..., None], wall, floor)
        frame[((x > left) & (x < left + 0.2) & (y > 0.2))] = door
        frame *= (0.8 + 0.2 * y)[..., None]
    return torch.from_numpy(frames.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def tokenizer() -> ImageTokenizer:
    torch.set_num_threads(1)
    return ImageTokenizer.fit(rooms(200), CONFIG, steps=120)


def test_shapes_and_types(tokenizer):
    latent = tokenizer.encode(rooms(3))
    assert latent.shape == (3, *tokenizer.latent_shape) == (3, 4, 4, 6)
    assert tokenizer.config.latent_shape == tokenizer.latent_shape
    decoded = tokenizer.decode(latent)
    assert decoded.shape == (3, 32, 32, 3)
    assert (latent.dtype, decoded.dtype) == (torch.float32, torch.uint8)


def test_latents_are_whitened_on_the_fitted_frames_and_their_mirror_images(tokenizer):
    frames = rooms(200)
    latent = tokenizer.encode(torch.cat([frames, frames.flip(2)])).flatten(0, 2)
    assert latent.mean(0).abs().max() < 0.01
    covariance = latent.T @ latent / len(latent)
    assert (covariance - torch.eye(6)).abs().max() < 0.02


def test_encoding_is_linear_in_the_pixels(tokenizer):
    a, b = torch.full((1, 32, 32, 3), 40, dtype=torch.uint8), torch.full((1, 32, 32, 3), 200, dtype=torch.uint8)
    middle = torch.full((1, 32, 32, 3), 120, dtype=torch.uint8)
    mean = (tokenizer.encode(a) + tokenizer.encode(b)) / 2
    assert torch.allclose(tokenizer.encode(middle), mean, atol=1e-4)


def test_an_untrained_decoder_is_the_pseudo_inverse():
    untrained = ImageTokenizer.fit(rooms(50), CONFIG, steps=0)
    latent = untrained.encode(rooms(4, "unseen"))
    back = untrained.decode(latent)
    again = untrained.encode(back)
    assert (again - latent).abs().mean() < 0.1


def test_with_every_component_the_round_trip_is_lossless():
    full = ImageTokenizer.fit(rooms(60), dataclasses.replace(CONFIG, patch=4, channels=48), steps=0)
    noise = torch.from_numpy(keyed_rng("noise").integers(0, 256, (60, 32, 32, 3), dtype=np.uint8))
    full._fit_encoder(noise)
    assert torch.equal(full.decode(full.encode(noise)), noise)


def test_training_improves_on_the_pseudo_inverse_for_unseen_frames(tokenizer):
    unseen = rooms(40, "unseen")
    linear = ImageTokenizer.fit(rooms(200), CONFIG, steps=0)

    def quality(t: ImageTokenizer) -> float:
        return psnr(t.decode(t.encode(unseen)).numpy(), unseen.numpy())

    assert quality(tokenizer) > quality(linear) + 0.5
    assert quality(tokenizer) > 22.0


def test_fitting_is_repeatable_and_does_not_change_the_global_generator():
    state = torch.get_rng_state()
    first, second = (ImageTokenizer.fit(rooms(20), CONFIG, steps=3, seed=5) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


def test_every_step_is_reported():
    seen: list[int] = []
    ImageTokenizer.fit(rooms(10), CONFIG, steps=4, on_step=lambda step, loss: seen.append(step))
    assert seen == [1, 2, 3, 4]


def test_the_state_dict_contains_the_whole_tokenizer(tokenizer):
    copy = ImageTokenizer(ImageTokenizerConfig(**dataclasses.asdict(tokenizer.config)))
    copy.load_state_dict(tokenizer.state_dict())
    frames = rooms(3, "unseen")
    assert torch.equal(copy.encode(frames), tokenizer.encode(frames))
    assert torch.equal(copy.decode(copy.encode(frames)), tokenizer.decode(tokenizer.encode(frames)))


def test_frames_of_one_colour_give_finite_latents():
    grey = torch.full((4, 32, 32, 3), 128, dtype=torch.uint8)
    flat = ImageTokenizer.fit(grey, CONFIG, steps=2)
    assert flat.encode(grey).abs().max() < 1e-3
    assert (flat.decode(flat.encode(grey)).int() - 128).abs().max() <= 1


def test_invalid_arguments_are_refused(tokenizer):
    with pytest.raises(UsageError, match="cannot be divided into patches"):
        ImageTokenizer(ImageTokenizerConfig(size=100))
    with pytest.raises(UsageError, match="cannot have 200 latent channels"):
        ImageTokenizer(ImageTokenizerConfig(channels=200))
    with pytest.raises(UsageError, match=r"expects images \(N, 32, 32, 3\)"):
        tokenizer.encode(rooms(1, size=64))
    with pytest.raises(UsageError, match="there are no images"):
        ImageTokenizer.fit(rooms(1)[:0], CONFIG)
