"""Latents of a split: what a batch contains, its mirror image, and the cache on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model.rotation import Rotation
from avw.model.tokenizers.fit import TokenizerBudget, fit_tokenizers
from avw.model.training.calibrate import read_frames
from avw.model.training.latents import Latents

AGES = (2, 0)


@pytest.fixture(scope="module")
def made(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("latents")
    image, audio = fit_tokenizers(dataset, folder / "tokenizers.safetensors", TokenizerBudget(frames=40, steps=1))
    windows = Windows(dataset, "val", WindowConfig(ages=AGES))
    seen: list[int] = []
    return Latents(windows, image, audio, folder / "cache", key="a", progress=seen.append), image, audio, seen


def test_a_batch_holds_the_encoded_frames_and_mirrored_contexts_their_mirror_images(made, dataset: Dataset):
    latents, image, audio, seen = made
    assert sum(seen) == latents.windows.frames
    window = latents.windows.draw(0, "test", 0, 4, 3)
    mirrored_B = np.array([False, True, False, True])
    size, hfov = dataset.spec.simulator.size, dataset.spec.simulator.hfov
    batch = latents.batch(window, mirrored_B, Rotation(size, hfov), torch.device("cpu"))
    rgb_BTHWC, audio_BTES = read_frames(latents.windows, window.context_BT)
    target_BKHWC, heard_BKES = read_frames(latents.windows, window.target_BK)
    for b, mirrored in enumerate(mirrored_B):
        flip = (lambda frames: frames.flip(2)) if mirrored else (lambda frames: frames)
        swap = (lambda sounds: sounds.flip(1)) if mirrored else (lambda sounds: sounds)
        close = {"atol": 2e-2, "rtol": 2e-3}  # stored as float16
        torch.testing.assert_close(batch.vision_BTHWC[b], image.encode(flip(rgb_BTHWC[b])), **close)
        torch.testing.assert_close(batch.audio_BTAD[b], audio.encode(swap(audio_BTES[b])), **close)
        of_context = slice(3 * b, 3 * b + 3)
        torch.testing.assert_close(batch.target_vision_PHWC[of_context], image.encode(flip(target_BKHWC[b])), **close)
        torch.testing.assert_close(batch.target_audio_PAD[of_context], audio.encode(swap(heard_BKES[b])), **close)
        sign = torch.tensor([1.0, -1.0, -1.0] if mirrored else [1.0, 1.0, 1.0])
        torch.testing.assert_close(batch.motion_BK3[b], torch.from_numpy(window.motion_BK3[b]) * sign)
        torch.testing.assert_close(batch.past_BT3[b], torch.from_numpy(window.past_BT3[b]) * sign)
        # The prior is made from the mirrored last frame and the mirrored turn.
        last = flip(rgb_BTHWC[b, -1:]).expand(3, -1, -1, -1)
        expected = Rotation(size, hfov).prior(image, last, batch.motion_BK3[b, :, 2])
        torch.testing.assert_close(batch.prior_PHWC[of_context], expected)
    torch.testing.assert_close(batch.progress_BK, torch.from_numpy(window.progress_BK))
    torch.testing.assert_close(batch.distance_BK, torch.from_numpy(window.distance_BK))


def test_latents_are_computed_again_only_for_another_key(made):
    latents, image, audio, _ = made
    folder = Path(latents.vision_2FHWC.filename).parent

    class NeverUsed:
        latent_shape = image.latent_shape

        def encode(self, rgb):
            raise AssertionError("encoded again")

    again = Latents(latents.windows, NeverUsed(), audio, folder, key="a")
    np.testing.assert_array_equal(again.vision_2FHWC, latents.vision_2FHWC)
    with pytest.raises(AssertionError, match="encoded again"):
        Latents(latents.windows, NeverUsed(), audio, folder, key="b")
