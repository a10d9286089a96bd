"""Roll-outs: PSNR of seen pixels and level of a model whose errors are known."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowConfig, Windows
from avw.model.evaluation.rollouts import measure_rollouts
from avw.model.metrics.vision import psnr_from_mse


class Scripted:
    """The true future with an error of 4 grey levels in seen pixels; step by step of 8, and with twice the sound."""

    max_offset = 16

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, int]] = []

    def imagine(self, episode, *, t, actions, every_step, autoregressive, denoising_steps):
        assert every_step
        self.asked.append((episode.index, t, len(actions)))
        np.testing.assert_array_equal(episode.actions[t : t + len(actions)], actions)
        ahead = slice(t + 1, t + 1 + len(actions))
        true = episode.rgb[ahead]
        seen = np.zeros(true.shape[:3], bool)
        seen[:, :, :10] = True
        error = 8 if autoregressive else 4
        wrong = np.where(true >= 128, true - error, true + error)
        rgb = np.where(seen[..., None], wrong, 255 - true).astype(np.uint8)
        gain = np.float32(2.0 if autoregressive else 1.0)
        return SimpleNamespace(rgb=rgb, audio=gain * episode.audio[ahead], coverage=seen)


@pytest.fixture(scope="module")
def windows(dataset: Dataset) -> Windows:
    return Windows(dataset, "test", WindowConfig(ages=(0,)))


def test_errors_and_levels_are_those_of_the_script(windows: Windows):
    model = Scripted()
    found = measure_rollouts(model, windows, count=3)
    assert isinstance(found, dict)
    json.dumps(found, allow_nan=False)
    longest = max(ref.steps for ref in windows.episodes)
    assert (found["rollouts"], found["steps"], found["past_steps"]) == (3, 16, longest - 16)
    assert len(model.asked) == 6
    assert all(t >= longest - 16 for _, t, _ in model.asked)  # the agent has seen the room
    assert set(found["psnr_seen"]) == {"1", "4", "16"}
    for row in found["psnr_seen"].values():
        assert row["direct"] == pytest.approx(psnr_from_mse(16.0), abs=1e-3)
        assert row["autoregressive"] == pytest.approx(psnr_from_mse(64.0), abs=1e-3)
        assert row["difference"] == pytest.approx(-20 * np.log10(2), abs=1e-3)
    level = found["level_drift_db"]
    assert level["mean"] == level["largest"] == pytest.approx(20 * np.log10(2), abs=1e-3)
    assert level["direct_minus_true"] == 0.0
