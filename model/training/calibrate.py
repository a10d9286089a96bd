"""Calibrate P(success) on validation houses, and choose the probability above which the planner stops."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowBatch, WindowConfig, Windows
from avw.model.world_model import Calibration, History, Prediction, WorldModel


def predict_windows(
    model: WorldModel, windows: Windows, window: WindowBatch, *, steps: int = 1, batch: int = 32
) -> Iterator[tuple[slice, History, Prediction]]:
    """Imagine every target of `window` from pixels and sound read from the dataset, `batch` contexts at a time."""
    for first in range(0, len(window.context_BT), batch):
        chosen = slice(first, first + batch)
        rgb, audio = read_frames(windows, window.context_BT[chosen])
        history = model.encode(rgb, audio, torch.from_numpy(window.past_BT3[chosen]))
        motion, offset = torch.from_numpy(window.motion_BK3[chosen]), torch.from_numpy(window.offset_BK[chosen])
        yield chosen, history, model.predict(history, motion, offset, steps=steps)


def read_frames(windows: Windows, frames: np.ndarray) -> tuple[Tensor, Tensor]:
    """rgb uint8 (…, H, W, 3) and audio float32 (…, 2, 2400) of frame numbers of any shape."""
    flat = frames.ravel()
    rgb, audio = [], []
    dataset = windows.dataset
    for frame in flat.tolist():
        episode = int(windows.episode_F[frame])
        t = frame - int(windows.first_n[episode])
        row = dataset.read(windows.episodes[episode], ["rgb", "audio"], t, t + 1)
        rgb.append(row["rgb"][0])
        audio.append(row["audio"][0].astype(np.float32) * dataset.audio_scale)
    shape = frames.shape
    rgb_array, audio_array = np.stack(rgb), np.stack(audio)
    return (
        torch.from_numpy(rgb_array.reshape(*shape, *rgb_array.shape[1:])),
        torch.from_numpy(audio_array.reshape(*shape, *audio_array.shape[1:])),
    )


def calibrate(model: WorldModel, dataset: Dataset, *, count: int = 1500) -> Calibration:
    """Fit sigmoid(logit / temperature + bias) to "the agent stands within the success radius one step on", and
    take as threshold the probability that maximises F0.5 (a wrong STOP loses the episode, a late one only a step)."""
    windows = Windows(dataset, "val", WindowConfig(ages=model.ages))
    window = windows.at(1, count)
    model.calibration = Calibration()
    logits = torch.cat(
        [
            torch.logit(prediction.success_BK.double().flatten(), 1e-6)
            for _, _, prediction in predict_windows(model, windows, window)
        ]
    )
    inside = torch.from_numpy(window.distance_BK.ravel() < dataset.spec.task.success_distance).double()
    scale, bias = torch.ones((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    if 0 < inside.sum() < len(inside):
        scale, bias = _platt(logits, inside)
    probability = torch.sigmoid(logits * scale + bias)
    return Calibration(
        temperature=float(1 / scale.clamp(min=1e-3)), bias=float(bias), stop_threshold=_threshold(probability, inside)
    )


def _platt(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Newton's method for a logistic regression on one variable, with a weak pull to the identity."""
    features = torch.stack([logits, torch.ones_like(logits)], 1)
    prior = torch.tensor([1.0, 0.0], dtype=torch.float64)
    weight = prior.clone()
    for _ in range(30):
        p = torch.sigmoid(features @ weight)
        gradient = features.T @ (p - labels) + (weight - prior)
        hessian = (features * (p * (1 - p))[:, None]).T @ features + torch.eye(2, dtype=torch.float64)
        weight = weight - torch.linalg.solve(hessian, gradient)
    return weight[0], weight[1]


def _threshold(probability: Tensor, labels: Tensor, beta: float = 0.5) -> float:
    best, chosen = -1.0, 0.5
    for threshold in np.linspace(0.05, 0.95, 46):
        said = probability > threshold
        right = float((said * labels).sum())
        score = (1 + beta**2) * right / max(1e-9, float(said.sum()) + beta**2 * float(labels.sum()))
        if score > best + 1e-12:
            best, chosen = score, float(threshold)
    return round(chosen, 4)
