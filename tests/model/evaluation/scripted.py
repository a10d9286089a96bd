"""A source of predictions that are known, and every metric from its definition, without the code under test."""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.signal import get_window

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowBatch, WindowConfig, Windows
from avw.model.evaluation.config import EvaluationConfig
from avw.model.evaluation.futures import Future, Recorded
from avw.model.evaluation.source import Candidates
from avw.model.memory.reprojection import Reprojection
from avw.sim_bridge.types import FORWARD_METRES, STEP_SECONDS, TURN_RADIANS, Action

CONFIG = EvaluationConfig(
    horizons=(1, 3), count=40, sequences=5, length=8, shown=2, states=20, clips=12, candidates=12, batch=7
)

# The scripted predictions


def predicted_rgb(last: np.ndarray, offset: int) -> np.ndarray:
    """Darker, and a little brighter again with every step."""
    return np.clip(np.floor(last * 0.5) + 7 * offset, 0, 255).astype(np.uint8)


def predicted_audio(last: np.ndarray, offset: int) -> np.ndarray:
    """Softer on the right, silent there at every third step, and softer with every step on both sides."""
    return (
        last
        * np.array([0.9, 0.4 if offset % 3 else 0.0], np.float32)[:, None]
        * np.float32(1 / (1 + 0.2 * (offset % 3)))
    )


def predicted_progress(offset: int, forward: float) -> float:
    return 0.02 * offset + 0.5 * forward


def round_trip_rgb(true: np.ndarray) -> np.ndarray:
    return true // 32 * 32 + 16


def round_trip_audio(true: np.ndarray) -> np.ndarray:
    return true * np.array([0.5, 0.25], np.float32)[:, None]


def recalled_audio(last: np.ndarray) -> np.ndarray:
    return last[..., ::-1].copy()


def predicted_depth(last: np.ndarray, offset: int) -> np.ndarray:
    return last * np.float32(1 + 0.1 * offset)


def predicted_distance(offset: int, forward: float) -> float:
    return 2.0 + 0.1 * offset + forward


def reprojected_rgb(last: np.ndarray, motion_3: np.ndarray) -> np.ndarray:
    """Brighter with every metre forward."""
    return np.clip(last.astype(int) + round(37 * float(motion_3[0])) + 3, 0, 255).astype(np.uint8)


def coverage(size: int, motion_3: np.ndarray) -> np.ndarray:
    """The left part of the image was seen, less of it with every metre forward."""
    seen = np.zeros((size, size), bool)
    seen[:, : max(0, size - 6 - round(17 * float(motion_3[0])))] = True
    return seen


class ScriptedSource:
    """Predictions from the last recorded frame, by rules. gain: of the predicted sound."""

    def __init__(self, dataset: Dataset, split: str = "test", *, ages: tuple[int, ...] = (2, 0), gain: float = 1.0):
        self.windows = Windows(dataset, split, WindowConfig(ages=ages))
        self.recorded, self.gain = Recorded(self.windows), gain

    def _last(self, window: WindowBatch) -> Future:
        return self.recorded.frames(np.repeat(window.context_BT[:, -1], window.offset_BK.shape[1]))

    def predict(self, window: WindowBatch) -> Future:
        last, offsets = self._last(window), window.offset_BK.ravel().tolist()
        forward = window.motion_BK3[..., 0].ravel().tolist()
        rows = range(len(offsets))
        return Future(
            rgb_NHWC=np.stack([predicted_rgb(last.rgb_NHWC[i], offsets[i]) for i in rows]),
            depth_NHW=np.stack([predicted_depth(last.depth_NHW[i], offsets[i]) for i in rows]),
            audio_NES=np.stack([self.gain * predicted_audio(last.audio_NES[i], offsets[i]) for i in rows]),
            progress_N=np.array([predicted_progress(offsets[i], forward[i]) for i in rows], np.float32),
            distance_N=np.array([predicted_distance(offsets[i], forward[i]) for i in rows], np.float32),
        )

    def round_trip(self, true: Future) -> Future:
        return Future(
            rgb_NHWC=round_trip_rgb(true.rgb_NHWC),
            depth_NHW=true.depth_NHW * np.float32(1.05),
            audio_NES=round_trip_audio(true.audio_NES),
        )

    def rolled(self, window: WindowBatch) -> np.ndarray:
        return window.motion_BK3 * np.array([0.5, 1.0, 1.0], np.float32)

    def reproject(self, t_B: np.ndarray, motion_BK3: np.ndarray) -> Reprojection:
        last = self.recorded.frames(np.repeat(t_B, motion_BK3.shape[1]))
        motion_P3 = motion_BK3.reshape(-1, 3)
        seen = np.stack([coverage(last.rgb_NHWC.shape[1], motion) for motion in motion_P3])
        rgb = np.stack([reprojected_rgb(*pair) for pair in zip(last.rgb_NHWC, motion_P3, strict=True)])
        return Reprojection(rgb, last.depth_NHW * np.float32(1.2), seen, np.where(seen, 0, -1).astype(np.int8))

    def recall(self, window: WindowBatch) -> np.ndarray:
        last = self.recorded.frames(window.context_BT[:, -1])
        return np.repeat(recalled_audio(last.audio_NES), window.offset_BK.shape[1], axis=0)

    def rank(self, t_B: np.ndarray) -> Candidates | None:
        return None


