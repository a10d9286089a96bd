"""Predictions of a model from encoded frames: every frame is encoded once, also for a model without a memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model.av_cdit import AvCdit
from avw.model.evaluation.model_source import REMEMBERED, ModelSource
from avw.model.frames import EncodedFrames
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.world_model import WorldModel


def test_each_frame_is_encoded_once_and_read_as_the_model_reads_it(
    dataset: Dataset, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = WorldModel.load(tiny_run)
    config = replace(model.net.config, prior="none", residual=False, sound_memory=4)
    model.net = AvCdit(config).eval()
    windows = Windows(dataset, "test", WindowConfig(ages=model.ages))
    alone = EncodedFrames(windows, model.tokenizers, config, tmp_path / "alone", key="")
    encoded: list[int] = []
    encode = Tokenizers.encode_vision

    def counted(self: Tokenizers, rgb: torch.Tensor, depth: torch.Tensor | None) -> torch.Tensor:
        encoded.append(len(rgb))
        return encode(self, rgb, depth)

    monkeypatch.setattr(Tokenizers, "encode_vision", counted)
    with ModelSource(model, windows, longest=windows.config.max_offset) as source:
        assert sum(encoded) == windows.frames
        window, cpu = source.windows.at(3, 4), torch.device("cpu")
        own_B = np.zeros(len(window.context_BT), bool)
        t_B = window.context_BT[:, -1]
        read, expected = source.frames.context(t_B, own_B, cpu), alone.context(t_B, own_B, cpu)
        torch.testing.assert_close(read.vision_BTHWC, expected.vision_BTHWC, atol=0, rtol=0)
        torch.testing.assert_close(read.past_BT3, expected.past_BT3, atol=0, rtol=0)
        assert read.sound is not None
        assert read.sound.audio_BMAD.shape[1] == 4
        np.testing.assert_array_equal(source.frames.motion(window), window.motion_BK3)
        # The baselines have the memory that this model lacks.
        assert source.reproject(t_B, source.rolled(window)).coverage_PHW.any()
        assert source.memory.config.sound_memory == REMEMBERED
