"""Methods without learning, and the bounds, for a batch of windows with one target each.

persistence              nothing changes: last frame, last depth, the sound of the last step, progress 0
rotation_warp            the last frame, turned by the commanded yaw
reprojection_commanded   the RGB-D frames seen so far, from where the actions lead with nothing in the way
reprojection             the same, from where they lead along what the memory shows (rolled out)
reprojection_realised    the same, from where the agent really was: not known in advance
recall                   the sound heard at the same phase of a repeating source, averaged over past periods with
                         weights that favour near poses (`sound_recall.py`, not trained); without one, the last sound
oracle_tokenizer         the true future, encoded and decoded: the upper bound of a decoder of these latents
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from avw.avw4k.reading.windows import WindowBatch, WindowConfig, Windows
from avw.model.evaluation.futures import Future, Recorded
from avw.model.evaluation.source import Source
from avw.model.rotation import Rotation

BOUNDS = ("oracle_tokenizer", "reprojection_realised")
"""Methods that use the true future."""


class Baselines:
    """Computes all baselines of the windows of a split."""

    def __init__(self, source: Source, recorded: Recorded) -> None:
        windows = source.windows
        self.source, self.recorded = source, recorded
        spec = windows.dataset.spec.simulator
        self.rotation = Rotation(spec.size, spec.hfov)
        self.realised = Windows(windows.dataset, windows.split, WindowConfig(ages=(0,), motion="realised"))

    def of(self, window: WindowBatch, true: Future) -> tuple[dict[str, Future], np.ndarray]:
        """(method → future, coverage_NHW: the pixels that the rolled-out reprojection has seen).

        window: one target per context · true: its recorded futures
        """
        t_B = window.context_BT[:, -1]
        last = self.recorded.frames(t_B)
        turned, _ = self.rotation.turned(
            torch.from_numpy(_array(last.rgb_NHWC)), torch.from_numpy(window.motion_BK3[:, 0, 2]), smooth=True
        )
        futures = {
            "persistence": replace(last, progress_N=np.zeros(len(t_B), np.float32)),
            "rotation_warp": Future(rgb_NHWC=turned.numpy()),
            "recall": Future(audio_NES=self.source.recall(window)),
        }
        motions = {
            "reprojection_commanded": window.motion_BK3,
            "reprojection": self.source.rolled(window),
            "reprojection_realised": self.realised.motion(t_B, window.target_BK),
        }
        coverage_NHW = np.zeros(0, bool)
        for method, motion_BK3 in motions.items():
            seen = self.source.reproject(t_B, motion_BK3)
            futures[method] = Future(rgb_NHWC=seen.rgb_PHWC, depth_NHW=seen.depth_PHW)
            if method == "reprojection":
                coverage_NHW = seen.coverage_PHW
        futures["oracle_tokenizer"] = self.source.round_trip(true)
        return futures, coverage_NHW


def _array(array: np.ndarray | None) -> np.ndarray:
    assert array is not None
    return array