# The metrics, from their definitions


def similarity(a: np.ndarray, b: np.ndarray, span: float, sigma: float, radius: int) -> float:
    """Mean SSIM (Wang et al. 2004) of two pictures (H, W), with a window of two dimensions."""
    offsets = np.arange(-radius, radius + 1)
    weight = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * sigma**2))
    weight /= weight.sum()

    def weighted(x: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape)
        return np.tensordot(windows, weight, axes=2)

    a, b = a.astype(float), b.astype(float)
    mean_a, mean_b = weighted(a), weighted(b)
    var_a, var_b = weighted(a**2) - mean_a**2, weighted(b**2) - mean_b**2
    cov = weighted(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    return float(
        ((2 * mean_a * mean_b + c1) * (2 * cov + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean()
    )


def spectra(audio_ES: np.ndarray, full_scale: float) -> np.ndarray:
    """dBFS (E, T, F): frames of 512 samples every 128, periodic Hann window, at least -80."""
    window = get_window("hann", 512)
    frames = [audio_ES[:, first : first + 512].astype(float) for first in range(0, audio_ES.shape[1] - 511, 128)]
    amplitude = np.abs(np.fft.rfft(np.stack(frames, 1) * window)) / (window.sum() / 2) / full_scale
    return 20 * np.log10(np.maximum(amplitude, 1e-4))


def log_spectral_distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a - b) ** 2).mean(-1)).mean())


def level_difference_error(predicted: np.ndarray, true: np.ndarray, full_scale: float) -> float:
    def levels(audio_ES: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return 20 * np.log10(np.sqrt((audio_ES.astype(float) ** 2).mean(1)) / full_scale)

    if levels(true).min() <= -80:
        return math.nan
    guess = np.maximum(levels(predicted), -80)
    return abs((guess[0] - guess[1]) - (levels(true)[0] - levels(true)[1]))


def turned(rgb: np.ndarray, yaw: float) -> np.ndarray:
    """What a pinhole camera of 90° sees of `rgb` after a turn to the left, bilinear; the mean colour elsewhere."""
    size = len(rgb)
    if abs(yaw) < 1e-6:
        return rgb
    x, y = np.meshgrid(np.arange(size) - (size - 1) / 2, np.arange(size) - (size - 1) / 2)
    ray = np.stack([x, y, np.full_like(x, size / 2)])  # right, down, ahead; the focal length is half the width
    # Relative to the old camera, the new one looks `yaw` further to the left: its axis is (-sin, 0, cos).
    right = ray[0] * math.cos(yaw) - ray[2] * math.sin(yaw)
    ahead = ray[0] * math.sin(yaw) + ray[2] * math.cos(yaw)
    column = right / ahead * size / 2 + (size - 1) / 2
    row = ray[1] / ahead * size / 2 + (size - 1) / 2
    inside = (ahead > 0) & (np.abs(column - (size - 1) / 2) < size / 2) & (np.abs(row - (size - 1) / 2) < size / 2)
    mean = rgb.reshape(-1, 3)[::7].mean(0)  # of every seventh pixel
    out = np.empty_like(rgb)
    for channel in range(3):
        image = map_coordinates(rgb[..., channel].astype(float), [row, column], order=1, mode="nearest")
        out[..., channel] = np.where(inside, np.round(image), np.round(mean[channel]))
    return out


def lag_and_height(rgb: list[np.ndarray], audio: list[np.ndarray]) -> tuple[float, float]:
    """Lag in seconds and height of the peak of the correlation between visual change and loudness."""
    change = [math.sqrt(((b.astype(float) - a) ** 2).mean()) for a, b in itertools.pairwise(rgb)]
    loudness = [math.sqrt((clip.astype(float) ** 2).mean()) for clip in audio[1:]]
    found = {}
    for lag in range(-(len(change) - 4), len(change) - 3):
        pairs = [(change[i], loudness[i + lag]) for i in range(len(change)) if 0 <= i + lag < len(loudness)]
        a, b = np.array(pairs).T
        varies = a.std() * b.std() * len(a) > 1e-12
        found[lag] = float(np.corrcoef(a, b)[0, 1]) if varies else 0.0
    best = min(found, key=lambda lag: (-round(found[lag], 9), abs(lag)))
    return best * STEP_SECONDS, found[best]


# The windows, from the files


def episodes(dataset: Dataset) -> list[dict[str, np.ndarray]]:
    rows = [dataset.read(ref) for ref in dataset.episodes("test")]
    for row in rows:
        row["sound"] = row["audio"].astype(np.float32) * dataset.audio_scale
    return rows


def turn_and_advance(actions: np.ndarray) -> tuple[float, float]:
    """Net turn (radians) and metres forward, of commands as if nothing were in the way."""
    yaw = forward = 0.0
    for action in actions:
        yaw += TURN_RADIANS * ((action == Action.TURN_LEFT) - int(action == Action.TURN_RIGHT))
        forward += FORWARD_METRES * math.cos(yaw) * (action == Action.FORWARD)
    return yaw, forward
