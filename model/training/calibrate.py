"""Calibration of P(success) on validation scenes, and the probability above which the planner stops."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avw.avw4k.reading.dataset import Dataset
from avw.avw4k.reading.windows import WindowBatch, WindowConfig, Windows
from avw.model.world_model import Calibration, History, Prediction, WorldModel


def predict_windows(
    model: WorldModel, windows: Windows, window: WindowBatch, *, steps: int | None = None, batch: int = 32
) -> Iterator[tuple[slice, History, Prediction]]:
    """Predict every target of `window` from images and sound of the dataset, `batch` contexts at a time.

    steps: denoising steps; None: as many as the model was trained for
    """
    for first in range(0, len(window.context_BT), batch):
        chosen = slice(first, first + batch)
        rgb, audio = read_frames(windows, window.context_BT[chosen])
        history = model.encode(rgb, audio, torch.from_numpy(window.past_BT3[chosen]))
        motion, offset = torch.from_numpy(window.motion_BK3[chosen]), torch.from_numpy(window.offset_BK[chosen])
        yield chosen, history, model.predict(history, motion, offset, steps=steps)


def read_frames(windows: Windows, frames: np.ndarray) -> tuple[Tensor, Tensor]:
    """rgb uint8 (…, H, W, 3) and audio float32 (…, 2, 2400). frames: frame numbers, of any shape (…)."""
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
    """Fit sigmoid(logit / temperature + bias) to the event "the agent is within the success radius after one step".

    The threshold is the probability that maximises F0.5: a false STOP ends the episode without success, while a late
    STOP costs only a step.
    """
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
    """Logistic regression on one variable by Newton's method, with weak regularisation towards the identity."""
    features = torch.stack([logits, torch.ones_like(logits)], 1)
    prior = torch.tensor([1.0, 0.0], dtype=torch.float64)

    def loss(weight: Tensor) -> float:
        error = functional.binary_cross_entropy_with_logits(features @ weight, labels, reduction="sum")
        return float(error + 0.5 * (weight - prior).square().sum())

    weight = prior.clone()
    for _ in range(30):
        p = torch.sigmoid(features @ weight)
        gradient = features.T @ (p - labels) + (weight - prior)
        hessian = (features * (p * (1 - p))[:, None]).T @ features + torch.eye(2, dtype=torch.float64)
        step = torch.linalg.solve(hessian, gradient)
        # A full step diverges where most probabilities are close to 0 or 1: halve it until the loss does not increase.
        limit = loss(weight) * (1 + 1e-12)
        while loss(weight - step) > limit:
            step = step / 2
        weight = weight - step
    return weight[0], weight[1]


def _threshold(probability: Tensor, labels: Tensor, beta: float = 0.5) -> float:
    best, chosen = -1.0, 0.5
    for threshold in np.linspace(0.05, 0.95, 46):
        positive = probability > threshold
        true_positive = float((positive * labels).sum())
        score = (1 + beta**2) * true_positive / max(1e-9, float(positive.sum()) + beta**2 * float(labels.sum()))
        if score > best + 1e-12:
            best, chosen = score, float(threshold)
    return round(chosen, 4)
