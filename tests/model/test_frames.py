"""Encoded frames of a split: what a batch contains, its mirror image, its reprojections, and the cache on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from avw import open_dataset
from avw.avw4k.plan.episode import DEPTH_UNITS
from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model.av_cdit import AvCditConfig
from avw.model.context import context_at
from avw.model.frames import EncodedFrames
from avw.model.tokenizers.budget import TokenizerBudget
from avw.model.tokenizers.fit import fit_tokenizers
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.world_model import WorldModel

AGES = (2, 0)
CPU = torch.device("cpu")
CLOSE = {"atol": 2e-2, "rtol": 2e-3}  # stored as float16


@pytest.fixture(scope="module")
def made(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[EncodedFrames, Tokenizers, Path]:
    folder = tmp_path_factory.mktemp("frames")
    budget = TokenizerBudget(frames=40, steps=1, depth_channels=4)
    tokenizers = fit_tokenizers(dataset, folder / "tokenizers.safetensors", budget)
    config = AvCditConfig(ages=AGES, sound_memory=6, latent_size=4, latent_channels=12, depth_channels=4)
    windows = Windows(dataset, "val", WindowConfig(ages=AGES))
    seen: list[int] = []
    frames = EncodedFrames(windows, tokenizers, config, folder / "cache", key="a", progress=seen.append)
    assert sum(seen) == windows.frames
    return frames, tokenizers, folder / "cache"


def stored(frames: EncodedFrames, number: int) -> dict[str, np.ndarray]:
    windows = frames.windows
    episode = int(windows.episode_F[number])
    t = number - int(windows.first_n[episode])
    row = windows.dataset.read(windows.episodes[episode], ["rgb", "depth", "audio"], t, t + 1)
    audio = row["audio"][0].astype(np.float32) * windows.dataset.audio_scale
    return {"rgb": row["rgb"][0], "depth": row["depth"][0].astype(np.float32) / DEPTH_UNITS, "audio": audio}


def test_a_batch_holds_the_encoded_frames_and_mirrored_contexts_their_mirror_images(made) -> None:
    frames, tokenizers, _ = made
    window = frames.windows.draw(0, "test", 0, 4, 3)
    mirrored_B = np.array([False, True, False, True])
    context = frames.context(window.context_BT[:, -1], mirrored_B, CPU)
    targets = frames.targets(window, mirrored_B, CPU)
    assert context.sound is not None
    for b, mirrored in enumerate(mirrored_B):

        def encoded(number: int, flip: bool = bool(mirrored)) -> tuple[torch.Tensor, torch.Tensor]:
            found = {name: torch.from_numpy(array)[None] for name, array in stored(frames, number).items()}
            rgb, depth = (x.flip(2) if flip else x for x in (found["rgb"], found["depth"]))
            audio = found["audio"].flip(1) if flip else found["audio"]
            return tokenizers.encode_vision(rgb, depth)[0], tokenizers.audio.encode(audio)[0]

        for i, number in enumerate(window.context_BT[b].tolist()):
            vision, audio = encoded(number)
            torch.testing.assert_close(context.vision_BTHWC[b, i], vision, **CLOSE)
            torch.testing.assert_close(context.audio_BTAD[b, i], audio, **CLOSE)
        for i, number in enumerate(window.target_BK[b].tolist()):
            vision, audio = encoded(number)
            torch.testing.assert_close(targets.vision_PHWC[3 * b + i], vision, **CLOSE)
            torch.testing.assert_close(targets.audio_PAD[3 * b + i], audio, **CLOSE)
        sign = torch.tensor([1.0, -1.0, -1.0] if mirrored else [1.0, 1.0, 1.0])
        motion = torch.from_numpy(frames.motion(window)[b])
        torch.testing.assert_close(targets.motion_BK3[b], motion * sign)
        # The newest step of the sound memory is now, and its pose is the origin.
        torch.testing.assert_close(context.sound.audio_BMAD[b, 0], context.audio_BTAD[b, -1])
        assert context.sound.past_BM3[b, 0].abs().max() < 1e-6


def test_steps_before_the_episode_are_absent_from_the_sound_memory(made) -> None:
    frames, _, _ = made
    start = int(frames.windows.first_n[1])
    sound = frames.context(np.array([start + 2]), np.array([False]), CPU).sound
    assert sound is not None
    assert sound.age_BM[0].tolist() == [0, 1, 2, -1, -1, -1]


def test_a_reprojection_without_motion_is_the_last_frame_and_its_mirror_image_is_flipped(made) -> None:
    frames, _, _ = made
    t_B = np.array([frames.windows.first_n[0] + 7])
    still = frames.reproject(t_B, np.zeros((1, 1, 3)))
    assert still.coverage_PHW.mean() > 0.95
    same = np.abs(still.rgb_PHWC[0].astype(int) - frames.rgb_FHWC[t_B[0]]).max(-1)[still.coverage_PHW[0]]
    assert np.mean(same <= 1) > 0.99
    assert still.age_PHW is not None
    assert set(np.unique(still.age_PHW[still.coverage_PHW]).tolist()) <= set(range(8))
    window = frames.windows.window(t_B, np.array([[4]]))
    plain, flipped = (frames.targets(window, np.array([m]), CPU).seen for m in (False, True))
    assert plain is not None
    assert flipped is not None
    np.testing.assert_array_equal(flipped.rgb_PHWC, plain.rgb_PHWC[:, :, ::-1])
    np.testing.assert_array_equal(flipped.age_PHW, plain.age_PHW[:, :, ::-1])


def test_a_live_observer_collects_what_training_read(made, data_path: Path) -> None:
    """The same keyframes, poses and sounds, whether they come from files or step by step."""
    frames, tokenizers, _ = made
    windows = frames.windows
    episode = next(e for e in open_dataset(data_path).split("val") if e.index == windows.episodes[1].index)
    needs = needs_of(frames, tokenizers)
    for t in (0, 3, 20):
        context = context_at(episode, t, needs)
        number = int(windows.first_n[1]) + t
        batch = frames.context(np.array([number]), np.array([False]), CPU)
        assert batch.sound is not None
        np.testing.assert_allclose(context.past_T3, batch.past_BT3[0].numpy(), atol=1e-4)
        np.testing.assert_allclose(context.sound_past_M3, batch.sound.past_BM3[0].numpy(), atol=1e-4)
        np.testing.assert_array_equal(context.sound_age_M, batch.sound.age_BM[0].numpy())
        motion = np.array([[[0.3, 0.1, 0.35]]])
        stored_view = frames.reproject(np.array([number]), motion)
        assert context.memory is not None
        live_view = context.memory.reproject(motion[0])
        assert np.mean(stored_view.coverage_PHW == live_view.coverage_PHW) > 0.995
        both = stored_view.coverage_PHW & live_view.coverage_PHW
        difference = np.abs(stored_view.rgb_PHWC.astype(int) - live_view.rgb_PHWC)[both]
        assert np.mean(difference <= 2) > 0.99


def needs_of(frames: EncodedFrames, tokenizers: Tokenizers):
    from avw.model.av_cdit import AvCdit
    from avw.model.diffusion import DiffusionConfig

    model = WorldModel(AvCdit(frames.config), tokenizers, DiffusionConfig(), hfov=frames.hfov)
    return model.needs


def test_frames_are_encoded_again_only_for_another_key(made) -> None:
    frames, tokenizers, folder = made

    class NeverUsed:
        vision_shape, audio, device = tokenizers.vision_shape, tokenizers.audio, CPU

        def encode_vision(self, rgb, depth):
            raise AssertionError("encoded again")

    again = EncodedFrames(frames.windows, NeverUsed(), frames.config, folder, key="a")  # type: ignore[arg-type]
    np.testing.assert_array_equal(again.vision_2FHWC, frames.vision_2FHWC)
    np.testing.assert_array_equal(again.rolled_FN3, frames.rolled_FN3)
    with pytest.raises(AssertionError, match="encoded again"):
        EncodedFrames(frames.windows, NeverUsed(), frames.config, folder, key="b")  # type: ignore[arg-type]
