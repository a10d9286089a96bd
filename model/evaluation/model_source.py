"""Predictions of a trained model, from the encoded frames of a split."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import torch

from avw.avw4k.reading.windows import WindowBatch, WindowConfig, Windows
from avw.model.evaluation.futures import Future
from avw.model.evaluation.source import Candidates
from avw.model.frames import EncodedFrames, encoded_frames
from avw.model.memory.reprojection import Reprojection
from avw.model.sound_recall import SoundRecall, rhythm_of
from avw.model.world_model import WorldModel

REMEMBERED = 64
"""Steps of sound that the baseline "recall" reads."""


class ModelSource:
    """A `Source` of a trained model. Use as a context manager: the encoded frames are in a temporary folder.

    longest: the largest number of steps that is asked for
    """

    def __init__(
        self, model: WorldModel, windows: Windows, *, longest: int, denoising_steps: int | None = None
    ) -> None:
        config = WindowConfig(ages=model.ages, max_offset=max(longest, 1))
        self.model, self.steps = model, denoising_steps
        self.windows = Windows(windows.dataset, windows.split, config)
        self._stack = ExitStack()

    def __enter__(self) -> ModelSource:
        net, tokenizers = self.model.net.config, self.model.tokenizers
        # Reprojection and recall are baselines of every model, also of those that have no memory.
        remembering = replace(net, prior="memory", sound_memory=max(net.sound_memory, REMEMBERED))
        self.memory: EncodedFrames = self._stack.enter_context(encoded_frames(self.windows, tokenizers, remembering))
        self.frames = self.memory.read_by(net)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def predict(self, window: WindowBatch) -> Future:
        prediction = self.model.predict_window(self.frames, window, steps=self.steps)
        decoded = self.model.decode(prediction)
        reward = prediction.reward
        return Future(
            rgb_NHWC=decoded.rgb_PHWC.cpu().numpy(),
            depth_NHW=None if decoded.depth_PHW is None else decoded.depth_PHW.float().cpu().numpy(),
            audio_NES=decoded.audio_PES.float().cpu().numpy(),
            progress_N=reward.known_progress_BK.flatten().float().cpu().numpy(),
            distance_N=reward.distance_BK.flatten().float().cpu().numpy(),
        )

    def round_trip(self, true: Future) -> Future:
        return round_trip(self.model, true)

    def rolled(self, window: WindowBatch) -> np.ndarray:
        return self.memory.motion(window)

    def reproject(self, t_B: np.ndarray, motion_BK3: np.ndarray) -> Reprojection:
        return self.memory.reproject(t_B, motion_BK3)

    @torch.inference_mode()
    def recall(self, window: WindowBatch) -> np.ndarray:
        t_B, cpu = window.context_BT[:, -1], torch.device("cpu")
        sound = self.memory.context(t_B, np.zeros(len(t_B), bool), cpu).sound
        assert sound is not None
        motion_BK3, offset_BK = torch.from_numpy(self.rolled(window)), torch.from_numpy(window.offset_BK).float()
        recalled = SoundRecall()(rhythm_of(sound), motion_BK3, offset_BK)
        return self.model.audio.decode(recalled.audio_PAD.to(self.model.device)).cpu().numpy()

    def rank(self, t_B: np.ndarray) -> Candidates | None:
        if not self.windows.has_counterfactuals:
            return None
        prediction, true_BN = self.model.predict_counterfactuals(self.frames, t_B)
        motion_BN3, _ = self.windows.counterfactuals(t_B)
        return Candidates(
            prediction.reward.distance_BK.float().cpu().numpy(),
            true_BN,
            np.hypot(motion_BN3[..., 0], motion_BN3[..., 1]),
        )


@torch.inference_mode()
def round_trip(model: WorldModel, true: Future) -> Future:
    """True observations, encoded and decoded by the tokenizers of a model; None stays None."""
    tokenizers, device = model.tokenizers, model.device
    rgb = depth = audio = None
    if true.rgb_NHWC is not None:
        metres = None if true.depth_NHW is None else torch.from_numpy(true.depth_NHW).to(device)
        rgb, depth = tokenizers.decode_vision(
            tokenizers.encode_vision(torch.from_numpy(true.rgb_NHWC).to(device), metres)
        )
    if true.audio_NES is not None:
        audio = tokenizers.audio.decode(tokenizers.audio.encode(torch.from_numpy(true.audio_NES).to(device)))
    return Future(
        rgb_NHWC=None if rgb is None else rgb.cpu().numpy(),
        depth_NHW=None if depth is None else depth.float().cpu().numpy(),
        audio_NES=None if audio is None else audio.float().cpu().numpy(),
    )
